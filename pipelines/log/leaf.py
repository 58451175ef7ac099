"""The leaves of a log: one for each signed statement, and one for each commitment of a run.

A leaf is canonical JSON (RFC 8785) whose texts need no escapes, so that a pattern describes its
bytes exactly: what `read_leaf` accepts is canonical, and nothing else is. A statement's leaf
follows from its envelope and its place among the leaves of its release: those are numbered, and
each statement names the leaf before it, so that a leaf that is left out is visible.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

from builders.core.digest import Digest, canonical_plain_json
from pipelines.log.errors import LogError
from pipelines.log.merkle import leaf_hash

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
    rf'\{{"center":"(?P<center>{_CENTER})","keyid":"(?P<keyid>{_WORD})","pae":"(?P<pae>{_HASH})",'
    rf'"predicateType":"(?P<predicate_type>{_WORD})","previous":"(?P<previous>{_HASH})",'
    rf'"release":"(?P<release>{_RELEASE})","sequence":(?P<sequence>{_SEQUENCE}),"v":1\}}'.encode()
)
_COMMITMENT = re.compile(
    rf'\{{"center":"(?P<center>{_CENTER})","claim":"(?P<claim>{_HASH})",'
    rf'"release":"(?P<release>{_RELEASE})","run":"(?P<run>{_RUN})","seal":"(?P<seal>{_HASH})",'
    rf'"sequence":(?P<sequence>{_SEQUENCE}),"v":1\}}'.encode()
)
_JSON_NAMES = {"predicate_type": "predicateType"}
_TYPES: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("pae", "previous", "claim", "seal"), Digest),
    "sequence": int,
}


class _Placed:
    """What the leaves of both kinds share: their bytes, which `pattern` describes."""

    pattern: ClassVar[re.Pattern[bytes]]

    def __post_init__(self) -> None:
        data = self.to_bytes()
        if self.pattern.fullmatch(data) is None:
            raise LogError(
                f"a {type(self).__name__} cannot be written",
                got=ascii(data[:400])[2:-1],
                expected="usual characters in center, release, run, key id and predicate type",
            )

    def to_bytes(self) -> bytes:
        """Return the bytes of the leaf in the log."""
        fields: dict[str, object] = {"v": 1}
        for name, value in vars(self).items():
            plain = value.hex if isinstance(value, Digest) else value
            fields[_JSON_NAMES.get(name, name)] = plain
        return canonical_plain_json(fields)


@dataclass(frozen=True, kw_only=True)
class StatementEntry:
    """A signed statement to be logged; its place in the log is not known yet."""

    center: str
    release: str
    """The release key: `vendor/product@version`, or `own_key` for what belongs to no release."""
    pae: Digest
    """SHA-256 of the statement's pre-authentication encoding (DSSE v1)."""
    keyid: str
    predicate_type: str

    def __post_init__(self) -> None:
        self.leaf(0, FIRST)

    @property
    def identity(self) -> str:
        """Unique among the leaves of a log."""
        return f"pae:{self.pae}"

    def leaf(self, sequence: int, previous: Digest) -> StatementLeaf:
        """Return the leaf at that place."""
        return StatementLeaf(**vars(self), sequence=sequence, previous=previous)


@dataclass(frozen=True, kw_only=True)
class StatementLeaf(_Placed, StatementEntry):
    """A statement in its place."""

    pattern: ClassVar[re.Pattern[bytes]] = _STATEMENT
    sequence: int
    """How many leaves of this release key the log has before this one."""
    previous: Digest
    """Leaf hash of the leaf before it of the same release key; `FIRST` when there is none."""


@dataclass(frozen=True, kw_only=True)
class CommitmentEntry:
    """What a run commits to before it opens a shipped file, to be logged."""

    center: str
    release: str
    run: str
    claim: Digest
    seal: Digest

    def __post_init__(self) -> None:
        self.leaf(0, FIRST)

    @property
    def identity(self) -> str:
        """Unique among the leaves of a log."""
        return f"run:{self.run}"

    @property
    def digest(self) -> Digest:
        """The SHA-256 of what the run commits to."""
        return commitment_digest(self.run, self.claim, self.seal)

    def leaf(self, sequence: int, _previous: Digest) -> CommitmentLeaf:
        """Return the leaf at that place; a commitment names no leaf before it."""
        return CommitmentLeaf(**vars(self), sequence=sequence)


@dataclass(frozen=True, kw_only=True)
class CommitmentLeaf(_Placed, CommitmentEntry):
    """A commitment in its place."""

    pattern: ClassVar[re.Pattern[bytes]] = _COMMITMENT
    sequence: int
    """Commitments count in the sequence of their release, as statements do."""


Entry: TypeAlias = StatementEntry | CommitmentEntry
Leaf: TypeAlias = StatementLeaf | CommitmentLeaf


class LeafFields(NamedTuple):
    """The hash and the fields of a leaf that the chain of its release is made of."""

    hash: bytes
    release: str
    sequence: int
    previous: str | None
    """Hex of the leaf hash that it names; None for a commitment, which names none."""
    identity: str
    predicate_type: str | None
    """None for a commitment."""
    committed: Digest | None = None
    """The `commitment_digest` of a commitment; None for a statement."""


def commitment_digest(run: str, claim: Digest, seal: Digest) -> Digest:
    """Return the SHA-256 of what a run commits to."""
    return Digest.of(f"{run} {claim.hex} {seal.hex}".encode())


def own_key(center: str) -> str:
    """Return the release key of what belongs to no release: heartbeats and receipts."""
    return f"samebits/{center}@log"


def read_leaf(data: bytes) -> Leaf:
    """Read a leaf; raises `LogError` for all that `to_bytes` does not write."""
    kinds: tuple[type[Leaf], ...] = (StatementLeaf, CommitmentLeaf)
    for kind in kinds:
        if match := kind.pattern.fullmatch(data):
            texts = match.groupdict().items()
            return kind(**{name: _TYPES.get(name, str)(text.decode()) for name, text in texts})
    raise _malformed(data)


def read_fields(data: bytes, known_hash: bytes | None = None) -> LeafFields:
    """Read of a leaf what its release's chain needs, as strictly and ten times as fast."""
    found = known_hash or leaf_hash(data)
    if match := _STATEMENT.fullmatch(data):
        pae, kind, previous, release, sequence = map(bytes.decode, match.group(3, 4, 5, 6, 7))
        return LeafFields(found, release, int(sequence), previous, f"pae:{pae}", kind)
    if match := _COMMITMENT.fullmatch(data):
        claim, release, run, seal, sequence = map(bytes.decode, match.group(2, 3, 4, 5, 6))
        committed = commitment_digest(run, Digest(claim), Digest(seal))
        return LeafFields(found, release, int(sequence), None, f"run:{run}", None, committed)
    raise _malformed(data)


def _malformed(data: bytes) -> LogError:
    return LogError(
        "a leaf of the log is malformed",
        got=f"{len(data)} bytes, {ascii(data[:120])[2:-1]}",
        expected="a statement or a commitment in canonical JSON, version 1",
        todo="It was not written by this version of samebits: compare the versions of both",
    )


Link = tuple[int, str]
"""What the next leaf of a release has to say: its sequence number and, in hex, its previous."""
START: Link = (0, FIRST.hex)


class ChainBreak(NamedTuple):
    """Why a leaf does not follow the one before it of its release."""

    what: str
    """`sequence` or `previous`."""
    got: object
    expected: object

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.what} is {self.got}, expected {self.expected}"


class ReleaseChains:
    """The chains of all releases of a log, followed leaf by leaf.

    Memory grows with the releases, not with the leaves.
    """

    def __init__(self, known: Callable[[str], Link | None] | None = None) -> None:
        """Start at the first leaf of a log, or where `known` gives the next link of a release."""
        self._known = known
        self._links: dict[str, Link] = {}

    def next(self, release: str) -> Link:
        """Return what the next leaf of a release has to say."""
        if link := self._links.get(release):
            return link
        return (self._known(release) if self._known else None) or START

    def follow(self, leaf: LeafFields) -> ChainBreak | None:
        """Take in a leaf; returns what is wrong with its place, or None."""
        sequence, previous = self.next(leaf.release)
        self._links[leaf.release] = (leaf.sequence + 1, leaf.hash.hex())
        if leaf.sequence != sequence:
            return ChainBreak("sequence", leaf.sequence, sequence)
        if leaf.previous not in {None, previous}:
            return ChainBreak("previous", leaf.previous, previous)
        return None
