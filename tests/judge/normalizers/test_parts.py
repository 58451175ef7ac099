"""Fields of files at the edges of what is read: where they are, and what is none."""

from __future__ import annotations

import io
import struct
import tempfile

import pytest

from builders.recipe.normalizers import NormalizerName
from pipelines.judge.normalizers import zip_parts as zip_parts_module
from pipelines.judge.normalizers.ledger import MaskFault, MaskLedger, NotMasked
from pipelines.judge.normalizers.mask import mask
from pipelines.judge.normalizers.parts import FilePlace, UnmaskableError, Wanted, read_at
from pipelines.judge.normalizers.program_parts import (
    _build_ids,
    _offset_of,
    elf_parts,
    is_pyc,
)
from pipelines.judge.normalizers.zip_parts import _times
from tests.fakes.jail import OpenJail
from tests.judge.normalizers.made_files import elf, elf32, in_tar, zip_of
from tests.judge.normalizers.trick import declared

ZIP_TIMES = NormalizerName.ZIP_TIMES
PLACE = FilePlace(start=0, size=1 << 20)
ALL = Wanted(range(1 << 16))
PYC = b"\xcb\x0d\r\n\0\0\0\0" + bytes(8) + b"\xe3"


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (PYC, True),
        (PYC[:16], False),
        (PYC[:2] + b"\r\n\1\0\0\0" + PYC[8:], False),
        (PYC[:16] + b"\xe4", False),
    ],
)
def test_what_begins_as_a_pyc(head: bytes, *, found: bool) -> None:
    assert is_pyc(head) is found


def note(kind: int, name: bytes, data: bytes) -> bytes:
    head = struct.pack("<III", len(name), len(data), kind)
    return head + name + bytes(-len(name) % 4) + data + bytes(-len(data) % 4)


OTHER, ODD = note(4, b"GNU\0", b"abi"), note(3, b"Go\0", b"x" * 7)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (note(3, b"GNU\0", b"i" * 20), [(16, 20)]),
        (OTHER + ODD + note(3, b"GNU\0", b"i" * 8), [(len(OTHER + ODD) + 16, 8)]),
        (note(3, b"GNU\0", b""), [(16, 0)]),
        (note(3, b"GNU\0", b"i" * 20)[:-1], []),
        (note(3, b"GNV\0", b"i" * 20), []),
        (note(4, b"GNU\0", b"i" * 20), []),
        (OTHER + bytes(11), []),
    ],
)
def test_a_build_id_is_a_whole_note_of_gnu(data: bytes, found: list[tuple[int, int]]) -> None:
    parts = _build_ids(io.BytesIO(bytes(9) + data), PLACE, 9, len(data), "<")
    assert [(one.offset, one.length) for one in parts] == [(9 + at, n) for at, n in found]


@pytest.mark.parametrize(
    ("address", "size", "offset"),
    [
        (100, 10, 1000),
        (105, 5, 1005),
        (105, 6, None),
        (99, 2, None),
        (400, 1, None),
        (120, 1, None),
    ],
)
def test_an_address_is_within_one_section(address: int, size: int, offset: int | None) -> None:
    begins = ((100, 1000), (120, 2000), (118, 3000))
    sections: list[tuple[int, ...]] = [(0, begin, 10, offset, 0) for begin, offset in begins]
    assert _offset_of(address, size, sections) == offset


def extra(*fields: tuple[int, int, bytes]) -> bytes:
    return b"".join(struct.pack("<HH", kind, size) + data for kind, size, data in fields)


ONE, THREE = (0x5455, 5, bytes(5)), (0x5455, 13, bytes(13))


@pytest.mark.parametrize(
    ("data", "offsets"),
    [
        (extra(ONE), [5]),
        (extra(THREE), [5, 9, 13]),
        (extra((1, 3, b"abc"), ONE), [12]),
        (extra((1, 0, b""), (1, 5, bytes(5))), []),
        (extra((0x5455, 6, bytes(6))), []),
        (extra((0x5455, 9, bytes(8))), []),
        (extra((0x5455, 0, b"")), []),
        (extra(ONE) + b"abc", [5]),
    ],
)
def test_times_of_a_member_are_whole_fields(data: bytes, offsets: list[int]) -> None:
    parts = list(_times(data, 70, PLACE))
    assert [(one.offset, one.length) for one in parts] == [(70 + at, 4) for at in offsets]
    assert len({one.field for one in parts}) == len(parts)


GOOD, SMALL = (made + bytes(999) for made in (elf(b"i" * 20), elf32(b"i" * 16)))


@pytest.mark.parametrize(
    ("data", "at", "new"),
    [
        (GOOD, 4, b"\3"),
        (GOOD, 5, b"\3"),
        (GOOD, 54, b"\x39"),
        (GOOD, 58, b"\x41"),
        (GOOD, 60, b"\0\0"),
        (SMALL, 4, b"\3"),
        (SMALL, 42, b"\0\x21"),
        (SMALL, 46, b"\0\x29"),
    ],
)
def test_an_elf_file_with_other_headers_is_not_read(data: bytes, at: int, new: bytes) -> None:
    assert list(elf_parts(io.BytesIO(data), PLACE, ALL))
    made = data[:at] + new + data[at + len(new) :]
    with pytest.raises(UnmaskableError) as raised:
        list(elf_parts(io.BytesIO(made), PLACE, ALL))
    assert raised.value.refused.fault is MaskFault.UNREADABLE


@pytest.mark.parametrize("offset", [1 << 20, 1 << 62, (1 << 64) - 1])
def test_sections_far_behind_the_end_are_not_read(offset: int) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(GOOD[:40] + struct.pack("<Q", offset) + GOOD[48:])
        with pytest.raises(UnmaskableError, match="the file ends before"):
            list(elf_parts(file, PLACE, ALL))


def test_bytes_that_are_not_there_are_not_read() -> None:
    assert read_at(io.BytesIO(b"abc"), 1, 2) == b"bc"
    with pytest.raises(UnmaskableError, match="ends before 4"):
        read_at(io.BytesIO(b"abc"), 1, 3)


@pytest.mark.parametrize(("most", "fault"), [(0, None), (1, MaskFault.UNREADABLE)])
def test_a_zip_inside_of_an_archive_is_held_in_memory_and_bounded(
    most: int, fault: MaskFault | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = zip_of(2)
    monkeypatch.setattr(zip_parts_module, "_NESTED", len(inner) - most)
    shipped, rebuilt = in_tar(inner), in_tar(zip_of(4))
    found = mask(OpenJail(), io.BytesIO(shipped), io.BytesIO(rebuilt), declared(ZIP_TIMES))
    assert (found.fault if isinstance(found, NotMasked) else None) is fault
    found = mask(OpenJail(), io.BytesIO(inner), io.BytesIO(zip_of(4)), declared(ZIP_TIMES))
    assert isinstance(found, MaskLedger)
