"""The leaves of a log: what stands in it for one signed statement, or for one commitment.

A leaf is canonical JSON (RFC 8785), and all of its texts are spelled without escapes, so that it
has one spelling that a pattern describes: what `read_leaf` takes is canonical, and nothing else is.
A statement's leaf follows from its envelope and its place among the leaves of its release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from builders.core.digest import Digest, canonical_json
from pipelines.log.errors import LogError

MAX_LEAF = 4096
"""Bytes that no leaf exceeds, as its patterns are bounded; C2SP tlog-tiles has room for 65,535."""
FIRST = Digest("0" * 64)
"""What the first leaf of a release names as its previous one."""

_CENTER = "[a-z0-9][a-z0-9-]{0,62}"
_RELEASE = "[A-Za-z0-9][A-Za-z0-9._+~:!@/-]{0,511}"
_RUN = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_WORD = r"[!#-\[\]-~]{1,256}"  # printable ASCII that JSON does not escape
_HASH = "[0-9a-f]{64}"
_SEQUENCE = "0|[1-9][0-9]{0,14}"
_STATEMENT = re.compile(
    rf'\{{"center":"({_CENTER})","keyid":"({_WORD})","pae":"({_HASH})",'
    rf'"predicateType":"({_WORD})","previous":"({_HASH})","release":"({_RELEASE})",'
    rf'"sequence":({_SEQUENCE}),"v":1\}}'.encode()
)
_COMMITMENT = re.compile(
    rf'\{{"center":"({_CENTER})","claim":"({_HASH})","release":"({_RELEASE})",'
    rf'"run":"({_RUN})","seal":"({_HASH})","sequence":({_SEQUENCE}),"v":1\}}'.encode()
)


@dataclass(frozen=True, kw_only=True)
class StatementLeaf:
    """One signed statement in its place."""

    center: str
    release: str
    """The release key: `vendor/product@version`, or `own_key` for what belongs to no release."""
    sequence: int
    """How many leaves of this release key the log has before this one."""
    previous: Digest
    """Leaf hash of the leaf before it of the same release key; `FIRST` when there is none."""
    pae: Digest
    """SHA-256 of the statement's pre-authentication encoding (DSSE v1)."""
    keyid: str
    predicate_type: str

    def __post_init__(self) -> None:
        _check_written(self, self.to_bytes(), _STATEMENT)

    @property
    def identity(self) -> str:
        """What no two leaves of a log share."""
        return f"pae:{self.pae}"

    def to_bytes(self) -> bytes:
        """Return the leaf as it stands in the log."""
        return self._data

    @cached_property
    def _data(self) -> bytes:
        return canonical_json(
            {
                "center": self.center,
                "keyid": self.keyid,
                "pae": self.pae.hex,
                "predicateType": self.predicate_type,
                "previous": self.previous.hex,
                "release": self.release,
                "sequence": self.sequence,
                "v": 1,
            }
        )


@dataclass(frozen=True, kw_only=True)
class CommitmentLeaf:
    """What a run committed to before it opened a shipped file."""

    center: str
    release: str
    sequence: int
    """Commitments count in the sequence of their release, as statements do."""
    run: str
    claim: Digest
    seal: Digest

    def __post_init__(self) -> None:
        _check_written(self, self.to_bytes(), _COMMITMENT)

    @property
    def identity(self) -> str:
        """What no two leaves of a log share."""
        return f"run:{self.run}"

    def to_bytes(self) -> bytes:
        """Return the leaf as it stands in the log."""
        return self._data

    @cached_property
    def _data(self) -> bytes:
        return canonical_json(
            {
                "center": self.center,
                "claim": self.claim.hex,
                "release": self.release,
                "run": self.run,
                "seal": self.seal.hex,
                "sequence": self.sequence,
                "v": 1,
            }
        )


Leaf: TypeAlias = StatementLeaf | CommitmentLeaf


@dataclass(frozen=True, kw_only=True)
class StatementEntry:
    """A statement that is to be logged; its place is found when it is."""

    center: str
    release: str
    pae: Digest
    keyid: str
    predicate_type: str

    def __post_init__(self) -> None:
        self.leaf(0, FIRST)

    @property
    def identity(self) -> str:
        """What no two leaves of a log share."""
        return f"pae:{self.pae}"

    def leaf(self, sequence: int, previous: Digest) -> StatementLeaf:
        """Return the leaf at that place."""
        return StatementLeaf(
            center=self.center,
            release=self.release,
            sequence=sequence,
            previous=previous,
            pae=self.pae,
            keyid=self.keyid,
            predicate_type=self.predicate_type,
        )


@dataclass(frozen=True, kw_only=True)
class CommitmentEntry:
    """A commitment that is to be logged."""

    center: str
    release: str
    run: str
    claim: Digest
    seal: Digest

    def __post_init__(self) -> None:
        self.leaf(0, FIRST)

    @property
    def identity(self) -> str:
        """What no two leaves of a log share."""
        return f"run:{self.run}"

    def leaf(self, sequence: int, _previous: Digest) -> CommitmentLeaf:
        """Return the leaf at that place; a commitment names no leaf before it."""
        return CommitmentLeaf(
            center=self.center,
            release=self.release,
            sequence=sequence,
            run=self.run,
            claim=self.claim,
            seal=self.seal,
        )


Entry: TypeAlias = StatementEntry | CommitmentEntry


class Facts(NamedTuple):
    """What the chain of a release is made of, read from a leaf without the rest."""

    release: str
    sequence: int
    previous: str | None
    """Hex of the leaf hash that it names; None for a commitment, which names none."""
    identity: str
    predicate_type: str | None
    """None for a commitment."""


def own_key(center: str) -> str:
    """Return the release key of what belongs to no release: heartbeats and receipts."""
    return f"samebits/{center}@log"


def read_leaf(data: bytes) -> Leaf:
    """Read a leaf; raises `LogError` for all that `to_bytes` does not write."""
    if (statement := _match(_STATEMENT, data)) is not None:
        center, keyid, pae, predicate_type, previous, release, sequence = statement
        return StatementLeaf(
            center=center,
            keyid=keyid,
            pae=Digest(pae),
            predicate_type=predicate_type,
            previous=Digest(previous),
            release=release,
            sequence=int(sequence),
        )
    if (commitment := _match(_COMMITMENT, data)) is not None:
        center, claim, release, run, seal, sequence = commitment
        return CommitmentLeaf(
            center=center,
            claim=Digest(claim),
            release=release,
            run=run,
            seal=Digest(seal),
            sequence=int(sequence),
        )
    raise _malformed(data)


def read_facts(data: bytes) -> Facts:
    """Read of a leaf what its release's chain needs, as strictly and ten times as fast."""
    if match := _STATEMENT.fullmatch(data):
        pae, kind, previous, release, sequence = match.group(3, 4, 5, 6, 7)
        identity = "pae:" + pae.decode()
        return Facts(release.decode(), int(sequence), previous.decode(), identity, kind.decode())
    if match := _COMMITMENT.fullmatch(data):
        release, run, sequence = match.group(3, 4, 6)
        return Facts(release.decode(), int(sequence), None, "run:" + run.decode(), None)
    raise _malformed(data)


def _match(pattern: re.Pattern[bytes], data: bytes) -> tuple[str, ...] | None:
    match = pattern.fullmatch(data)
    return None if match is None else tuple(group.decode() for group in match.groups())


def _check_written(leaf: Leaf, data: bytes, pattern: re.Pattern[bytes]) -> None:
    if _match(pattern, data) is None:
        raise LogError(
            f"a {type(leaf).__name__} cannot be written",
            got=ascii(data[:400])[2:-1],
            expected="names of a center, release, run, key and predicate type of usual characters",
        )


def _malformed(data: bytes) -> LogError:
    return LogError(
        "a leaf of the log is malformed",
        got=f"{len(data)} bytes, {ascii(data[:120])[2:-1]}",
        expected="a statement or a commitment in canonical JSON, version 1",
        todo="Whoever wrote it is not this samebits: compare the versions of both",
    )
