"""The rules outside of the jail: what a field has to look like, byte by byte."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import pytest

from builders.recipe.normalizers import NormalizerName
from pipelines.judge.normalizers.field_rules import is_such_a_field
from pipelines.judge.normalizers.find_fields import FileField
from pipelines.judge.signatures.pe_checksum import PeChecksum
from tests.judge.normalizers.made_files import ar, edited, elf, pe, pyc, tar, times, zip_of
from tests.judge.normalizers.mask_tricks import checked
from tests.judge.signatures.signing import CHECKSUM, PE

BEFORE = b"#" * 11
"""So that nothing depends on a record at the begin of a file."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A record, the field in it, and changes of the record that make it none; or keep it one."""

    normalizer: NormalizerName
    field: str
    record: bytes
    at: int
    length: int
    broken: tuple[tuple[int, bytes], ...]
    kept: tuple[tuple[int, bytes], ...] = ()


def stamp(hour: int, minute: int, second: int, month: int = 1, day: int = 1) -> bytes:
    return struct.pack("<HH", hour << 11 | minute << 5 | second // 2, 46 << 9 | month << 5 | day)


ZIP, ELF = zip_of(2, extra=times(1)), elf(bytes(20), segment=4)
CENTRAL, EXTRA = ZIP.index(b"PK\x01\x02"), ZIP.index(b"UT\x05\0")
NOTE = ELF.index(b"GNU\0") - 12
LONG = struct.pack("<HHBIII", 0x5455, 13, 7, 1, 2, 3)
TAR = tar(1_700_000_000)[:512]
COPY = edited(pe(0x11223344), 0x300, b"\x44\x33\x22\x11")
RULES = {
    "ar time": Rule(
        normalizer=NormalizerName.AR_TIMES,
        field="modification-time",
        record=ar(7)[8:68],
        at=16,
        length=12,
        broken=((58, b"x"), (59, b"x"), (16, b"x"), (16, b" " * 12)),
    ),
    "ar owner": Rule(
        normalizer=NormalizerName.AR_OWNERS,
        field="owner",
        record=ar(7)[8:68],
        at=28,
        length=6,
        broken=((58, b"x"), (28, b"x")),
    ),
    "ar group": Rule(
        normalizer=NormalizerName.AR_OWNERS,
        field="group",
        record=ar(7)[8:68],
        at=34,
        length=6,
        broken=((59, b"x"), (34, b"x")),
    ),
    "tar time": Rule(
        normalizer=NormalizerName.TAR_TIMES,
        field="modification-time",
        record=TAR,
        at=136,
        length=12,
        broken=(
            (136, b"0"),
            (148, b"7"),
            (0, checked(edited(TAR, 136, b"x"))),
            (0, checked(edited(TAR, 147, b"9"))),
            (0, checked(edited(TAR, 257, b"other"))),
            (0, edited(TAR, 155, b"x")),
        ),
        kept=((0, checked(edited(TAR, 136, b"0"))),),
    ),
    "tar checksum": Rule(
        normalizer=NormalizerName.TAR_TIMES,
        field="checksum",
        record=TAR,
        at=148,
        length=8,
        broken=((0, b"b"), (148, b"7"), (155, b"x")),
    ),
    "zip time": Rule(
        normalizer=NormalizerName.ZIP_TIMES,
        field="modification-time",
        record=ZIP[:30],
        at=10,
        length=4,
        broken=(
            (0, b"QK"),
            (2, b"\x05"),
            (10, stamp(24, 0, 0)),
            (10, stamp(0, 60, 0)),
            (10, stamp(0, 0, 60)),
            (10, stamp(0, 0, 0, month=0)),
            (10, stamp(0, 0, 0, month=13)),
            (10, stamp(0, 0, 0, day=0)),
        ),
        kept=(
            (10, stamp(23, 59, 58, month=12, day=31)),
            (10, stamp(0, 0, 0)),
            (10, bytes(4)),
        ),
    ),
    "zip time in the directory": Rule(
        normalizer=NormalizerName.ZIP_TIMES,
        field="modification-time",
        record=ZIP[CENTRAL : CENTRAL + 46],
        at=12,
        length=4,
        broken=((0, b"QK"), (2, b"\x02"), (12, stamp(24, 0, 0))),
    ),
    "zip extra time": Rule(
        normalizer=NormalizerName.ZIP_TIMES,
        field="extra-modification-time",
        record=ZIP[EXTRA : EXTRA + 9],
        at=5,
        length=4,
        broken=((0, b"x"), (1, b"x"), (2, b"\x06"), (3, b"\1"), (4, b"\0"), (4, b"\x08")),
        kept=((4, b"\x01"), (4, b"\x07"), (2, b"\x09"), (2, b"\x0d")),
    ),
    "zip extra access time": Rule(
        normalizer=NormalizerName.ZIP_TIMES,
        field="extra-access-time",
        record=LONG,
        at=9,
        length=4,
        broken=((0, b"x"), (2, b"\x05"), (4, b"\0")),
        kept=((2, b"\x09"),),
    ),
    "zip extra creation time": Rule(
        normalizer=NormalizerName.ZIP_TIMES,
        field="extra-creation-time",
        record=LONG,
        at=13,
        length=4,
        broken=((0, b"x"), (2, b"\x09"), (4, b"\x08")),
    ),
    "pyc time": Rule(
        normalizer=NormalizerName.PYC_TIME,
        field="source-time",
        record=pyc(1)[:40],
        at=8,
        length=4,
        broken=((2, b"x"), (3, b"x"), (4, b"\1"), (7, b"\1"), (16, b"x")),
    ),
    "build id": Rule(
        normalizer=NormalizerName.ELF_BUILD_ID,
        field="build-id",
        record=ELF[NOTE : NOTE + 36],
        at=16,
        length=20,
        broken=((0, b"\5"), (4, b"\x10"), (8, b"\1"), (12, b"X"), (15, b"X")),
        kept=((0, struct.pack(">III", 4, 20, 3)),),
    ),
    "PE time stamp": Rule(
        normalizer=NormalizerName.PE_TIME_STAMP,
        field="time-stamp",
        record=pe(7),
        at=PE + 8,
        length=4,
        broken=((0, b"X"), (0x3C, b"\x41"), (PE, b"X"), (PE + 3, b"X"), (PE + 24, b"\x0c")),
        kept=((PE + 24, b"\x0b\x01"),),
    ),
    "PE copy of the time stamp": Rule(
        normalizer=NormalizerName.PE_TIME_STAMP,
        field="time-stamp-copy",
        record=COPY,
        at=0x300,
        length=4,
        broken=((0x300, b"x"), (0x303, b"x"), (PE + 8, b"x"), (PE, b"X")),
    ),
    "PE checksum": Rule(
        normalizer=NormalizerName.PE_TIME_STAMP,
        field="checksum",
        record=pe(7),
        at=CHECKSUM,
        length=4,
        broken=((CHECKSUM, b"x"), (PE + 8, b"x"), (len(pe(7)) - 1, b"x"), (PE, b"X")),
    ),
}


def holds(rule: Rule, record: bytes, *, at: int = 0, longer: int = 0, start: int = 0) -> bool:
    """Say whether a field is one, in a file in which something stands before its record."""
    field = FileField(
        normalizer=rule.normalizer,
        field=rule.field,
        offset=len(BEFORE) + rule.at + at,
        length=rule.length + longer,
        members=(),
        start=len(BEFORE) + start,
        size=len(record),
    )
    return is_such_a_field(io.BytesIO(BEFORE + record), field)


@pytest.mark.parametrize("name", RULES)
def test_a_field_is_what_its_record_says(name: str) -> None:
    rule = RULES[name]
    assert holds(rule, rule.record)
    for offset, data in rule.kept:
        assert holds(rule, edited(rule.record, offset, data)), (offset, data)
    for offset, data in rule.broken:
        assert not holds(rule, edited(rule.record, offset, data)), (offset, data)


@pytest.mark.parametrize("name", RULES)
def test_a_field_of_another_length_or_place_is_none(name: str) -> None:
    rule = RULES[name]
    assert not holds(rule, rule.record, longer=1)
    assert not holds(rule, rule.record, longer=-1)
    assert not holds(rule, rule.record, at=1)
    assert not holds(rule, rule.record, at=-len(BEFORE) - rule.at)
    assert not holds(rule, rule.record[:3])


@pytest.mark.parametrize("name", [n for n, r in RULES.items() if r.normalizer.startswith("p")])
def test_a_field_of_a_file_that_begins_elsewhere_is_none(name: str) -> None:
    assert not holds(RULES[name], RULES[name].record, start=1)


@pytest.mark.parametrize(("size", "taken"), [(n, n in {8, 16, 20, 32}) for n in range(1, 66)])
def test_a_build_id_has_a_size_that_linkers_write(size: int, *, taken: bool) -> None:
    note = struct.pack("<III4s", 4, size, 3, b"GNU\0") + bytes(size)
    field = FileField(
        normalizer=NormalizerName.ELF_BUILD_ID,
        field="build-id",
        offset=16,
        length=size,
        members=(),
        start=0,
        size=len(note),
    )
    assert is_such_a_field(io.BytesIO(note), field) is taken


def test_code_is_no_checksum_though_it_be_that_of_the_file() -> None:
    made, at = pe(7), 0x300
    found = PeChecksum()
    found.add(edited(made, at, bytes(4)))
    forged = edited(made, at, struct.pack("<I", found.value()))
    field = FileField(
        normalizer=NormalizerName.PE_TIME_STAMP,
        field="checksum",
        offset=at,
        length=4,
        members=(),
        start=0,
        size=len(forged),
    )
    assert not is_such_a_field(io.BytesIO(forged), field)
