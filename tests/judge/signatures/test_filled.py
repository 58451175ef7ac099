"""What stands in the places of a signature is refused, unless it is what the signature needs there.

Each row is a file that a plan could make: the honest one but for one thing.
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import pytest

from pipelines.judge.signatures.filled import (
    NO_CHECKSUM,
    Checksum,
    FilledGap,
    cab_fits,
    clearsigned_fits,
    cvd_fits,
    info_fits,
    pe_checksum,
    pe_fits,
    rpm_checksum,
    rpm_fits,
    tuf_fits,
)
from tests.judge.signatures.cab_tricks import GROWN, cabinet, with_signature
from tests.judge.signatures.databases import OURS, SIGNED, Database, block
from tests.judge.signatures.rpm_signing import LEAD, MD5, SHA1, Entry, Rpm
from tests.judge.signatures.signing import CHECKSUM, ENTRY, program, with_table


@dataclass(frozen=True, kw_only=True)
class Filled:
    """Our file, the one that a plan made of it, and the gaps: where in ours, and what is there."""

    own: bytes
    out: bytes
    gaps: tuple[tuple[int, int, int, int], ...]

    def fits(self, check: Callable[..., bool]) -> bool:
        gaps = [FilledGap(begin=b, end=e, at=at, length=n) for b, e, at, n in self.gaps]
        return check(io.BytesIO(self.own), io.BytesIO(self.out), gaps)

    def patched(self, at: int, data: bytes) -> Filled:
        return replace(self, out=self.out[:at] + data + self.out[at + len(data) :])


def summed(data: bytes) -> bytes:
    """Return a PE file with the right checksum, whatever else it has."""
    at = len(data) & ~7
    (entry, table) = struct.unpack_from("<II", data, ENTRY)
    made = bytearray(with_table(data[:at], data[at:]))
    made[ENTRY : ENTRY + 8] = struct.pack("<II", entry, table)
    words = bytes(made[:CHECKSUM]) + bytes(4) + bytes(made[CHECKSUM + 4 :])
    words += bytes(len(words) & 1)
    total = sum(struct.unpack(f"<{len(words) // 2}H", words))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("<I", made, CHECKSUM, total + len(data))
    return bytes(made)


PROGRAM = program(b"odd")
PADDED = PROGRAM + bytes(-len(PROGRAM) % 8)
TABLE = b"certificates.."
_FIELDS = ((CHECKSUM, CHECKSUM + 4, CHECKSUM, 4), (ENTRY, ENTRY + 8, ENTRY, 8))
_END = (len(PROGRAM), len(PROGRAM), len(PROGRAM), len(PADDED) - len(PROGRAM) + len(TABLE))
SIGNED_PROGRAM = Filled(own=PROGRAM, out=with_table(PROGRAM, TABLE), gaps=(*_FIELDS, _END))


def entry(offset: int, size: int) -> Filled:
    data = SIGNED_PROGRAM.patched(ENTRY, struct.pack("<II", offset, size)).out
    return replace(SIGNED_PROGRAM, out=summed(data))


CABINET = cabinet(b"one", b"two")
SIGNED_CABINET = Filled(
    own=CABINET,
    out=with_signature(CABINET, b"der"),
    gaps=(
        *((at, at + n, at, n) for at, n in ((8, 4), (16, 4), (30, 2))),
        (36, 40, 36, 4 + GROWN),
        (44, 48, 44 + GROWN, 4),
        (len(CABINET), len(CABINET), len(CABINET) + GROWN, 3),
    ),
)


def of_cabinet(own: bytes, signature: bytes = b"der") -> Filled:
    """Return a cabinet that is signed as others are, with no gap but in its header."""
    return Filled(own=own, out=with_signature(own, signature), gaps=((8, 12, 8, 4),))


def sized(own: bytes) -> bytes:
    return own[:8] + struct.pack("<I", len(own)) + own[12:]


BARE = sized(CABINET[:26] + bytes(2) + CABINET[28:36] + b"x")
HEADER_ALONE = sized(CABINET[: 36 + 16])
WRAPPED = bytearray(CABINET)
struct.pack_into("<I", WRAPPED, 36, (1 << 32) - GROWN)


def rpm(gap: tuple[int, int] | None = None) -> Filled:
    package = Rpm()
    own, out = package.file(), package.file([package.digests[SHA1]])
    mine, theirs = (len(one) - len(package.all) for one in (own, out))
    begin, end = gap or (len(LEAD), mine)
    return Filled(own=own, out=out, gaps=((begin, end, len(LEAD), theirs - len(LEAD)),))


FRAME, ARMOR = (
    b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n",
    b"-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n",
)


def text(own: bytes, *parts: tuple[int, bytes]) -> Filled:
    """Return a text with others in front of its bytes."""
    out, gaps, last = b"", [], 0
    for place, data in parts:
        out += own[last:place]
        gaps.append((place, place, len(out), len(data)))
        out, last = out + data, place
    return Filled(own=own, out=out + own[last:], gaps=tuple(gaps))


DATABASE = Filled(
    own=OURS.whole(), out=SIGNED.header(b"0" * 32, b"s" * 40).ljust(512), gaps=((0, 512, 0, 512),)
)


def info(out: Database = SIGNED, ours: Database = OURS, *, after: bytes = b"") -> Filled:
    mine, theirs = ours.info, out.info  # each time with another signature
    begin = len(block(*next(iter(OURS.members.items()))))
    sizes = [len(block(b"", one)) for one in (mine, theirs)]
    gaps = ((begin, begin + sizes[0], begin, sizes[1]),)
    return Filled(own=ours.tar(mine), out=out.tar(theirs) + after, gaps=gaps)


INFO = info()
((_BEGIN, _AFTER, _, _GROWN),) = INFO.gaps
_LONG = SIGNED.but(builder=b"b" * (1 << 20))


def tuf(signatures: bytes, *more: tuple[int, int, int, int], own: bytes = b"[]") -> Filled:
    """Return metadata of TUF in which `signatures` stand for an empty list."""
    head, tail = b'{"signatures":', b',"signed":{}}'
    gap = (len(head), len(head) + len(own), len(head), len(signatures))
    return Filled(own=head + own + tail, out=head + signatures + tail, gaps=(gap, *more))


ONE_SIGNATURE = b'[{"keyid":"aa","sig":"bb"}]'


def but(filled: Filled, *gaps: tuple[int, int, int, int]) -> Filled:
    return replace(filled, gaps=gaps)


def pe_stands(own: BinaryIO, out: BinaryIO, gaps: Sequence[FilledGap]) -> bool:
    checksum = pe_checksum(out)
    return pe_fits(own, out, gaps) and checksum is not None and checksum.is_in(out)


HONEST: dict[str, tuple[Callable[..., bool], Filled]] = {
    "pe": (pe_stands, SIGNED_PROGRAM),
    "pe-summed": (pe_stands, replace(SIGNED_PROGRAM, out=summed(SIGNED_PROGRAM.out))),
    "cab": (cab_fits, SIGNED_CABINET),
    "cab-header": (cab_fits, of_cabinet(CABINET)),
    "rpm": (rpm_fits, rpm()),
    "text": (clearsigned_fits, text(b"a\n", (0, FRAME), (2, ARMOR))),
    "text-dashed": (clearsigned_fits, text(b"-a\n", (0, FRAME + b"- "), (3, ARMOR))),
    "text-dashed-after-one-byte": (
        clearsigned_fits,
        text(b"\n-a\n", (0, FRAME), (1, b"- "), (4, ARMOR)),
    ),
    "text-empty": (clearsigned_fits, text(b"", (0, FRAME + ARMOR))),
    "tuf": (tuf_fits, tuf(ONE_SIGNATURE)),
    "cvd": (cvd_fits, DATABASE),
    "info": (info_fits, INFO),
    "info-of-the-most": (info_fits, info(SIGNED.but(builder=b"b" * ((1 << 20) - 512)))),
}
REFUSED: dict[str, tuple[Callable[..., bool], Filled]] = {
    "pe-that-is-none": (pe_stands, replace(SIGNED_PROGRAM, own=b"MZ" * 99)),
    "pe-field-of-another-length": (
        pe_stands,
        but(SIGNED_PROGRAM, _FIELDS[0], (ENTRY, ENTRY + 8, ENTRY, 9), _END),
    ),
    "pe-without-a-table": (
        pe_stands,
        replace(SIGNED_PROGRAM, out=with_table(PROGRAM, b""), gaps=_FIELDS),
    ),
    "pe-padding-of-data": (
        pe_stands,
        replace(SIGNED_PROGRAM, out=summed(SIGNED_PROGRAM.patched(len(PROGRAM), b"\1").out)),
    ),
    "pe-entry-of-another-place": (pe_stands, entry(len(PADDED) + 8, len(TABLE))),
    "pe-entry-of-another-size": (pe_stands, entry(len(PADDED), len(TABLE) - 1)),
    "pe-checksum": (pe_stands, SIGNED_PROGRAM.patched(CHECKSUM, b"\0")),
    "cab-cut-off": (cab_fits, replace(SIGNED_CABINET, own=CABINET[:20])),
    "cab-without-folders": (cab_fits, of_cabinet(BARE)),
    "cab-of-another-size": (cab_fits, of_cabinet(CABINET + b"x")),
    "cab-of-a-header-alone": (cab_fits, of_cabinet(HEADER_ALONE)),
    "cab-without-a-signature": (cab_fits, of_cabinet(CABINET, b"")),
    "cab-field-of-another-length": (cab_fits, but(SIGNED_CABINET, (8, 12, 8, 5))),
    "cab-offset-of-a-folder": (cab_fits, SIGNED_CABINET.patched(60, b"\1")),
    "cab-flags": (cab_fits, SIGNED_CABINET.patched(30, b"\5")),
    "rpm-that-is-longer": (rpm_fits, replace(rpm(), out=rpm().out.replace(LEAD, LEAD + b"x"))),
    "rpm-gap-elsewhere": (rpm_fits, rpm((len(LEAD), len(LEAD) + 8))),
    "text-framed-at-its-end": (clearsigned_fits, text(b"a\n", (0, FRAME), (2, FRAME + ARMOR))),
    "text-without-a-frame": (clearsigned_fits, text(b"a\n", (0, b""), (2, ARMOR))),
    "text-with-a-dash-alone": (clearsigned_fits, text(b"-a\n", (0, b"- "))),
    "text-with-a-needless-dash": (clearsigned_fits, text(b"a\n", (0, FRAME + b"- "))),
    "text-with-other-than-a-dash": (clearsigned_fits, text(b"-a\n", (0, FRAME + b"+ "))),
    "text-with-words-between": (clearsigned_fits, text(b"\n-a\n", (1, b"x "))),
    "tuf-gap-more": (tuf_fits, tuf(ONE_SIGNATURE, (0, 1, 0, 1))),
    "tuf-gap-elsewhere": (tuf_fits, replace(tuf(b"[]"), gaps=((15, 17, 14, 2),))),
    "tuf-other-than-signatures": (tuf_fits, tuf(b"[{}]")),
    "cvd-gap-behind-the-header": (cvd_fits, but(DATABASE, (0, 512, 0, 512), (600, 604, 600, 4))),
    "cvd-longer-header": (cvd_fits, but(DATABASE, (0, 512, 0, 513))),
    "cvd-of-another-version": (
        cvd_fits,
        replace(DATABASE, out=SIGNED.but(version=b"8").header(b"0", b"s").ljust(512)),
    ),
    "cvd-with-a-field-more": (
        cvd_fits,
        replace(DATABASE, out=SIGNED.but(clock=b"1:2").header(b"0", b"s").ljust(512)),
    ),
    "info-that-is-not-there": (info_fits, replace(INFO, own=block(b"a", b"b"))),
    "info-twice": (info_fits, replace(INFO, own=INFO.own + block(b"b.info", b""))),
    "info-gap-before-it": (info_fits, but(INFO, *INFO.gaps, (8, 12, 8, 4))),
    "info-gap-behind-it": (info_fits, but(INFO, *INFO.gaps, (_AFTER, _AFTER + 1, 9, 1))),
    "info-of-two-made": (info_fits, info(after=block(b"b.info", b""))),
    "info-too-long": (info_fits, info(_LONG)),
    "info-under-another-name": (info_fits, INFO.patched(_BEGIN, b"r")),
    "info-with-another-mode": (info_fits, INFO.patched(_BEGIN + 100, b"7")),
    "info-with-another-time": (info_fits, INFO.patched(_BEGIN + 136, b"7")),
    "info-with-an-owner": (info_fits, INFO.patched(_BEGIN + 265, b"root")),
    "info-of-another-version": (
        info_fits,
        info(SIGNED.but(claims=SIGNED.but(version=b"8").header(b"X", b"X"))),
    ),
    "info-with-another-list": (info_fits, info(SIGNED.but(listed={}))),
    "info-without-a-signature": (info_fits, info(SIGNED.but(strong=None))),
    "info-with-data-behind-it": (info_fits, INFO.patched(_BEGIN + _GROWN - 1, b"x")),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_a_signature_needs_fits(name: str) -> None:
    check, filled = HONEST[name]
    assert filled.fits(check)


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_does_not(name: str) -> None:
    check, filled = REFUSED[name]
    assert not filled.fits(check)


def test_an_offset_of_a_folder_wraps_as_it_does_in_tools() -> None:
    own = bytes(WRAPPED)
    made = bytearray(with_signature(CABINET, b"der"))
    made[60:64] = bytes(4)
    assert Filled(own=own, out=bytes(made), gaps=((8, 12, 8, 4),)).fits(cab_fits)


def test_a_cabinet_of_4_gib_is_none() -> None:
    """Its size would not fit into its header."""
    size = 1 << 32
    grown = len(CABINET) + GROWN
    fields = struct.pack("<IIII8x", 20, 0x100000, grown, size - grown)
    made = with_signature(CABINET, b"")
    with tempfile.TemporaryFile() as out:
        out.write(made[:36] + fields + made[60:])
        out.truncate(size)
        gaps = [FilledGap(begin=8, end=12, at=8, length=4)]
        assert not cab_fits(io.BytesIO(CABINET), out, gaps)


@pytest.mark.parametrize("more", [0, 30], ids=["of 2 tags", "of 32 tags"])
def test_the_checksum_of_a_package_is_the_md5_of_header_and_payload(more: int) -> None:
    package = Rpm()
    data = package.file([*[Entry.number(1, 1)] * more, package.digests[MD5]])
    said = package.digests[MD5].value
    assert rpm_checksum(io.BytesIO(data)) == Checksum(at=data.index(said), value=said)
    stale = data.replace(said, b"0" * 16)
    found = rpm_checksum(io.BytesIO(stale))
    assert found is not None
    assert not found.is_in(io.BytesIO(stale))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (Rpm().file([Rpm().digests[SHA1]]), NO_CHECKSUM),
        (Rpm().file([Entry.number(1, 1)] * 31 + [Rpm().digests[MD5]]), None),
        (LEAD, NO_CHECKSUM),
    ],
    ids=["without the tag", "of 33 tags", "cut off"],
)
def test_a_package_without_md5_needs_none(data: bytes, found: Checksum | None) -> None:
    assert rpm_checksum(io.BytesIO(data)) == found


def test_what_is_no_program_has_no_checksum() -> None:
    assert pe_checksum(io.BytesIO(b"MZ" * 99)) is None
