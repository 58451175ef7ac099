"""What is in a bundle, under which names, in which order.

    mimetype                        what the file is, and its version; always at byte 512
    SHA256SUMS                      of every other member, as `sha256sum -c` reads it
    center.json                     the card of the center
    evidence/<sha256>               public evidence that a statement names by digest
    heartbeat.dsse.json             the center's newest heartbeat
    keys/<use>.pub                  the center's public keys (PEM, as cosign reads them)
    log/<index>.leaf                a leaf of the center's log, from the run's commitment on
    log/<index>.dsse.json           the statement of another run, where the leaf is of one
    log/<index>.tlog-proof          that it is in the log (C2SP tlog-proof), and the checkpoint
    policy.dsse.json                the policy that the center goes by
    report.json                     the public report of the run
    statements/<kind>-<n>.dsse.json every statement about the run

All but the first two are sorted by name. Version 2 has these members and no others: an unknown one
could not be checked. The card is not signed: it is compared with the statements, and with the key
or policy that the reader of the bundle trusts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from builders.core.digest import Digest, canonical_json
from builders.core.frozen_model import FrozenModel
from pipelines.bundle.tarball import BLOCK, read_tar, write_tar
from pipelines.evidence.dsse import MAX_ENVELOPE
from pipelines.evidence.publickey import MAX_KEY_FILE, KeyUse
from pipelines.evidence.statements.statement import Identifier, Line, Uri
from pipelines.evidence.strictjson import check_canonical, malformed, read_model
from pipelines.log.leaf import MAX_LEAF
from pipelines.log.proof import MAX_PROOF

MEDIA_TYPE = "application/vnd.samebits.bundle.v2+tar"
MAX_BUNDLE = 256 << 20
MAX_CARD = 64 << 10
MAX_REPORT = 32 << 20
MAX_EVIDENCE = 64 << 20
MAX_POLICY = 4 << 20

MIMETYPE, SUMS, CARD, REPORT = "mimetype", "SHA256SUMS", "center.json", "report.json"
KEYS, STATEMENTS, EVIDENCE, LOG = "keys/", "statements/", "evidence/", "log/"
LEAF, PROOF, OTHER = ".leaf", ".tlog-proof", ".dsse.json"
HEARTBEAT, POLICY = "heartbeat.dsse.json", "policy.dsse.json"
STATEMENTS_KEY = f"{KEYS}statements.pub"

_WHAT, _CARD = "the bundle", "the center's card"
_MARK = f"{MEDIA_TYPE}\n".encode()
_PLACES = (
    (re.compile(r"center\.json"), MAX_CARD),
    (re.compile(r"report\.json"), MAX_REPORT),
    (re.compile(r"keys/(?:statements|log|witness)\.pub"), MAX_KEY_FILE),
    (re.compile(r"statements/[a-z][a-z-]{0,30}-[1-9][0-9]{0,4}\.dsse\.json"), MAX_ENVELOPE),
    (re.compile(r"evidence/[0-9a-f]{64}"), MAX_EVIDENCE),
    (re.compile(r"log/(?:0|[1-9][0-9]{0,15})\.leaf"), MAX_LEAF),
    (re.compile(r"log/(?:0|[1-9][0-9]{0,15})\.tlog-proof"), MAX_PROOF),
    (re.compile(r"log/(?:0|[1-9][0-9]{0,15})\.dsse\.json"), MAX_ENVELOPE),
    (re.compile(r"heartbeat\.dsse\.json"), MAX_ENVELOPE),
    (re.compile(r"policy\.dsse\.json"), MAX_POLICY),
)
_NEEDED = (CARD, STATEMENTS_KEY, REPORT)
_KINDS = {
    b"!<arch>\ndebian-binary": "a Debian package",
    b"PK\3\4": "a zip file, as wheels are",
    b"\x1f\x8b": "a gzip file",
    b"\x7fELF": "an ELF file",
    b"{": "what may be JSON",
    b"-----BEGIN ": "a PEM file",
}
"""Files that are mistaken for bundles, by their first bytes."""


KeyId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=256)]


class KeyEntry(FrozenModel):
    """A key and what it is for; the key itself is the member `keys/<use>.pub`."""

    use: KeyUse
    keyid: KeyId


class CenterCard(FrozenModel):
    """Who rebuilt, who runs it, and where."""

    schema_: Annotated[Literal["samebits/center-card/v1"], Field(alias="schema")] = (
        "samebits/center-card/v1"
    )
    id: Identifier
    operator: Line
    region: Line
    builder_id: Uri
    verifier_id: Uri
    keys: Annotated[tuple[KeyEntry, ...], Field(min_length=1, max_length=3)]

    @model_validator(mode="after")
    def _a_key_a_use(self) -> Self:
        uses = [key.use for key in self.keys]
        if uses != sorted(set(uses)) or "statements" not in uses:
            message = "expected a key for statements, and one at most a use, sorted by use"
            raise ValueError(message)
        if len({key.keyid for key in self.keys}) != len(self.keys):
            raise ValueError("expected another key for each use")
        return self

    @classmethod
    def from_bytes(cls, data: bytes) -> CenterCard:
        """Read a card in canonical form; raises `MalformedError`."""
        card = read_model(data, cls, what=_CARD, limit=MAX_CARD)
        check_canonical(data, card.to_bytes(), what=_CARD)
        return card

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that `from_bytes` reads."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The members of a bundle by name, mark and digests apart. Nothing in them is read yet."""

    members: Mapping[str, bytes]
    sums: bytes
    """The list of digests, as the bundle has it."""

    @classmethod
    def of(cls, members: Mapping[str, bytes]) -> Bundle:
        """Make a bundle, with the digests of its members; raises as `check_members` does."""
        check_members(members)
        return cls(members=dict(sorted(members.items())), sums=sums_of(members))

    @classmethod
    def from_bytes(cls, data: bytes) -> Bundle:
        """Read the form of a bundle; raises `MalformedError`.

        The names and digests of the members are not checked.
        """
        if len(data) > MAX_BUNDLE:
            raise malformed(_WHAT, got="more", expected=f"at most {MAX_BUNDLE} bytes")
        mark = data[BLOCK : BLOCK + len(_MARK)]
        if not data.startswith(MIMETYPE.encode() + b"\0") or mark != _MARK:
            unknown = "something else" if data else "an empty file"
            got = next((kind for start, kind in _KINDS.items() if data.startswith(start)), unknown)
            raise malformed(_WHAT, got=got, expected=f"a file that says {MEDIA_TYPE}")
        found = read_tar(data)
        names = [name for name, _ in found]
        if names[:2] != [MIMETYPE, SUMS] or names[2:] != sorted(set(names[2:])):
            raise malformed(
                _WHAT,
                got="members in another order, or one twice",
                expected=f"{MIMETYPE}, {SUMS}, then the others sorted by name",
            )
        if found[0][1] != _MARK:
            raise malformed(_WHAT, got="a longer media type", expected=MEDIA_TYPE)
        return cls(members=dict(found[2:]), sums=found[1][1])

    def to_bytes(self) -> bytes:
        """Return the file: the same members give the same bytes."""
        return write_tar([(MIMETYPE, _MARK), (SUMS, self.sums), *sorted(self.members.items())])


def check_members(members: Mapping[str, bytes]) -> None:
    """Require the members of this version: none unknown, none too large, none missing.

    Raises `MalformedError`.
    """
    for name, data in members.items():
        limit = next((limit for place, limit in _PLACES if place.fullmatch(name)), None)
        if limit is None:
            raise malformed(
                _WHAT, got=f"the member {name!a:.120}", expected=f"the members of {MEDIA_TYPE}"
            )
        if len(data) > limit:
            raise malformed(
                _WHAT, got=f"{len(data)} bytes of {name}", expected=f"at most {limit} bytes"
            )
    missing = [name for name in _NEEDED if name not in members]
    if not any(name.startswith(STATEMENTS) for name in members):
        missing.append(f"{STATEMENTS}...")
    if missing:
        raise malformed(
            _WHAT, got=f"no {missing[0]}", expected="a card, a key, a report, statements"
        )


def sums_of(members: Mapping[str, bytes]) -> bytes:
    """Return the list of digests, in the format of sha256sum."""
    lines = (f"{Digest.of(data)}  {name}\n" for name, data in sorted(members.items()))
    return "".join(lines).encode()
