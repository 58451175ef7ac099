"""Compressed streams by their parameters: the bytes of the encoders that are named."""

from __future__ import annotations

import gzip
import lzma
import random
import zlib

import deflate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from zlib_ng import zlib_ng

from builders.core.digest import Digest
from builders.packing import DeflateEncoder, GzipPacking, XzPacking
from builders.packing import compress as compress_module
from builders.packing.compress import PackingError, compressed, deflated

TEXT = " ".join(map(str, range(4000))).encode()


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)  # noqa: S311


def made(content: bytes, packing: GzipPacking | XzPacking, piece: int = 1000) -> bytes:
    pieces = (content[at : at + piece] for at in range(0, len(content), piece))
    return b"".join(compressed(pieces, packing))


@given(st.binary(max_size=3000), st.integers(0, 9), st.integers(0, 0xFFFFFFFF))
def test_a_gzip_file_is_that_of_pythons_library(content: bytes, level: int, mtime: int) -> None:
    packing = GzipPacking(encoder=DeflateEncoder(level=level), os=255, mtime=mtime)
    ours, theirs = made(content, packing), gzip.compress(content, level, mtime=mtime)
    assert (ours[:8], ours[10:]) == (theirs[:8], theirs[10:])
    assert gzip.decompress(ours) == content


def test_name_and_flags_are_in_the_header() -> None:
    packing = GzipPacking(name="a.tar", xfl=7, os=19, mtime=1)
    assert made(b"", packing)[:16] == b"\x1f\x8b\x08\x08\x01\0\0\0\x07\x13a.tar\0"


@pytest.mark.parametrize(
    ("level", "strategy", "xfl"),
    [(9, "default", 2), (1, "default", 4), (6, "default", 0), (6, "rle", 4)],
)
def test_flags_are_those_of_zlib(level: int, strategy: str, xfl: int) -> None:
    number = {"default": zlib.Z_DEFAULT_STRATEGY, "rle": zlib.Z_RLE}[strategy]
    encoder = DeflateEncoder.model_validate({"level": level, "strategy": strategy})
    assert GzipPacking(encoder=encoder).flags == xfl
    stream = zlib.compressobj(level, zlib.DEFLATED, 31, 8, number)
    assert made(TEXT, GzipPacking(encoder=encoder)) == stream.compress(TEXT) + stream.flush()


@pytest.mark.parametrize("library", ["zlib", "zlib-ng", "libdeflate", "zopfli"])
def test_each_library_gives_a_stream_of_its_own(library: str) -> None:
    encoder = DeflateEncoder.model_validate({"library": library, "level": 9})
    text = TEXT[:3000]
    found = b"".join(deflated([text[:999], text[999:]], encoder))
    assert zlib.decompress(found, -15) == text
    match library:
        case "zlib-ng":
            assert found == zlib_ng.compress(text, 9, -15)
        case "libdeflate":
            assert found == bytes(deflate.deflate_compress(text, 9))


def test_a_content_too_large_for_an_encoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress_module, "MAX_WHOLE", 10)
    encoder = DeflateEncoder(library="libdeflate")
    assert zlib.decompress(b"".join(deflated([bytes(10)], encoder)), -15) == bytes(10)
    with pytest.raises(PackingError, match="too large"):
        list(deflated([bytes(11)], encoder))


def test_another_zlib_is_not_taken_for_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "ZLIB_RUNTIME_VERSION", "1.3.1.zlib-ng")
    with pytest.raises(PackingError, match="no encoder of zlib is here"):
        list(deflated([b""], DeflateEncoder()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": 10},
        {"library": "libdeflate", "level": 13},
        {"library": "zopfli", "level": 0},
        {"library": "zopfli", "strategy": "rle"},
    ],
)
def test_parameters_that_no_encoder_has_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DeflateEncoder.model_validate(wrong)


# The digests are those of the files that xz 5.8.1 makes of these contents: -T2 --block-size=4096
# --check=crc32 -0; -T2 -6; -T1 --block-size=5000 --check=sha256 -1e; -T2 --lzma2=dict=1MiB
# --check=crc32; -T2; -T2 --lzma2=dict=1MiB --check=none.
XZ_CASES = [
    (
        TEXT,
        XzPacking(preset=0, check="crc32", threads=True, block_size=4096),
        "ee45cf95b2692a049a23fdb52f7b91e6b2b9e88d4ddad3a73a89f2dbea7a2912",
    ),
    (
        TEXT,
        XzPacking(threads=True),
        "b054b402f746bfa3b3f5943edd1888d6c845d2dd8d6995344a833650589413b1",
    ),
    (
        TEXT,
        XzPacking(preset=1, extreme=True, check="sha256", block_size=5000),
        "0e845fdba4a253e710589f1ef5d69034ce2cbb75bd34720e0526ea0209c354f9",
    ),
    (
        noise(9000),
        XzPacking(check="crc32", dictionary=1 << 20, threads=True),
        "b99b1b26f2b5914a534630f10dd7400dcc397ec2f4d8f65579fc0b108a653c5c",
    ),
    (
        b"",
        XzPacking(threads=True),
        "0040f94d11d0039505328a90b2ff48968db873e9e7967307631bf40ef5679275",
    ),
    (
        TEXT * 170,
        XzPacking(check="none", dictionary=1 << 20, threads=True),
        "0a30ec87e96720b71707d5b4e28d9f15a4397d7d35326ed8611db7f701f4e8a0",
    ),
]


@pytest.mark.parametrize(("content", "packing", "digest"), XZ_CASES)
def test_blocks_are_those_of_xz(content: bytes, packing: XzPacking, digest: str) -> None:
    assert Digest.of(made(content, packing)).hex == digest


@given(st.binary(max_size=9000), st.booleans(), st.sampled_from(["none", "crc32", "sha256"]))
def test_every_xz_file_unpacks_to_its_content(content: bytes, threads: bool, check: str) -> None:
    packing = XzPacking.model_validate(
        {"preset": 0, "threads": threads, "check": check, "block_size": 4096}
    )
    assert lzma.decompress(made(content, packing, 100)) == content


def test_an_encoder_gets_its_content_in_even_pieces() -> None:
    content = noise(200_000)
    stream = zlib.compressobj(0, zlib.DEFLATED, -15)
    fed = [stream.compress(content[at : at + 65536]) for at in range(0, len(content), 65536)]
    for piece in (1000, 65536, 200_000):
        pieces = (content[at : at + piece] for at in range(0, len(content), piece))
        found = b"".join(deflated(pieces, DeflateEncoder(level=0)))
        assert found == b"".join(fed) + stream.copy().flush()


@pytest.mark.parametrize("size", range(90, 132))
def test_numbers_are_as_short_as_they_can_be(size: int) -> None:
    content = noise(size)
    found = made(content, XzPacking(preset=0, threads=True, check="none"))
    assert lzma.decompress(found) == content


def test_more_than_a_block_is_one_that_is_not_divided() -> None:
    content = bytes(3 << 19)
    assert made(content, XzPacking(preset=0)) == lzma.compress(content, preset=0)


def test_one_block_is_that_of_pythons_library() -> None:
    found = made(TEXT, XzPacking(preset=3, extreme=True, check="crc32"))
    preset = 3 | lzma.PRESET_EXTREME
    assert found == lzma.compress(TEXT, check=lzma.CHECK_CRC32, preset=preset)
