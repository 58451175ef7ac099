"""Zip archives that are read record by record, each with one thing that no other reader may see."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import pytest

from builders.core.digest import CHUNK
from pipelines.judge.signatures.raw_zip import END, RawZip, entry_chunks, entry_content, read_zip
from pipelines.judge.signatures.signature_format import BadSignatureError
from tests.judge.signatures.zips import Item, archive, laid_out

ONE = Item(name="one", content=b"ours " * 40)
STORED = Item(name="one", content=b"ours", stored=True)
LAYOUT = laid_out([ONE])
GOOD = LAYOUT.made()
DIRECTORY = len(LAYOUT.entries)


def read(data: bytes) -> RawZip:
    return read_zip(io.BytesIO(data), "shipped")


def content(item: Item, most: int = 1 << 20) -> bytes:
    data = archive([item])
    return entry_content(io.BytesIO(data), read(data).entries[0], most)


def patched(at: int, new: bytes, data: bytes = GOOD) -> bytes:
    at %= len(data)
    return data[:at] + new + data[at + len(new) :]


def record(at: int, new: bytes) -> bytes:
    return patched(DIRECTORY + at, new)


def filled(filler: bytes) -> bytes:
    """Return an archive of two entries with a filler between them."""
    return laid_out([ONE, replace(ONE, name="two")], between=filler).made()


def filler(length: int, **fields: bytes) -> bytes:
    head = bytearray(b"PK\3\4" + bytes(24) + struct.pack("<H", length))
    for at, new in ((int(name[1:]), new) for name, new in fields.items()):
        head[at : at + len(new)] = new
    return bytes(head) + bytes(length)


COMMENTED = LAYOUT.entries + record(32, b"\3\0")[DIRECTORY:-22] + b"why"
COMMENTED += replace(LAYOUT, directory=LAYOUT.directory + b"why").end(DIRECTORY)
EXTRA = LAYOUT.entries + record(30, b"\4\0")[DIRECTORY:-22] + b"\1\0\0\0"
EXTRA += replace(LAYOUT, directory=LAYOUT.directory + b"\1\0\0\0").end(DIRECTORY)


@pytest.mark.parametrize(
    "data",
    [
        GOOD,
        COMMENTED,
        EXTRA,
        archive([]),
        archive([replace(ONE, flags=2)]),
        archive([replace(ONE, descriptor=True)]),
        filled(filler(0)),
        filled(filler(9)),
        filled(filler(0xFFFF)),
        archive([replace(ONE, name=f"{number}") for number in range(2)]),
    ],
)
def test_an_archive_that_is_read(data: bytes) -> None:
    assert read(data).end == len(data) - 22


def test_a_descriptor_may_have_no_mark() -> None:
    marked = archive([replace(ONE, descriptor=True)])
    sizes = marked.index(b"PK\7\x08")
    plain = marked[:sizes] + marked[sizes + 4 :]
    plain = patched(
        -6, struct.pack("<I", struct.unpack_from("<I", plain, len(plain) - 6)[0] - 4), plain
    )
    assert read(plain).local_end == read(marked).local_end - 4


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "plain end record"),
        (END + bytes(17), "plain end record"),
        (patched(-22, b"PK\5\7"), "plain end record"),
        (patched(-2, b"\1\0"), "plain end record"),
        (patched(-10, b"\xff\xff\xff\xff"), "zip64 archive"),
        (patched(-6, b"\xff\xff\xff\xff"), "zip64 archive"),
        (patched(-6, b"\xfe\xff\xff\xff"), "a directory of"),
        (patched(-16, b"\1\0"), "a part of"),
        (patched(-18, b"\1\0"), "a part of"),
        (patched(-14, b"\2\0"), "a part of"),
        (record(0, b"PK\1\3"), "something else in it"),
        (record(32, b"\1\0"), "ends after the directory"),
        (record(34, b"\1\0"), "ends after the directory"),
        (record(46, b"o\0e"), "no name"),
        (archive([replace(ONE, name="", said="one")]), "no name"),
        (patched(0, b"PK\3\5"), "no local header"),
        (record(42, struct.pack("<I", len(GOOD) - 9)), "no local header"),
        (patched(6, b"\2\0"), "that of 'one'"),
        (patched(8, b"\0\0"), "that of 'one'"),
        (archive([replace(ONE, flags=8)]), "data descriptor"),
        (archive([replace(STORED, size=3)]), "ends after its place"),
        (archive([replace(ONE, packed=b"x" * 9, flags=8)]), "data descriptor"),
        (patched(18, b"\xff", record(20, b"\xff")), "ends after its place"),
        (filled(filler(0)[:-1]), "before 'two'"),
        (filled(filler(9, _0=b"PK\3\5")), "before 'two'"),
        (filled(filler(9, _18=b"\1")), "before 'two'"),
        (filled(filler(9)[:-1] + b"x"), "before 'two'"),
        (filled(filler(0xFFFF) + b"\0"), "before 'two'"),
    ],
)
def test_an_archive_that_is_not_read_is_named(data: bytes, why: str) -> None:
    with pytest.raises(BadSignatureError, match=why):
        read(data)


@pytest.mark.parametrize(("length", "fault"), [(0xFFFF, "zip-comment"), (1 << 16, "unreadable")])
def test_a_comment_has_the_most_bytes_that_its_length_can_say(length: int, fault: str) -> None:
    with pytest.raises(BadSignatureError) as refused:
        read(GOOD + bytes(length))
    assert refused.value.refused.fault.endswith(fault)


@pytest.mark.parametrize(
    ("size", "why"),
    [(32 << 20, "something else in it"), ((32 << 20) + 1, "of 33554433 bytes at 0")],
)
def test_a_directory_is_read_up_to_32_mebibytes(size: int, why: str) -> None:
    end = struct.pack("<4sHHHHIIH", END, 0, 0, 1, 1, size, 0, 0)
    with pytest.raises(BadSignatureError, match=why):
        read(bytes(size) + end)


def test_a_directory_that_is_cut_off_has_something_else_in_it() -> None:
    directory = LAYOUT.directory + b"PK\1\2"
    made = LAYOUT.entries + directory + replace(LAYOUT, directory=directory).end(DIRECTORY)
    with pytest.raises(BadSignatureError, match="something else in it"):
        read(made)


def test_a_content_has_its_size_and_no_more_than_is_wanted() -> None:
    assert content(ONE, 200) == ONE.content
    assert content(STORED) == STORED.content
    large = replace(STORED, content=bytes(3 << 20))
    assert content(large, 3 << 20) == large.content
    packed = replace(large, stored=False)
    assert content(packed, 3 << 20) == large.content
    held_back = replace(packed, content=bytes(CHUNK + 100))  # by zlib, once all input is read
    assert content(held_back, 2 << 20) == held_back.content
    with pytest.raises(BadSignatureError, match="has 200 bytes, at most 199"):
        content(ONE, 199)


DEFLATED = ONE.data()


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (replace(ONE, crc=1), "another size or checksum"),
        (replace(ONE, size=201), "another size or checksum"),
        (replace(ONE, size=199, crc=zlib.crc32(ONE.content[:199])), "another size or checksum"),
        (replace(ONE, packed=b"\xff" * 9), "no deflate stream"),
        (replace(ONE, packed=DEFLATED + b"x"), "does not end where"),
        (replace(ONE, packed=DEFLATED[:-1]), "does not end where"),
    ],
)
def test_a_content_that_is_other_than_its_record_says_is_named(item: Item, why: str) -> None:
    with pytest.raises(BadSignatureError, match=why):
        content(item)


def test_a_content_that_grows_is_not_given_out() -> None:
    data = archive([Item(name="one", content=bytes(5 << 20), size=1)])
    pieces: list[bytes] = []
    with pytest.raises(BadSignatureError, match="another size or checksum"):
        pieces.extend(entry_chunks(io.BytesIO(data), read(data).entries[0]))
    assert pieces == []
