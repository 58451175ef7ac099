"""Compressed files of which nothing but their own bytes says how they are packed."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from builders.archives import ArchiveError
from builders.packing import DeflateEncoder, GzipPacking, XzPacking
from builders.packing.compress import MAX_WHOLE, compressed
from builders.packing.xz import FOOTER, HEADER, number
from pipelines.judge.packing import (
    Deadline,
    UnknownPackingError,
    compressed_files,
    read_gzip,
    read_xz,
)
from pipelines.judge.packing.compressed_files import read_content, xz_packings
from pipelines.judge.packing.encoders import encoders, gives, is_affordable

TEXT = " ".join(map(str, range(900))).encode()
GZIP, XZ = gzip.compress(TEXT, 6, mtime=0), lzma.compress(TEXT)


def of_gzip(file: bytes, content: bytes = TEXT, deadline: Deadline | None = None) -> GzipPacking:
    return read_gzip(io.BytesIO(file), io.BytesIO(content), deadline or Deadline(60))


def of_xz(file: bytes, content: bytes = TEXT, deadline: Deadline | None = None) -> XzPacking:
    return read_xz(io.BytesIO(file), io.BytesIO(content), deadline or Deadline(60))


def packed(packing: GzipPacking | XzPacking, content: bytes = TEXT) -> bytes:
    return b"".join(compressed([content], packing))


class Looks(Deadline):
    """A time that is up after so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__(60)
        self._left = looks

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise UnknownPackingError("the time is up")


@pytest.mark.parametrize(("of", "file"), [(of_gzip, GZIP), (of_xz, XZ)])
def test_the_time_is_looked_at_for_each_parameter(
    of: Callable[[bytes, bytes, Deadline], object], file: bytes
) -> None:
    with pytest.raises(UnknownPackingError, match="is up"):
        of(file, TEXT, Looks(1))


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (b"\x1f\x8b\x07" + GZIP[3:], "no gzip file"),
        (GZIP[:19], "no gzip file"),
        (GZIP[:3], "no gzip file"),
        (GZIP[:3] + b"\x10" + GZIP[4:10] + b"a remark\0" + GZIP[10:], "the flags 0x10"),
        (GZIP[:3] + b"\x08" + GZIP[4:10] + b"\0" + GZIP[10:], "an odd name"),
        (GZIP[:3] + b"\x08" + GZIP[4:10] + b"a\nb\0" + GZIP[10:], "an odd name"),
        (GZIP[:3] + b"\x08" + GZIP[4:10] + b"n" * 256 + b"\0" + GZIP[10:], "an odd name"),
        (GZIP[:10] + b"\xff" * 20, "a broken deflate stream"),
        (GZIP + b"\0", "bytes after its end"),
    ],
)
def test_a_gzip_file_that_no_parameters_describe(file: bytes, fault: str) -> None:
    with pytest.raises(UnknownPackingError, match=fault):
        of_gzip(file)


@pytest.mark.parametrize(
    "packing", [GzipPacking(name="n" * 255), GzipPacking(name="n"), GzipPacking(os=0)]
)
def test_a_gzip_header_is_read(packing: GzipPacking) -> None:
    assert of_gzip(packed(packing)) == packing


def test_of_encoders_that_give_the_same_one_with_the_byte_xfl_is_named() -> None:
    for level in (9, 1, 6):
        packing = GzipPacking(encoder=DeflateEncoder(level=level))
        assert of_gzip(packed(packing, b""), b"") == packing


def test_much_content_of_few_bytes_is_read() -> None:
    zeros = bytes(3 << 20)
    assert of_gzip(gzip.compress(zeros, 6, mtime=0), zeros).encoder == DeflateEncoder()


def changed(at: int, data: bytes) -> bytes:
    at %= len(XZ)
    return XZ[:at] + data + XZ[at + len(data) :]


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (changed(0, b"7zXZ"), "no xz file"),
        (changed(-2, b"ZY"), "no xz file"),
        (changed(7, b"\x0f"), "odd"),
        (changed(-8, b"\xff\xff\xff\x7f"), "odd"),
        (changed(-8, b"\xff\xff\x03\0"), "odd"),
        (changed(-8, b"\0\0\0\0"), "cut off|no content|one stream"),
        (lzma.compress(b""), "no content"),
        (XZ[:5], "no xz file"),
        (XZ + XZ, "one stream"),
        (changed(-8, struct.pack("<I", len(XZ) // 4 - 1)), "odd"),
        (changed(12, b"\0"), "cut off"),
        (changed(12, b"\0\xc0\xff\xff"), "cut off"),
        (changed(13, b"\1"), "LZMA2 alone"),
        (changed(14, b"\x03"), "LZMA2 alone"),
        (changed(16, b"\x28"), "a dictionary of"),
        (changed(16, b"\xff"), "a dictionary of"),
        (changed(30, b"\xff"), "no preset"),
    ],
)
def test_an_xz_file_that_no_parameters_describe(file: bytes, fault: str) -> None:
    with pytest.raises(UnknownPackingError, match=fault):
        of_xz(file)


def test_an_xz_file_with_literals_of_its_own_has_no_preset() -> None:
    tuned = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 4}]
    with pytest.raises(UnknownPackingError, match="no preset"):
        of_xz(lzma.compress(TEXT, filters=tuned))


@pytest.mark.parametrize(
    ("packing", "content"),
    [
        (XzPacking(), b"x" * 127),
        (XzPacking(preset=0), random.Random(1).randbytes(103)),  # noqa: S311  # a block of 127 bytes
        (XzPacking(threads=True), b"x" * 127),
        (XzPacking(dictionary=3 << 19), TEXT),
        (XzPacking(dictionary=4096), TEXT),
        (XzPacking(preset=0, block_size=1 << 20), bytes(3 << 19)),
        (XzPacking(preset=0, threads=True), bytes(3 << 19)),
    ],
)
def test_xz_files_at_the_edges_of_their_numbers(packing: XzPacking, content: bytes) -> None:
    assert of_xz(packed(packing, content), content) == packing


def test_of_little_content_each_packing_that_gives_the_file_is_found() -> None:
    file = packed(XzPacking(preset=6))
    found = list(xz_packings(io.BytesIO(file), io.BytesIO(TEXT), Deadline(60)))
    assert found[0] == XzPacking(preset=6)
    assert {packed(one) for one in found} == {file}
    assert XzPacking(preset=3, dictionary=8 << 20) not in found


def test_an_xz_file_with_another_index_behind_it_is_no_packing() -> None:
    index = b"\0\1" + number(len(XZ) - 2 * HEADER + HEADER) + number(len(TEXT))
    index += bytes(-len(index) % 4) + bytes(4)
    end = struct.pack("<II", 0, len(index) // 4 - 1) + XZ[6:8] + FOOTER
    with pytest.raises(UnknownPackingError, match="no preset"):
        of_xz(XZ + index + end)


def test_every_encoder_of_zlib_ng_is_tried_and_none_twice() -> None:
    found = [(one.level, one.memory_level) for one in encoders() if one.library == "zlib-ng"]
    assert sorted(found) == [*product(range(10), (8, 9))]
    assert len([*encoders()]) == len({*encoders()})


def test_content_that_cannot_be_read_is_no_packing() -> None:
    def broken() -> Iterator[bytes]:
        yield b"content"
        raise ArchiveError("a broken stream")

    with pytest.raises(UnknownPackingError, match="a broken stream"):
        read_content(broken(), io.BytesIO())


@pytest.mark.parametrize(
    ("library", "level", "most"),
    [
        ("zopfli", 15, 64 << 10),
        ("libdeflate", 10, 4 << 20),
        ("libdeflate", 9, MAX_WHOLE),
    ],
)
def test_slow_encoders_are_tried_on_small_files(library: str, level: int, most: int) -> None:
    encoder = DeflateEncoder.model_validate({"library": library, "level": level})
    assert is_affordable(encoder, most)
    assert not is_affordable(encoder, most + 1)
    assert is_affordable(DeflateEncoder(), 1 << 40)


@pytest.mark.parametrize(("more", "same"), [(b"", True), (b"x", False)])
def test_an_encoder_gives_a_stream_whole(more: bytes, *, same: bool) -> None:
    stream = io.BytesIO(zlib.compress(TEXT)[2:-4] + more)
    assert gives([TEXT], DeflateEncoder(), stream.read) is same


def test_without_its_library_an_encoder_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "ZLIB_RUNTIME_VERSION", "1.3.1.zlib-ng")
    assert not gives([TEXT], DeflateEncoder(), io.BytesIO(zlib.compress(TEXT)[2:-4]).read)


def test_an_encoder_that_costs_too_much_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        compressed_files, "is_affordable", lambda encoder, _: encoder.library != "libdeflate"
    )
    last = GzipPacking(encoder=DeflateEncoder(level=6, memory_level=1))
    assert of_gzip(packed(last)) == last
    with pytest.raises(UnknownPackingError, match="no encoder that is known"):
        of_gzip(packed(GzipPacking(encoder=DeflateEncoder(library="libdeflate"))))


NOISE = bytes(random.Random(3).choices(range(32), k=250_000))  # noqa: S311  # the same each time


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take less content for much: enough for two chunks of LZMA2, the last of which is cut off."""
    monkeypatch.setattr(compressed_files, "_PROBE", 200_000)
    monkeypatch.setattr(compressed_files, "_LAST", 66_000)


def first_of(file: bytes, content: bytes) -> XzPacking:
    return next(xz_packings(io.BytesIO(file), io.BytesIO(content), Looks(1)))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    "packing",
    [
        XzPacking(preset=1),
        XzPacking(preset=1, threads=True, block_size=180_000),
        XzPacking(preset=1, block_size=180_000),
    ],
)
def test_much_content_is_tried_from_its_begin(packing: XzPacking) -> None:
    file = packed(packing, NOISE)
    assert first_of(file, NOISE) == packing
    assert of_xz(file, NOISE) == packing
    late, early = (
        file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :] for at in (len(file) - 5000, 5000)
    )
    assert first_of(late, NOISE) == packing
    with pytest.raises(UnknownPackingError, match="is up"):
        of_xz(late, NOISE, Looks(2))
    with pytest.raises(UnknownPackingError, match="is up"):
        first_of(early, NOISE)


@pytest.mark.usefixtures("large")
def test_a_begin_that_says_nothing_leaves_all_presets() -> None:
    small = XzPacking(preset=1, block_size=20_000)
    assert first_of(packed(small, NOISE), NOISE) == small
    zeros = bytes(201_000)
    assert first_of(packed(XzPacking(preset=3), zeros), zeros) == XzPacking(preset=4)
