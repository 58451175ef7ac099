"""Files packed again: another compression, another order, another alignment."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import tarfile
import tempfile
import zipfile
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
)
from builders.packing.repack import repacked

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
    assert packed(aligned, ZipPacking(alignment=alignment)) == aligned


def test_members_of_an_ar_are_compressed_again() -> None:
    tar = tar_of(NAMES)
    members = {"debian-binary": b"2.0\n", "control.tar.gz": gzip.compress(tar, 1)}
    ours = ar_of({**members, "data.tar.xz": lzma.compress(tar, preset=1)})
    data = XzPacking(preset=0, threads=True)
    theirs = packed(ours, ArPacking(members={"data.tar.xz": data}))
    assert theirs == ar_of({**members, "data.tar.xz": packed(tar, data)})


@pytest.mark.parametrize(
    ("file", "packing", "fault"),
    [
        (b"", ZipPacking(), "zip"),
        (b"!<arch>\nnonsense", ArPacking(members={"a": GzipPacking()}), "ar archive"),
        (ar_of({"b": b""}), ArPacking(members={"a": GzipPacking()}), "without the member a"),
        (b"\x1f\x8b\x08\0broken", GzipPacking(), "gzip"),
        (tar_of("ab"), TarPacking(format="tar", order=MemberOrder(first=("c",))), "not there"),
        (zip_of("ab"), ZipPacking(order=MemberOrder(first=("c",))), "not there"),
        (tar_of("a")[:700], TarPacking(format="tar", order=MemberOrder()), "order|early"),
    ],
)
def test_what_is_no_such_file_is_refused(file: bytes, packing: Packing, fault: str) -> None:
    with pytest.raises(ArchiveError, match=fault):
        packed(file, packing)
