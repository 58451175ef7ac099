"""Files packed again: another compression, another order, another alignment."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from typing import IO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.archives import ArchiveError
from builders.packing import (
    ArPacking,
    DeflateEncoder,
    GzipPacking,
    MemberOrder,
    Packing,
    TarPacking,
    XzPacking,
    ZipAlignment,
    ZipPacking,
    tar_order,
    zip_layout,
)
from builders.packing.compress import PackingError
from builders.packing.repack import REPACK, Repacking, repacked
from builders.packing.tar_order import piece, reordered_tar
from tests.fakes.jail import OpenJail

WORDS = [f"{n * n}-{n % 7}" for n in range(400)]
NAMES = ("b", "a/long", "c")


def packed(file: bytes, packing: Packing) -> bytes:
    return b"".join(repacked(io.BytesIO(file), packing, tempfile.TemporaryFile))


def tar_of(names: Iterable[str], kind: int = tarfile.GNU_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name) * 300
            archive.addfile(info, io.BytesIO(name.encode() * 300))
    return file.getvalue()


def zip_of(names: Iterable[str], level: int = 6, *, streamed: bool = False) -> bytes:
    file = io.BytesIO()
    target = cast("IO[bytes]", _NotSeekable(file)) if streamed else file
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name in names:
            stored = name.startswith("stored")
            info = zipfile.ZipInfo(name, (1985, 10, 26, 8, 15, 0))
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            words = random.Random(name).choices(WORDS, k=900)  # noqa: S311
            archive.writestr(info, " ".join(words), compresslevel=level)
    return file.getvalue()


class _NotSeekable:
    def __init__(self, file: io.BytesIO) -> None:
        self.write, self.flush = file.write, file.flush

    def seekable(self) -> bool:
        return False


RAW = zlib.compress(b"content")[2:-4]
"""A deflate stream."""


def said_to_be_deflated(packed: bytes) -> bytes:
    """Return a zip of a member that has these bytes in place of a deflate stream."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", packed)
    made = bytearray(file.getvalue())
    made[8] = made[made.index(b"PK\1\2") + 10] = 8
    return bytes(made)


def zip64(plain: bytes) -> bytes:
    """Return a zip with the end record of zip64 in front of its own."""
    at = plain.index(b"PK\5\6")
    count, size, start = struct.unpack_from("<HII", plain, at + 10)
    end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    return plain[:at] + end + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1) + plain[at:]


def with_byte(made: bytes, at: int, value: int) -> bytes:
    return made[:at] + bytes([value]) + made[at + 1 :]


def with_other_sizes() -> bytes:
    """Return a zip whose member is followed by a size that it has not."""
    made = zip_of("a", streamed=True)
    return with_byte(made, made.index(b"PK\7\x08") + 8, 0xFF)


def tar_of_holes() -> bytes:
    """Return a tar with a sparse file whose list of holes is none."""
    file = io.BytesIO()
    names = ("major", "minor", "name", "realsize")
    sparse = dict(zip((f"GNU.sparse.{name}" for name in names), "10a9", strict=True))
    with tarfile.open(
        fileobj=file, mode="w", format=tarfile.PAX_FORMAT, pax_headers=sparse
    ) as archive:
        info = tarfile.TarInfo("a")
        info.size = 512
        archive.addfile(info, io.BytesIO(b"no number\n" * 52))
    return file.getvalue()


def gap_behind(plain: bytes, gap: bytes) -> bytes:
    """Return a zip of one member with bytes between it and the directory."""
    at, end = plain.index(b"PK\1\2"), plain.index(b"PK\5\6")
    moved = plain[:at] + gap + plain[at:end]
    return moved + plain[end : end + 16] + struct.pack("<IH", at + len(gap), 0)


def ar_of(members: dict[str, bytes]) -> bytes:
    found = b"!<arch>\n"
    for name, data in members.items():
        found += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        found += data + b"\n" * (len(data) % 2)
    return found


@pytest.mark.parametrize("before", [gzip.compress, lzma.compress, bytes])
def test_a_stream_is_unpacked_and_packed_as_declared(before: type[bytes]) -> None:
    tar = tar_of(NAMES)
    packing = GzipPacking(encoder=DeflateEncoder(level=9), os=3)
    assert packed(before(tar), packing) == packed(tar, packing)
    assert gzip.decompress(packed(tar, packing)) == tar


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_members_of_a_tar_are_put_in_order_with_their_headers(kind: int) -> None:
    names = ("b", "a/" + "long" * 60, "c")
    order = MemberOrder(first=("c",), rest="sorted")
    ours = packed(tar_of(names, kind), TarPacking(format="tar", order=order))
    assert ours == tar_of(("c", names[1], "b"), kind)
    inside = GzipPacking(content=TarPacking(format="tar", order=order))
    assert gzip.decompress(packed(gzip.compress(tar_of(names, kind)), inside)) == ours


@settings(max_examples=20)
@given(st.permutations(["b", "a/long", "c", "stored.so", "stored"]), st.booleans())
def test_a_zip_is_as_one_written_in_that_order(names: list[str], streamed: bool) -> None:
    theirs = zip_of(names, 9, streamed=streamed)
    order = MemberOrder(first=tuple(names))
    packing = ZipPacking(encoder=DeflateEncoder(level=9), order=order)
    assert packed(zip_of(sorted(names), 1, streamed=streamed), packing) == theirs


def test_a_reversed_order_and_no_encoder_keep_what_is_packed() -> None:
    packing = ZipPacking(order=MemberOrder(rest="reversed"))
    assert packed(zip_of("abc"), packing) == zip_of("cba")


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (MemberOrder(rest="walked"), ["b", "d", "a/c", "a/b/x", "c/x"]),
        (MemberOrder(rest="walked", last=("a",)), ["b", "d", "c/x", "a/c", "a/b/x"]),
        (MemberOrder(last=("a", "a/b")), ["b", "c/x", "d", "a/c", "a/b/x"]),
        (MemberOrder(rest="reversed", first=("b",)), ["b", "d", "c/x", "a/c", "a/b/x"]),
        (MemberOrder(rest="reversed", last=("a/c", "c/")), ["d", "b", "a/b/x", "a/c", "c/x"]),
    ],
)
def test_orders_have_rules(order: MemberOrder, names: list[str]) -> None:
    packing = TarPacking(format="tar", order=order)
    assert packed(tar_of(["a/b/x", "a/c", "b", "c/x", "d"]), packing) == tar_of(names)


@pytest.mark.parametrize("padding", ["zeros", "d935"])
def test_stored_members_are_aligned_and_others_are_not(padding: str) -> None:
    alignment = ZipAlignment.model_validate({"bytes": 4, "libraries": 4096, "padding": padding})
    plain = zip_of(["odd", "stored1", "stored.so", "x"])
    aligned = packed(plain, ZipPacking(alignment=alignment))
    with zipfile.ZipFile(io.BytesIO(aligned)) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            at = info.header_offset
            lengths = aligned[at + 26 : at + 30]
            data = at + 30 + sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2))
            size = 4096 if info.filename.endswith(".so") else 4
            stored = info.compress_type == zipfile.ZIP_STORED
            assert not stored or data % size == 0
            assert int.from_bytes(lengths[2:], "little") < size + 6
    assert packed(aligned, ZipPacking(alignment=alignment)) == aligned


def test_members_of_an_ar_are_compressed_again() -> None:
    tar = tar_of(NAMES)
    members = {"debian-binary": b"2.0", "control.tar.gz": gzip.compress(tar, 1)}
    ours = ar_of({**members, "data.tar.xz": lzma.compress(tar, preset=1)})
    data = XzPacking(preset=0, threads=True)
    theirs = packed(ours, ArPacking(members={"data.tar.xz": data}))
    assert theirs == ar_of({**members, "data.tar.xz": packed(tar, data)})


@pytest.mark.parametrize(
    ("file", "packing", "fault"),
    [
        (b"", ZipPacking(), "zip"),
        (ar_of({"a": b""}).upper(), ArPacking(members={"a": GzipPacking()}), "no ar archive"),
        (ar_of({"a": b""})[:-2] + b"x\n", ArPacking(members={"a": GzipPacking()}), "broken ar"),
        (ar_of({"a": b""})[:-4] + b"x `\n", ArPacking(members={"a": GzipPacking()}), "broken ar"),
        (ar_of({"a": b""})[:-9], ArPacking(members={"a": GzipPacking()}), "broken ar"),
        (b"!<arch>\nnonsense", ArPacking(members={"a": GzipPacking()}), "ar archive"),
        (ar_of({"b": b""}), ArPacking(members={"a": GzipPacking()}), "without the member a"),
        (b"\x1f\x8b\x08\0broken", GzipPacking(), "gzip"),
        (tar_of("ab"), TarPacking(format="tar", order=MemberOrder(first=("c",))), "not there"),
        (zip_of("ab"), ZipPacking(order=MemberOrder(first=("c",))), "not there"),
        (said_to_be_deflated(b"\xff"), ZipPacking(encoder=DeflateEncoder()), "broken zip member"),
        (said_to_be_deflated(RAW[:-1]), ZipPacking(encoder=DeflateEncoder()), "another end"),
        (said_to_be_deflated(RAW + b"x"), ZipPacking(encoder=DeflateEncoder()), "another end"),
        (zip64(zip_of("ab")), ZipPacking(), "zip64"),
        (with_byte(zip_of("ab"), 28, 9), ZipPacking(), "broken local header"),
        (with_other_sizes(), ZipPacking(), "without its sizes"),
        (tar_of_holes(), TarPacking(format="tar", order=MemberOrder()), "cannot be put in order"),
        (tar_of("a")[:700], TarPacking(format="tar", order=MemberOrder()), "order|early"),
    ],
)
def test_what_is_no_such_file_is_refused(file: bytes, packing: Packing, fault: str) -> None:
    with pytest.raises(ArchiveError, match=fault):
        packed(file, packing)


KEPT, PADDING = struct.pack("<HH4s", 0x9999, 4, b"data"), struct.pack("<HHHxx", 0xD935, 4, 4)


@pytest.mark.parametrize(
    ("extra", "kept"),
    [
        (PADDING + KEPT, KEPT),
        (KEPT + PADDING, KEPT),
        (struct.pack("<HH", 0x9999, 0), struct.pack("<HH", 0x9999, 0)),
        (KEPT + bytes(3), KEPT),
        (KEPT + bytes(8), KEPT),
        (KEPT + struct.pack("<HHB", 0x8888, 2, 0), KEPT),
    ],
)
def test_alignment_is_taken_from_extra_fields_and_others_stay(extra: bytes, kept: bytes) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a"), b"content", zipfile.ZIP_DEFLATED)
    plain = file.getvalue()
    begin, at, end = 31, plain.index(b"PK\1\2"), plain.index(b"PK\5\6")

    def with_extra(field: bytes) -> bytes:
        head = plain[:28] + struct.pack("<H", len(field)) + plain[30:begin] + field
        moved = head + plain[begin:end] + plain[end : end + 16]
        return moved + struct.pack("<IH", at + len(field), 0)

    packing = ZipPacking(alignment=ZipAlignment())
    assert packed(with_extra(extra), packing) == with_extra(kept)


def test_bytes_between_members_are_carried_along_and_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zip_layout, "MAX_REST", 100)
    most = gap_behind(zip_of("a"), b"x" * 100)
    assert packed(most, ZipPacking()) == most
    with pytest.raises(ArchiveError, match="bytes between the members"):
        packed(gap_behind(zip_of("a"), b"x" * 101), ZipPacking())


def test_sizes_behind_a_member_need_no_mark() -> None:
    def unmarked(plain: bytes) -> bytes:
        at, end = plain.index(b"PK\7\x08"), plain.index(b"PK\5\6")
        moved = plain[:at] + plain[at + 4 : end] + plain[end : end + 16]
        return moved + struct.pack("<IH", plain.index(b"PK\1\2") - 4, 0)

    ours, theirs = (unmarked(zip_of("a", level, streamed=True)) for level in (1, 9))
    assert packed(ours, ZipPacking(encoder=DeflateEncoder(level=9))) == theirs


def test_a_tar_without_members_stays_as_it_is() -> None:
    assert packed(tar_of(""), TarPacking(format="tar", order=MemberOrder())) == tar_of("")


def test_a_header_for_all_members_of_a_tar_stays_in_front() -> None:
    def made(names: str) -> bytes:
        file = io.BytesIO()
        shared = {"comment": "a commit"}
        with tarfile.open(
            fileobj=file, mode="w", format=tarfile.PAX_FORMAT, pax_headers=shared
        ) as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(name))
        return file.getvalue()

    order = TarPacking(format="tar", order=MemberOrder(rest="reversed"))
    assert packed(made("abc"), order) == made("cba")


def test_the_members_of_a_tar_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_order, "MAX_MEMBERS", 2)
    order = TarPacking(format="tar", order=MemberOrder())
    assert packed(tar_of("ab"), order) == tar_of("ab")
    with pytest.raises(ArchiveError, match="too many members"):
        packed(tar_of("abc"), order)


def directory_reversed(plain: bytes) -> bytes:
    first, second = plain.index(b"PK\1\2"), plain.rindex(b"PK\1\2")
    end = plain.index(b"PK\5\6")
    return plain[:first] + plain[second:end] + plain[first:second] + plain[end:]


def with_remarks() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in "ab":
            info = zipfile.ZipInfo(name)
            info.extra, info.comment = KEPT, b"a remark"
            archive.writestr(info, b"content")
    return file.getvalue()


def behind_a_script() -> bytes:
    file = io.BytesIO(b"#!/bin/sh\n")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("a", b"content")
    return file.getvalue()


@pytest.mark.parametrize(
    "file",
    [
        directory_reversed(zip_of("ab")),
        with_remarks(),
        with_byte(zip_of("a"), 6, 2),
        behind_a_script(),
    ],
    ids=[
        "directory in another order",
        "extra fields and comments",
        "a flag of the encoder",
        "behind a script",
    ],
)
def test_what_is_not_packed_again_stays_as_it_is(file: bytes) -> None:
    assert packed(file, ZipPacking()) == file


def test_a_file_that_is_packed_again_has_a_bound() -> None:
    packing, content = GzipPacking(), b"content"
    size = len(packed(content, packing))
    for most, fits in ((size, True), (size - 1, False)):
        with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as out:
            file.write(content)
            asked = Repacking(packing=packing, most=most)
            if fits:
                assert OpenJail().run(REPACK, [file], asked, outputs=[out]) == size
                assert os.fstat(out.fileno()).st_size == size, "it is written when that is said"
            else:
                with pytest.raises(PackingError, match="too large when it is packed"):
                    OpenJail().run(REPACK, [file], asked, outputs=[out])


def test_what_stays_in_an_extra_field_counts_for_the_alignment() -> None:
    made = packed(with_remarks(), ZipPacking(alignment=ZipAlignment(bytes=512)))
    assert made[31 : 31 + len(KEPT)] == KEPT
    assert (31 + int.from_bytes(made[28:30], "little")) % 512 == 0


@pytest.mark.parametrize("size", [1 << 62, 1 << 80])
def test_a_tar_of_a_size_that_no_file_has_is_refused(size: int) -> None:
    block = tar_of("a")[:512]
    block = block[:124] + b"\x80" + size.to_bytes(11) + block[136:148] + b" " * 8 + block[156:]
    block = block[:148] + b"%06o\0 " % sum(block) + block[156:]
    with tempfile.TemporaryFile() as file:
        file.write(block + bytes(1024))
        with pytest.raises(ArchiveError, match="cannot be put in order"):
            list(reordered_tar(file, MemberOrder()))


def test_a_piece_of_a_file_is_whole() -> None:
    file = io.BytesIO(b"abcdef")
    assert b"".join(piece(file, 1, 6)) == b"bcdef"
    with pytest.raises(ArchiveError, match="ends early"):
        list(piece(file, 1, 7))
