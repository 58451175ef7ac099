"""Compressed files of which nothing but their own bytes says how they are packed."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator

import pytest

from builders.archives import ArchiveError
from builders.packing import DeflateEncoder, GzipPacking, XzPacking
from builders.packing.compress import MAX_WHOLE, compressed
from pipelines.judge.packing import Deadline, UnknownPackingError, read_gzip, read_xz
from pipelines.judge.packing.compressed_files import read_content
from pipelines.judge.packing.encoders import gives, is_affordable

TEXT = " ".join(map(str, range(900))).encode()
GZIP, XZ = gzip.compress(TEXT, 6, mtime=0), lzma.compress(TEXT)


def of_gzip(file: bytes, content: bytes = TEXT, deadline: Deadline | None = None) -> GzipPacking:
    return read_gzip(io.BytesIO(file), io.BytesIO(content), deadline or Deadline(60))


def of_xz(file: bytes, content: bytes = TEXT, deadline: Deadline | None = None) -> XzPacking:
    return read_xz(io.BytesIO(file), io.BytesIO(content), deadline or Deadline(60))


def packed(packing: GzipPacking | XzPacking, content: bytes = TEXT) -> bytes:
    return b"".join(compressed([content], packing))


class OneLook(Deadline):
    """A time that is up at the second look."""

    def __init__(self) -> None:
        super().__init__(60)
        self._looks = 0

    def check(self) -> None:
        self._looks += 1
        if self._looks > 1:
            raise UnknownPackingError("the time is up")


@pytest.mark.parametrize(("of", "file"), [(of_gzip, GZIP), (of_xz, XZ)])
def test_the_time_is_looked_at_for_each_parameter(
    of: Callable[[bytes, bytes, Deadline], object], file: bytes
) -> None:
    with pytest.raises(UnknownPackingError, match="is up"):
        of(file, TEXT, OneLook())


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (b"\x1f\x8b\x07" + GZIP[3:], "no gzip file"),
        (GZIP[:17], "no gzip file"),
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
        (XzPacking(dictionary=3 << 19), TEXT),
        (XzPacking(preset=0, block_size=1 << 20), bytes(3 << 19)),
        (XzPacking(preset=0, threads=True), bytes(3 << 19)),
    ],
)
def test_xz_files_at_the_edges_of_their_numbers(packing: XzPacking, content: bytes) -> None:
    assert of_xz(packed(packing, content), content) == packing


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
