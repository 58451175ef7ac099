"""What makes the pieces of zip archives, by single calls that no plan of ours would make."""

from __future__ import annotations

import io
import struct

import pytest

from pipelines.judge.signatures.zip_pieces import (
    Aligned,
    Directory,
    Dropped,
    End,
    Padding,
    ZipError,
    ZipLimits,
    ZipMaker,
    _local_end,
    aligned_extra,
)
from tests.judge.signatures.zips import Item, Layout, laid_out

ONE, TWO = Item(name="one", content=b"ours"), Item(name="two", content=b"ours too")
LOCAL = ONE.local()
BLOCK_END = b"APK Sig Block 42"
BLOCK = struct.pack("<QQ", 24, 24) + BLOCK_END


def maker(own: bytes = b"", shipped: bytes = b"") -> ZipMaker:
    limits = ZipLimits(taken=".+", dropped=".+", block=True)
    return ZipMaker(own=io.BytesIO(own), shipped=io.BytesIO(shipped), limits=limits)


def kept(layout: Layout) -> ZipMaker:
    """Return what has all entries and the directory of an archive."""
    made, start = maker(layout.made()), len(layout.entries)
    made.keep(0, start, 0)
    made.make(Directory(offset=start, length=len(layout.directory)), start)
    return made


def end_of(layout: Layout) -> End:
    return End(offset=len(layout.entries + layout.directory))


def test_records_may_be_in_another_order_than_entries() -> None:
    layout = laid_out([ONE, TWO], order=-1)
    made = kept(layout)
    made.make(end_of(layout), len(layout.entries + layout.directory))
    made.finish()


def test_a_record_is_taken_for_the_entry_of_its_name() -> None:
    made = maker(shipped=LOCAL + TWO.record(0))
    made.take(0, len(LOCAL))
    with pytest.raises(ZipError, match="not taken"):
        made.take(len(LOCAL), len(TWO.record(0)))


@pytest.mark.parametrize(
    "block", [struct.pack("<Q", 16) + BLOCK_END, struct.pack("<QQ", 25, 25) + BLOCK_END]
)
def test_a_block_has_its_size_at_both_ends(block: bytes) -> None:
    maker(shipped=BLOCK).take(0, len(BLOCK))
    with pytest.raises(ZipError, match="neither a record nor"):
        maker(shipped=block).take(0, len(block))


def test_a_block_follows_the_last_entry() -> None:
    first = laid_out([ONE])
    layout = Layout(entries=first.entries + b"more", directory=first.directory, count=1)
    made = maker(layout.made(), BLOCK)
    made.keep(0, len(first.entries), 0)
    made.take(0, len(BLOCK))
    with pytest.raises(ZipError, match="before a signing block"):
        made.make(Padding(length=4), 0)
    at = len(BLOCK)
    made.make(Directory(offset=len(layout.entries), length=len(layout.directory)), at)
    made.make(end_of(layout), at + len(layout.directory))
    with pytest.raises(ZipError, match="not after our last entry"):
        made.finish()


def test_no_entry_is_dropped_after_the_directory_began() -> None:
    with pytest.raises(ZipError, match="no record"):
        kept(laid_out([ONE])).make(Dropped(offset=0, length=len(LOCAL)), 0)


def test_an_entry_without_a_name_can_be_aligned() -> None:
    own = Item(name="", content=b"x", stored=True).local()
    made = maker(own).make(Aligned(offset=0, length=30, alignment=4, stated=False), 0)
    assert made == own[:28] + b"\2\0" + bytes(2)


def test_a_directory_has_records_alone() -> None:
    record = ONE.record(0)
    made = maker(LOCAL + b"PK\1\3" + record[4:])
    made.keep(0, len(LOCAL), 0)
    with pytest.raises(ZipError, match="something else"):
        made.make(Directory(offset=len(LOCAL), length=len(record)), 0)


@pytest.mark.parametrize(
    ("local", "at", "moved"),
    [
        (9, 0xFFFFFFFF - 10, 0xFFFFFFFE),
        (10, 0xFFFFFFFF - 10, None),
        (30, 0, 30),
        (31, 0, None),
    ],
)
def test_an_entry_moves_with_its_bytes(local: int, at: int, moved: int | None) -> None:
    made = maker()
    made.keep(0, 60, at)
    if moved is not None:
        assert made._moved(local) == moved
        return
    with pytest.raises(ZipError, match="is not there"):
        made._moved(local)


def test_an_archive_ends_once_and_has_as_many_records_as_its_end_can_say() -> None:
    layout = laid_out([ONE])
    for records, fits in ((0xFFFE, True), (0xFFFF, False)):
        made = kept(layout)
        made._records = records
        if fits:
            made.make(end_of(layout), 200)
        with pytest.raises(ZipError, match="does not end where"):
            made.make(end_of(layout), 200)


def test_an_extra_field_has_the_most_bytes_that_its_length_can_say() -> None:
    extra = b"\1\0\xfb\xff" + bytes(0xFFFB)
    assert aligned_extra(extra, 1, 4, stated=False) == extra
    with pytest.raises(ZipError, match="no place"):
        aligned_extra(extra, 0, 4, stated=False)


@pytest.mark.parametrize("own", [LOCAL[:29], b"PK\3\5" + LOCAL[4:], b""])
def test_a_record_needs_its_entry(own: bytes) -> None:
    with pytest.raises(ZipError, match="is not there"):
        _local_end(io.BytesIO(own), ONE.record(0))


@pytest.mark.parametrize(
    ("item", "more"),
    [
        (Item(name="a", content=b"x"), 0),
        (Item(name="a", content=b"x", extra=b"\1\0\0\0"), 0),
        (Item(name="a", content=b"x", flags=2), 0),
        (Item(name="a", content=b"x", descriptor=True), 0),
        (Item(name="a", content=b"x", flags=8), 12),
    ],
)
def test_an_entry_ends_behind_its_descriptor(item: Item, more: int) -> None:
    local = item.local()
    assert _local_end(io.BytesIO(local + bytes(20)), item.record(0)) == len(local) + more
