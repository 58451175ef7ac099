"""A shipped file is found among the inputs at any offset, compressed, or written as text."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import itertools
import lzma
import random
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from backports import zstd

from builders.archives import ArchiveLimitError, ArchiveLimits, SoughtFile, embedded_files
from builders.archives.limits import Budget
from builders.core.digest import Digest
from builders.core.enums import Role
from pipelines.judge.copied import CheckedInput, SearchedInput, contents, input_fault, read_contents
from tests.fakes.jail import OpenJail
from tests.judge.encodings import FILLING, HIDDEN, Hide, packed_zip, source, with_headers
from tests.judge.test_copied import Cache, pack_xz

NAME = "x_1.0_all.deb"
NAMES: dict[Hide, str] = {
    gzip.compress: "gzip",
    bz2.compress: "bzip2",
    lzma.compress: "xz",
    zstd.compress: "zstd",
}


@pytest.fixture(scope="module")
def shipped() -> bytes:
    noise = bytes(random.Random(5).choices(range(0, 256, 9), k=902))  # noqa: S311  # always the same
    return b"!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\n" + noise


def sought(content: bytes) -> SoughtFile:
    found = SoughtFile.of(iter([content]), Digest.of(content))
    assert found is not None
    return found


def checked(content: bytes, *, opaque: bool = False) -> CheckedInput:
    return CheckedInput(
        role=Role.SOURCE,
        name="x-1.0.tar.gz",
        digest=Digest.of(content),
        open=lambda: io.BytesIO(content),
        opaque=opaque,
    )


def fault(content: bytes, shipped: bytes, *, opaque: bool = False) -> str | None:
    file = checked(content, opaque=opaque)
    inside = contents(file, OpenJail(), sought=[sought(shipped)])
    return input_fault([(file, inside)], {NAME: Digest.of(shipped)})


def found_in(stream: BinaryIO, *files: bytes, limits: ArchiveLimits | None = None) -> list[str]:
    budget = Budget(limits or ArchiveLimits())
    return [where for _, where in embedded_files(stream, [sought(f) for f in files], budget)]


@pytest.mark.parametrize("how", HIDDEN)
def test_a_hidden_copy_is_found(how: str, shipped: bytes) -> None:
    text = fault(HIDDEN[how](shipped), shipped)
    assert str(text).startswith(f"copied-input: {NAME} is already in the source x-1.0.tar.gz, ")


@pytest.mark.parametrize("how", HIDDEN)
def test_another_file_is_not_accused(how: str, shipped: bytes) -> None:
    other = bytearray(shipped)
    other[-1] ^= 1
    text = fault(HIDDEN[how](bytes(other)), shipped)
    assert text is None or text.startswith("input-not-scanned: ")


class Trickle(io.BytesIO):
    """Gives few bytes at a time, so that everything is cut in every way."""

    sizes: Iterator[int]

    def read(self, size: int | None = -1) -> bytes:
        del size
        return super().read(next(self.sizes))


@pytest.mark.parametrize("how", HIDDEN)
def test_it_does_not_matter_where_reads_end(how: str, shipped: bytes) -> None:
    stream = Trickle(HIDDEN[how](shipped))
    stream.sizes = itertools.cycle((7, 1, 64, 13, 2))
    assert found_in(stream, shipped)


def test_where_it_was_found_is_told(shipped: bytes) -> None:
    text = str(fault(source(b"see: " + base64.b64encode(gzip.compress(shipped))), shipped))
    assert text.endswith(
        ", at byte 0 of what it decodes to as gzip at byte 0 > base64 > gzip at byte 0"
    )


def test_a_file_that_begins_with_zeros_is_recognized_by_what_follows(shipped: bytes) -> None:
    disk = bytes(40_000) + shipped
    assert found_in(io.BytesIO(bytes(1 << 20) + disk + FILLING), disk)
    large = (random.Random(4).randbytes(700_000), bytes(700_000), shipped)  # noqa: S311  # always the same
    found = SoughtFile.of(iter(large), Digest.of(b"".join(large)))
    assert found == sought(b"".join(large))
    assert SoughtFile.of(iter([bytes(5000)]), Digest.of(bytes(5000))) is None
    assert SoughtFile.of(iter([b"tiny, tiny"]), Digest.of(b"tiny, tiny")) is None


@pytest.mark.parametrize("pack", [zlib.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_small_file_is_found_in_what_is_shorter_than_a_mark(pack: Hide) -> None:
    small = b"alert tcp any any -> any any (sid:1;)\n"
    for end in (b"", b"more", bytes(600), FILLING):
        assert found_in(io.BytesIO(FILLING + pack(small) + end), small)
    for broken in (zlib.compress(small)[:-1], lzma.compress(small)[:-1]):
        assert found_in(io.BytesIO(broken + FILLING), small)


def test_what_comes_before_the_break_of_a_stream_is_searched_once(shipped: bytes) -> None:
    noise = random.Random(7).randbytes(3000)  # noqa: S311  # the same bytes in every run
    broken = gzip.compress(noise + shipped)[:-8] + FILLING
    assert found_in(io.BytesIO(broken), shipped) == [
        "at byte 3000 of what it decodes to as gzip at byte 0"
    ]


def test_a_long_stream_that_is_broken_is_not_searched(shipped: bytes) -> None:
    noise = random.Random(8).randbytes(1 << 21)  # noqa: S311  # the same bytes in every run
    broken = b"\n" + gzip.compress(noise, 1)[:-8] + FILLING
    assert "a long gzip stream that is broken" in str(fault(broken, shipped))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_many_frames_are_one_stream(pack: Hide, shipped: bytes) -> None:
    noise = random.Random(9).randbytes(1000)  # noqa: S311  # the same bytes in every run
    stream = io.BytesIO(b"\n" + pack(noise) * 300 + b"\0\0" + pack(shipped) + b"end")
    assert found_in(stream, shipped, limits=ArchiveLimits(unpacked=310_000)) == [
        "at byte 300000 of what it decodes to as gzip at byte 1".replace("gzip", NAMES[pack])
    ]


def test_a_beginning_at_the_end_is_nothing(shipped: bytes) -> None:
    for end in (b"PK\x03\x04\0\0\0\0\x08", b"\x1f\x8b\x08\0", b"]\0\0\0\1" + b"\xff" * 8, b"x\x9c"):
        assert found_in(io.BytesIO(FILLING + end), shipped) == []


def test_several_files_are_found_at_once(shipped: bytes) -> None:
    other = shipped[::-1]
    assert len(found_in(io.BytesIO(source(shipped + other)), shipped, other)) == 2
    file = checked(source(b"\n" + shipped))
    inside = contents(file, OpenJail(), sought=[sought(other), sought(shipped)])
    published = {"other": Digest.of(other), NAME: Digest.of(shipped)}
    assert str(input_fault([(file, inside)], published)).startswith(f"copied-input: {NAME} ")


def test_what_is_encoded_too_often_is_not_searched(shipped: bytes) -> None:
    content = shipped
    for _ in range(4):
        content = gzip.compress(content.hex().encode())
    text = str(fault(b"\n" + content, shipped))
    assert text.startswith("input-not-scanned: ")
    assert "encoded too often" in text


def test_only_what_is_surely_a_stream_is_encoded_too_often(shipped: bytes) -> None:
    code = b"H\x89" + zlib.compress(shipped)[2:60] + FILLING
    for inner, told in ((zlib.compress(shipped), True), (code, False)):
        content = inner
        for _ in range(6):
            content = zlib.compress(b"\n" + content + FILLING)
        assert ("encoded too often" in str(fault(b"\n" + content, shipped))) == told


def test_a_stream_behind_bytes_that_needs_too_much_memory_is_not_searched(shipped: bytes) -> None:
    assert "too much memory" in str(fault(b"\n" + pack_xz(shipped), shipped))


def test_what_only_looks_like_zstd_keeps_nothing_back(shipped: bytes) -> None:
    for code in ("80bc2495000000007407b804000000eb", "3c212d2d000b15213c212d2d266c7437"):
        mark = b"\x28\xb5\x2f\xfd" + bytes.fromhex(code)
        assert fault(b"\n" + mark + FILLING, shipped) is None
    for descriptor in range(256):
        assert fault(b"\n\x28\xb5\x2f\xfd" + bytes([descriptor]) + FILLING[99:], shipped) is None


def test_what_only_looks_like_lzma_keeps_nothing_back(shipped: bytes) -> None:
    header = b"]\0\0\0\x80" + (1 << 34).to_bytes(8, "little") + b"\0"
    for noise in (random.Random(n).randbytes(60) for n in range(50)):  # noqa: S311  # always the same
        assert fault(b"\n" + header + noise + FILLING, shipped) is None
    begun = lzma.compress(FILLING, lzma.FORMAT_ALONE)[:200]
    for rest in (bytes(2 << 20) + FILLING, bytes(40) + FILLING):
        assert fault(begun + rest, shipped) is None


@pytest.mark.parametrize("hide", [source, lambda c: b"#!/bin/sh\n" + c, lambda c: c[:-22]])
@pytest.mark.parametrize("mark", [b"PK\x03\x04", b"PK\x01\x02\x14\x03"])
@pytest.mark.parametrize(
    ("flags", "method", "told"),
    [(b"\1\0", b"\x08\0", "encrypted"), (b"\0\0", b"\x0e\0", "method 14")],
)
def test_a_zip_member_that_is_not_read_is_told_wherever_it_is(
    hide: Hide, mark: bytes, flags: bytes, method: bytes, told: str, shipped: bytes
) -> None:
    content = hide(with_headers(packed_zip(FILLING), mark, flags=flags, method=method))
    text = str(fault(content, shipped))
    assert text.startswith("input-not-scanned: the source x-1.0.tar.gz: a zip member at byte ")
    assert text.endswith(f"; got {told}")


@pytest.mark.parametrize("rest", [b"\0" * 40, b"\x14\0\1\0" + bytes(range(9)) * 9, FILLING])
def test_the_mark_of_a_zip_member_alone_says_nothing(rest: bytes, shipped: bytes) -> None:
    assert fault(b"MAGIC = " + b"PK\x03\x04" + rest, shipped) is None


def test_places_without_end_that_begin_like_it_are_not_searched(shipped: bytes) -> None:
    assert "too many places" in str(fault(shipped[:200] * 300, shipped[:200] * 400))


def test_streams_without_end_are_not_searched(shipped: bytes) -> None:
    start = time.process_time()
    for heads in (b"\x1f\x8b\x08\x08" * 4000, gzip.compress(b"\x1f\x8b\x08\x08" * 4000)):
        assert "too many streams" in str(fault(b"\n" + heads, shipped))
    assert fault((b"\n" + gzip.compress(FILLING)) * 1000, shipped) is None
    assert time.process_time() - start < 4


def test_many_files_may_begin_with_the_same_notice(shipped: bytes) -> None:
    notice = b"/* This is free software, and comes without any warranty. */\n" * 4
    parts = [b"%d %s" % (number, shipped[:-1]) for number in range(300)]
    bundle, files = notice + b"".join(parts), b"".join(notice + part for part in parts)
    assert fault(files, bundle) is None
    assert fault(files + bundle, bundle)


def test_a_release_of_many_files_is_searched_for_at_once(shipped: bytes) -> None:
    files = [bytes([n % 251, n // 251, 7]) + shipped for n in range(2000)]
    alike = [shipped + bytes([n % 251, n // 251]) * 9 for n in range(2000)]
    hidden = files[900] + FILLING + alike[1700] + FILLING + shipped + b"end"
    start = time.process_time()
    assert len(found_in(io.BytesIO(source(hidden)), *files, *alike, shipped)) == 3
    assert time.process_time() - start < 2


def test_much_comes_of_few_bytes(shipped: bytes) -> None:
    assert found_in(io.BytesIO(b"\n" + zlib.compress(bytes(3 << 20) + shipped)), shipped)


def test_what_is_found_before_a_limit_counts(shipped: bytes) -> None:
    file = checked(shipped[:-1] + b"\n" + shipped + gzip.compress(bytes(1 << 20)))
    with file.open() as stream:
        asked = SearchedInput(digest=file.digest, sought=(sought(shipped),))
        inside = read_contents(stream, asked, ArchiveLimits(unpacked=1 << 18))
    assert inside.fault
    assert inside.copies


def test_decoding_is_bounded_in_bytes_and_time(shipped: bytes) -> None:
    bomb = b"\n" + gzip.compress(bytes(1 << 20))
    with pytest.raises(ArchiveLimitError, match="unpacks to too much"):
        found_in(io.BytesIO(bomb), shipped, limits=ArchiveLimits(unpacked=1 << 18))
    with pytest.raises(ArchiveLimitError, match="too long"):
        found_in(io.BytesIO(FILLING), shipped, limits=ArchiveLimits(seconds=-1))


def test_files_are_listed_of_an_input_that_is_searched_too(shipped: bytes) -> None:
    inside = contents(checked(source(shipped)), OpenJail(), sought=[sought(FILLING)])
    assert inside.files[Digest.of(shipped).hex] == "x-1.0/tests/data.txt"
    assert not inside.copies


class Slow(io.BytesIO):
    """Takes four seconds each time that it is read from its begin."""

    now = 0.0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.now += 4 if (offset, whence) == (0, 0) else 0
        return super().seek(offset, whence)


@pytest.mark.parametrize(("seconds", "late"), [(7, True), (9, False)])
def test_searching_and_listing_share_their_time(seconds: float, late: bool, shipped: bytes) -> None:
    stream = Slow(source(b"a file"))
    asked = SearchedInput(digest=Digest.of(b""), sought=(sought(shipped),))
    limits = ArchiveLimits(seconds=seconds)
    inside = read_contents(stream, asked, limits, clock=lambda: stream.now)
    assert ("too long" in str(inside.fault)) is late


def test_an_opaque_input_may_be_unreadable_and_may_not_hold_a_copy(
    data: Path, shipped: bytes
) -> None:
    broken = (data / "encrypted.zip").read_bytes()
    assert str(fault(broken, shipped)).startswith("input-not-scanned: ")
    assert fault(broken, shipped, opaque=True) is None
    assert str(fault(broken + shipped, shipped, opaque=True)).startswith("copied-input: ")


def test_a_row_counts_for_the_files_that_were_sought(shipped: bytes) -> None:
    cache, file = Cache(), checked(source(base64.b64encode(shipped)))
    for wanted in ([sought(FILLING)], [sought(shipped)], [sought(shipped)]):
        inside = contents(file, OpenJail(), sought=wanted, cache=cache)
        assert bool(inside.copies) == (wanted == [sought(shipped)])
    assert len(cache.rows) == 2


@pytest.mark.parametrize("kind", ["text", "noise", "zeros"])
def test_an_input_with_nothing_in_it_costs_little(kind: str, shipped: bytes) -> None:
    size = 4 << 20
    noise = random.Random(6).randbytes(size)  # noqa: S311  # the same bytes in every run
    text = b"a line of text that any source may have, and a name_of_a_function(x)\n" * (size // 66)
    content = {"text": text, "noise": noise, "zeros": bytes(size)}[kind]
    start = time.process_time()
    assert found_in(io.BytesIO(content), shipped) == []
    assert time.process_time() - start < 3
