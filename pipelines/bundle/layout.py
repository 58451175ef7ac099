"""What is in a bundle, under which names, in which order.

    mimetype                        what the file is, and its version; always at byte 512
    SHA256SUMS                      of every other member, as `sha256sum -c` reads it
    center.json                     the card of the center
    evidence/<sha256>               evidence that a statement names by digest
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

The file is an uncompressed tar in a single form: ustar (POSIX.1-1988), regular files only, mode
0644, no owner, no time, two empty blocks at the end and nothing after them. A tar, because every
system has the tool, it is read front to back, and there is one list of members; a zip has two,
which can disagree. Reading accepts what writing would have written and nothing else, so that no
byte of a bundle goes unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from builders.core.digest import Digest, canonical_json
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.dsse import MAX_ENVELOPE
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.publickey import MAX_KEY_FILE, KeyUse
from pipelines.evidence.statements.statement import Identifier, Line, Uri
from pipelines.evidence.strictjson import check_canonical, malformed, read_model
from pipelines.log.leaf import MAX_LEAF
from pipelines.log.proof import MAX_PROOF

BLOCK = 512
MAX_MEMBERS = 25_000
MAX_NAME = 100
_END = bytes(2 * BLOCK)
_MAX_SIZE = 8**11
_HEADER = b"".join(
    (
        b"%b",  # name
        b"0000644\0" + b"0000000\0" * 2,  # mode, user, group
        b"%b\0",  # size
        b"%011o\0" % 0,  # time
        b"%06o\0 ",  # the sum of all bytes, in which it counts as eight spaces
        b"0".ljust(101, b"\0"),  # a regular file, no link
        b"ustar\x0000".ljust(BLOCK - 257, b"\0"),
    )
)
_HEADER_SUM = sum(_HEADER % (b"", b"", 0)) - sum(b"%06o\0 " % 0) + sum(b" " * 8)
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
        if not is_bundle(data):
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


def is_bundle(data: bytes) -> bool:
    """Say whether a file that begins so, with two blocks or more, says that it is a bundle."""
    mark = data[BLOCK : BLOCK + len(_MARK)]
    return data.startswith(MIMETYPE.encode() + b"\0") and mark == _MARK


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


def write_tar(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the tar of `members` in their order; raises ValueError for an impossible name."""
    parts = []
    for name, data in members:
        parts += [_header(name, len(data)), data, bytes(-len(data) % BLOCK)]
    return b"".join([*parts, _END])


def read_tar(data: bytes) -> list[tuple[str, bytes]]:
    """Return the members of a tar that `write_tar` could have written; raises `MalformedError`."""
    found: list[tuple[str, bytes]] = []
    offset = 0
    while data[offset : offset + BLOCK].strip(b"\0"):
        if len(found) == MAX_MEMBERS:
            raise malformed(_WHAT, got="more", expected=f"at most {MAX_MEMBERS} members")
        name, size = _read_header(data[offset : offset + BLOCK], offset)
        start, end = offset + BLOCK, offset + BLOCK + size
        offset = end + -size % BLOCK
        if offset > len(data):
            raise malformed(
                _WHAT, got=f"its end within {name}", expected=f"{offset} bytes up to there"
            )
        if any(data[end:offset]):
            raise malformed(_WHAT, got=f"bytes behind the end of {name}", expected="zeros")
        found.append((name, data[start:end]))
    if data[offset:] != _END:
        raise malformed(
            _WHAT,
            got=f"something else at byte {offset}",
            expected="two empty blocks, and the end of the file",
        )
    return found


def _header(name: str, size: int) -> bytes:
    raw = name.encode("ascii")
    if not 0 < len(raw) <= MAX_NAME or not 0 <= size < _MAX_SIZE:
        raise ValueError(f"cannot be a member of a bundle: {name!r}, {size} bytes")
    octal = b"%011o" % size
    total = _HEADER_SUM + sum(raw) + sum(octal)
    return _HEADER % (raw.ljust(100, b"\0"), octal, total)


def _read_header(block: bytes, offset: int) -> tuple[str, int]:
    try:
        name = block[:MAX_NAME].rstrip(b"\0").decode("ascii")
        size = int(block[124:135], 8)
        same = name.isprintable() and _header(name, size) == block
    except ValueError as error:  # no ASCII, no number, no name
        raise _odd_header(offset) from error
    if not same:
        raise _odd_header(offset)
    return name, size


def _odd_header(offset: int) -> MalformedError:
    return malformed(
        _WHAT,
        got=f"another header at byte {offset}",
        expected="a regular file in plain ustar: mode 0644, no owner, no time",
    )
