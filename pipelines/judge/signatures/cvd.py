"""ClamAV's signed databases (.cvd), as `sigtool --build` writes them.

A header of 512 bytes with colons between its fields, then a tar in gzip. Two signatures are in it:
that of the member NAME.info, which lists the SHA-256 of the others, is RSA-PSS over SHA-256; that
of the header is bare RSA over the MD5 of what follows, which two files can share. Both have to
verify. Ours is what `sigtool --build --unsigned` writes (.cud). Sources: sigtool/sigtool.c,
libclamav/dsig.c, libclamav/tar.c and libclamav/cvd.c of ClamAV.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from builders.archives.streams import ByteReader
from builders.core.digest import chunks
from builders.packing import DeflateEncoder, GzipPacking
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.clamav_keys import pinned_keys, signed_by_md5, signed_by_pss
from pipelines.judge.signatures.filled import cvd_fits, info_fits
from pipelines.judge.signatures.left_out import info_members
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    Uncovered,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.splice import (
    Derived,
    Own,
    PackedPlan,
    Piece,
    SpliceLimits,
    SplicePlan,
    Taken,
)
from pipelines.judge.signatures.unpacked import PieceReader, unpacked

_HEADER, _BLOCK = 512, 512
_MAX_INFO = 1 << 20
_MAX_SIGNATURE = 512
_PACKING = GzipPacking(encoder=DeflateEncoder(level=9, strategy="filtered"))
_FIELDS = re.compile(
    rb"(?P<magic>ClamAV-VDB):(?P<time>\d\d [A-Z][a-z]{2} \d{4} \d\d-\d\d [+-]\d{4}):"
    rb"(?P<version>\d{1,10}):(?P<sigs>\d{1,10}):(?P<level>\d{1,10}):(?P<md5>X|[0-9a-f]{32}):"
    rb"(?P<signature>X|[A-Za-z0-9+/]{1,400}):(?P<builder>[A-Za-z0-9_.-]{1,31}):(?P<clock>\d{1,10})"
)
_CLAIMS = ("time", "builder", "clock")
"""Fields that the vendor's machine decides: they are taken where ours are others."""
_SIGNED_FIELDS = ("time", "version", "sigs", "level", "builder", "clock")
"""Fields that the member .info repeats."""
_INFO_SIGNATURE = re.compile(rb"DSIG:([A-Za-z0-9+/]{1,400})\n")
_LISTED = re.compile(rb"([A-Za-z0-9_.-]{1,99}):(\d{1,10}):([0-9a-f]{64})\n")


class DatabaseMember(NamedTuple):
    """A member of the tar in a database."""

    name: bytes
    at: int
    """Offset of its header in the tar."""
    size: int
    content: bytes
    """Of NAME.info, and of others as much as was asked for."""
    sha256: bytes


def database_header(file: BinaryIO, whose: str) -> re.Match[bytes]:
    """Return the header of a database by its fields; raises `BadSignatureError`."""
    file.seek(0)
    found = _FIELDS.fullmatch(file.read(_HEADER).rstrip(b" "))
    if found is None or file.tell() != _HEADER:
        raise unreadable(f"the {whose} file has no header of a ClamAV database")
    return found


def database_members(file: BinaryIO, keep: int = 0) -> Iterator[DatabaseMember]:
    """Yield the members of the tar in a database; nothing but the fields of them is free.

    Of each member that has at most `keep` bytes, the content is kept. Raises `BadSignatureError`.
    """
    reader, at = ByteReader(PieceReader(unpacked(file, "gzip", _HEADER))), 0
    while header := reader.upto(_BLOCK):
        name, size = header[:100].rstrip(b"\0"), header[124:136].rstrip(b"\0")
        if not re.fullmatch(rb"[0-7]{1,11}", size) or not re.fullmatch(rb"[\w.-]{1,99}", name):
            raise unreadable(f"no member of a tar at {at}")
        if header != _tar_header(name, int(size, 8)):
            raise BadSignatureError(SignatureFault.SLACK, f"a header of a tar with data, at {at}")
        left, digest, kept = int(size, 8), hashlib.sha256(), bytearray()
        while left and (piece := reader.read(left)):
            left -= len(piece)
            digest.update(piece)
            if len(kept) < (_MAX_INFO if name.endswith(b".info") else min(keep, int(size, 8))):
                kept += piece
        rest = -int(size, 8) % _BLOCK
        padding_ = reader.upto(rest)
        if left or len(padding_) < rest:
            raise unreadable("a tar that ends early")
        if any(padding_):
            raise BadSignatureError(SignatureFault.SLACK, f"data after the member {name!a}")
        yield DatabaseMember(name, at, int(size, 8), bytes(kept), digest.digest())
        at += _BLOCK + int(size, 8) + rest


def _tar_header(name: bytes, size: int) -> bytes:
    """Return the header of a member as ClamAV writes it: a name, a size and a checksum."""
    made = bytearray(_BLOCK)
    made[: len(name)] = name
    octal = b"%o" % size
    made[124 : 124 + len(octal)] = octal
    made[148:156] = b" " * 8
    made[148:156] = (b"%06o" % sum(made)).ljust(8, b"\0")
    return bytes(made)


def _info(file: BinaryIO, whose: str) -> DatabaseMember:
    found = [one for one in database_members(file) if one.name.endswith(b".info")]
    if len(found) != 1 or found[0].size > _MAX_INFO:
        raise unreadable(f"the {whose} file has {len(found)} members .info")
    return found[0]


class _Pieces:
    """The pieces of a file, in order."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._at = 0

    def own(self, begin: int, end: int) -> None:
        if end > begin:
            self.pieces.append(Own(offset=begin, length=end - begin))
            self._at += end - begin

    def taken(self, length: int, why: str) -> None:
        self.pieces.append(Taken(offset=self._at, length=length, why=why))
        self._at += length

    def derived(self, data: bytes) -> None:
        if data:
            self.pieces.append(Derived(data=data.hex()))
            self._at += len(data)

    def fields(
        self, theirs: re.Match[bytes], ours: re.Match[bytes], base: int, md5: bytes | None = None
    ) -> None:
        """Add a header: ours, with the vendor's claims, digest and signature."""
        own = base
        for name in theirs.re.groupindex:
            begin, end = base + ours.start(name), base + ours.end(name)
            if name == "md5" and md5 is not None:
                self.own(own, begin)
                self.derived(md5)
                own = end
            elif theirs[name] != ours[name]:
                if name not in {*_CLAIMS, "signature"}:
                    what = f"the field {name} is {theirs[name]!a:.50}, ours {ours[name]!a:.50}"
                    raise BadSignatureError(SignatureFault.UNLIKE, what)
                self.own(own, begin)
                self.taken(len(theirs[name]), "signature" if name == "signature" else name)
                own = end
        self.own(own, base + ours.end())


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt database gets both signatures of the shipped one."""
    theirs, ours = database_header(shipped, "shipped"), database_header(rebuilt, "rebuilt")
    if theirs["signature"] == b"X":
        raise BadSignatureError(SignatureFault.MISSING, "the shipped database is not signed")
    inner, own = _info(shipped, "shipped"), _info(rebuilt, "rebuilt")
    if ours["signature"] != b"X" or _INFO_SIGNATURE.search(own.content):
        what = "the rebuilt database has a signature of its own"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    outside, inside = _Pieces(), _Pieces()
    md5 = _md5(shipped).hex().encode()
    if theirs["md5"] != md5:
        raise BadSignatureError(SignatureFault.UNLIKE, "the header has the MD5 of another body")
    outside.fields(theirs, ours, 0, md5)
    outside.derived(b" " * (_HEADER - theirs.end()))
    outside.own(_HEADER, shipped.seek(0, 2))
    body = _signed_part(inner.content)
    if (inner.name, inner.at) != (own.name, own.at):
        what = f"{inner.name!a:.100} at {inner.at}, ours {own.name!a:.100} at {own.at}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    content = own.at + _BLOCK
    inside.own(0, own.at)
    inside.derived(_tar_header(inner.name, inner.size))
    first, mine = (_first_line(one.content) for one in (inner, own))
    inside.fields(first, mine, content)
    inside.own(content + mine.end(), content + own.size)
    if len(body) - first.end() != own.size - mine.end():
        what = "the list of members is of another size than ours"
        raise BadSignatureError(SignatureFault.UNLIKE, what)
    inside.taken(inner.size - len(body), "signature")
    inside.derived(bytes(-inner.size % _BLOCK))
    inside.own(content + own.size + -own.size % _BLOCK, _content_size(rebuilt))
    pieces = PackedPlan(begin=_HEADER, pieces=tuple(inside.pieces), packing=_PACKING)
    return SplicePlan(pieces=tuple(outside.pieces), inside=pieces)


def _content_size(file: BinaryIO) -> int:
    return sum(map(len, unpacked(file, "gzip", _HEADER)))


def _signed_part(info: bytes) -> bytes:
    """Return what of a member .info the signature in its last line covers."""
    found = _INFO_SIGNATURE.search(info)
    if found is None:
        what = "its list of members is not signed, and MD5 alone proves nothing"
        raise BadSignatureError(SignatureFault.WEAK_DIGEST, what)
    if found.end() != len(info):
        what = "data after the signature of the list of members"
        raise BadSignatureError(SignatureFault.TRAILING, what)
    return info[: found.start()]


def _first_line(info: bytes) -> re.Match[bytes]:
    found = _FIELDS.fullmatch(info.partition(b"\n")[0])
    if found is None or (found["md5"], found["signature"]) != (b"X", b"X"):
        raise unreadable("a member .info that does not begin with the header")
    return found


def unpack(file: BinaryIO, out: BinaryIO) -> None:
    """Write the tar in a database."""
    out.writelines(unpacked(file, "gzip", _HEADER))


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify both signatures of a database by the pinned keys."""
    header, members = database_header(file, "signed"), list(database_members(file))
    info = _info(file, "signed")
    body = _signed_part(info.content)
    if len({one.name for one in members}) < len(members):
        raise BadSignatureError(SignatureFault.DUPLICATE, "a member that is there twice")
    claims = _first_line(info.content)
    if any(header[name] != claims[name] for name in _SIGNED_FIELDS):
        raise _others("the header is not the one that is signed")
    found = [(one.name, one.size, one.sha256) for one in members if one.name != b"COPYING"]
    if sorted(_listed(body)) != sorted(one for one in found if one[0] != info.name):
        raise _others("the members are not those that are signed")
    md5 = _md5(file)
    if md5.hex().encode() != header["md5"]:
        raise _others("the header has the MD5 of another body")
    keys = pinned_keys(pinned)
    signed = hashlib.sha256(body).digest()
    strong = signed_by_pss(info.content[len(body) + len("DSIG:") : -1], signed, keys)
    if strong is None:
        what = "the list of members is signed by no pinned key"
        raise BadSignatureError(SignatureFault.INVALID, what)
    weak = signed_by_md5(header["signature"], md5, keys)
    check_signers((strong, weak), pinned)
    claimed = [(*header.span(name), name) for name in _CLAIMS]
    return VerifiedSignatures(
        signers=(strong, weak),
        uncovered=tuple(
            Uncovered(offset=begin, length=end - begin, why=f"header-{name}")
            for begin, end, name in claimed
        ),
    )


def info_lines(info: bytes) -> tuple[int, list[tuple[bytes, int, bytes]]]:
    """Return the version in a .info, and what it lists; raises `BadSignatureError`."""
    return int(_first_line(info)["version"]), list(_listed(_signed_part(info)))


def _listed(body: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield name, size and SHA-256 of each member that a .info lists."""
    _, _, lines = body.partition(b"\n")
    for line in lines.splitlines(keepends=True):
        one = _LISTED.fullmatch(line)
        if one is None:
            raise unreadable(f"a member .info with the line {line!a:.100}")
        yield one[1], int(one[2]), bytes.fromhex(one[3].decode())


def _md5(file: BinaryIO) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    file.seek(_HEADER)
    for piece in chunks(file):
        digest.update(piece)
    return digest.digest()


def pins(file: BinaryIO) -> FoundPins:
    """Raise `BadSignatureError`, always: a database does not say which keys have signed it."""
    if database_header(file, "shipped")["signature"] == b"X":
        raise BadSignatureError(SignatureFault.MISSING, "the database is not signed")
    what = "signed by two keys of ClamAV; a recipe needs both, which its source code has"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


def _others(what: str) -> BadSignatureError:
    return BadSignatureError(SignatureFault.SIGNED_OTHER_BYTES, what)


_FREE = sum(map(len, ("DD Mon YYYY HH-MM +ZZZZ", "b" * 31, "9" * 10)))
"""The most bytes that the fields of the vendor's claims have."""
CVD = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=_HEADER,
        derived=_HEADER,
        taken=_FREE + _MAX_SIGNATURE,
        places=lambda _: ((0, _HEADER),),
        within=True,
        fits=cvd_fits,
        inside=SpliceLimits(
            replaced=_BLOCK + _FREE + _BLOCK,
            derived=_BLOCK + _BLOCK,
            taken=_FREE + _MAX_SIGNATURE,
            places=info_members,
            within=True,
            fits=info_fits,
        ),
    ),
    unpack=unpack,
    pins=pins,
)
