"""Listings checked against other tools' view of the same real files, and hostile files refused."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from builders.archives import (
    ArchiveError,
    ArchiveLimitError,
    ArchiveLimits,
    Member,
    UnsupportedArchiveError,
    members,
)
from builders.core.digest import Digest

Maker = Callable[..., bytes]


def listed(content: bytes, limits: ArchiveLimits | None = None) -> dict[str, Member]:
    return {m.path: m for m in members(io.BytesIO(content), limits or ArchiveLimits())}


def test_a_debian_package_is_listed_down_to_its_files(data: Path) -> None:
    package = (data / "netbase_6.5_all.deb").read_bytes()
    found = listed(package)
    assert next(iter(found)) == "debian-binary"
    assert found["debian-binary"].sha256 == Digest.of(b"2.0\n")
    protocols = found["data.tar/./etc/protocols"]
    assert (protocols.kind, protocols.mode, protocols.owner) == ("file", 0o644, "0:0 root:root")
    assert found["data.tar"].inside == "data.tar.xz"
    assert found["data.tar"].container
    assert protocols.inside == "data.tar"
    changelog = found["data.tar/./usr/share/doc/netbase/changelog"]
    assert changelog.inside == "data.tar/./usr/share/doc/netbase/changelog.gz"


def test_the_tar_in_a_debian_package_is_read_as_the_standard_library_reads_it(data: Path) -> None:
    package = (data / "netbase_6.5_all.deb").read_bytes()
    start = package.index(b"data.tar.xz") + 60
    tar = lzma.decompress(package[start:])
    found = listed(tar)
    with tarfile.open(fileobj=io.BytesIO(tar)) as reference:
        infos = reference.getmembers()
        assert len(infos) == 12
        for info in infos:
            member = found[info.name + "/" * info.isdir()]
            assert (member.mode, member.mtime) == (info.mode, info.mtime)
            if info.isfile():
                content = reference.extractfile(info)
                assert content is not None
                assert member.sha256 == Digest.of(content.read())
                assert member.size == info.size


def test_a_wheel_is_read_as_the_standard_library_reads_it(data: Path) -> None:
    path = data / "six-1.17.0-py2.py3-none-any.whl"
    found = listed(path.read_bytes())
    with zipfile.ZipFile(path) as reference:
        assert list(found) == reference.namelist()
        for info in reference.infolist():
            member = found[info.filename]
            assert member.sha256 == Digest.of(reference.read(info))
            assert member.size == info.file_size
            assert member.mode == info.external_attr >> 16 & 0o7777
            assert member.packing == "deflate"
    assert found["six.py"].mtime == 1733333706  # 2024-12-04 17:35:06, read as UTC


def test_every_kind_of_tar_member(data: Path) -> None:
    found = listed((data / "every-kind.pax.tar.bz2").read_bytes())
    deep = "ä/" * 60 + "deep"
    assert {path: member.kind for path, member in found.items()} == {
        deep: "file",
        "link": "symlink",
        "hard": "hardlink",
        "dir/": "directory",
        "null": "device",
        "pipe": "fifo",
        "(unpacked)": "file",
    }
    assert found[deep].sha256 == Digest.of(b"12345")
    assert found[deep].mtime == 1_700_000_000
    assert found["link"].target == "x" * 150
    assert found["hard"].target == "link"


def test_gnu_long_names_and_large_numbers(data: Path) -> None:
    member = listed((data / "long-name.gnu.tar.bz2").read_bytes())["n" * 200]
    assert (member.owner, member.mtime, member.size) == ("5000000:0", -1, 3)


def test_long_names_of_ar(data: Path, make_ar: Maker) -> None:
    name = "a-name-longer-than-sixteen-characters.txt"
    assert list(listed((data / "long-names.ar").read_bytes())) == [name, "plain.txt"]
    bsd = make_ar({"#1/20": b"a-long-name.txt\0\0\0\0\0content"})
    assert listed(bsd)["a-long-name.txt"].sha256 == Digest.of(b"content")


def test_zstd_is_read(data: Path) -> None:
    found = listed((data / "plain.tar.zst").read_bytes())
    assert found["plain.txt"].sha256 == Digest.of(b"plain text, long enough to be a file\n")


@pytest.mark.parametrize(("window_log", "reads"), [(27, True), (28, False)])
def test_the_window_of_zstd_is_limited(window_log: int, reads: bool) -> None:
    # A frame header (RFC 8878) with a window descriptor, and one last block of two raw bytes.
    header = b"\x28\xb5\x2f\xfd" + bytes([0, (window_log - 10) << 3])
    frame = header + (2 << 3 | 1).to_bytes(3, "little") + b"ab"
    if reads:
        assert listed(frame)["(unpacked)"].sha256 == Digest.of(b"ab")
    else:
        with pytest.raises(UnsupportedArchiveError, match="too much memory"):
            listed(frame)


def test_an_unsupported_archive_inside_another_is_a_file_with_a_reason(
    data: Path, make_tar: Maker
) -> None:
    content = bz2.decompress((data / "sparse-member.tar.bz2").read_bytes())
    with pytest.raises(UnsupportedArchiveError, match="sparse"):
        listed(content)
    nested = listed(make_tar({"in.tar": content}))["in.tar"]
    assert nested.missed
    assert nested.sha256 == Digest.of(content)


def test_forms_are_known_by_content_and_nest(make_tar: Maker, make_zip: Maker) -> None:
    wheel = make_zip({"pkg/rule.yar": b"rule a {}", "é.txt": b"x"})
    source = gzip.compress(make_tar({"vendor/no-suffix": wheel, "notes.txt": b"PK"}), mtime=0)
    found = listed(source)
    assert list(found) == [
        "vendor/no-suffix/pkg/rule.yar",
        "vendor/no-suffix/é.txt",
        "vendor/no-suffix",
        "notes.txt",
        "(unpacked)",
    ]
    assert found["vendor/no-suffix"].sha256 == Digest.of(wheel)
    assert not found["notes.txt"].container


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_single_compressed_file_holds_one_file(pack: Callable[[bytes], bytes]) -> None:
    found = listed(pack(b"artefact"))
    assert [(m.path, m.sha256) for m in found.values()] == [("(unpacked)", Digest.of(b"artefact"))]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_several_frames_are_one_content_and_zeros_are_padding(
    pack: Callable[[bytes], bytes],
) -> None:
    content = pack(b"one ") + pack(b"") + pack(b"file") + bytes(100_000)
    assert listed(content)["(unpacked)"].sha256 == Digest.of(b"one file")
    with pytest.raises(ArchiveError, match="bytes after the end"):
        listed(pack(b"one ") + bytes(8) + b"hidden")


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_packings_of_a_zip(make_zip: Maker, packing: int) -> None:
    content = bytes(range(256)) * 3000
    member = listed(make_zip({"a": content, "empty": b""}, packing=packing))["a"]
    assert (member.size, member.sha256) == (len(content), Digest.of(content))


def test_a_zip_link_shows_where_it_points() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link", (2020, 1, 1, 0, 0, 0))
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "target")
        archive.writestr(zipfile.ZipInfo("folder/"), "")
    found = listed(out.getvalue())
    assert (found["link"].kind, found["link"].target) == ("symlink", "target")
    assert found["folder/"].kind == "directory"


def test_a_zip64_archive_is_read(monkeypatch: pytest.MonkeyPatch, make_zip: Maker) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    assert listed(make_zip({"a": b"content"}))["a"].sha256 == Digest.of(b"content")


@pytest.mark.parametrize("content", [b"", b"plain", bytes(2048), b"PK", b"BZhello", b"\x1f\x8b"])
def test_what_is_no_archive_has_no_members(content: bytes) -> None:
    assert listed(content) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("truncated.deb", "truncated archive: ar member; got its end; expected 5436 more bytes"),
        ("bytes-after-the-end.tar.bz2", "bytes after the end of a tar archive"),
        ("eight-gib-extended-header.tar", "extended header; got 8589934591 bytes"),
        ("negative-size.tar", "size; got -1"),
        ("sparse-member.tar.bz2", "sparse members of a tar are not read"),
        ("overlapping-entries.zip", "entries overlap"),
        ("member-larger-than-said.zip", "got 300 bytes, CRC [0-9a-f]{8}; expected 12 bytes"),
        ("two-names-for-one-member.zip", "got b'b.txt'; expected b'a.txt'"),
        ("encrypted.zip", "encrypted"),
    ],
)
def test_a_lying_archive_gives_one_typed_error(data: Path, name: str, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        listed((data / name).read_bytes())


def test_a_broken_archive_inside_another_is_a_file_with_a_reason(data: Path) -> None:
    found = listed((data / "one-byte-flipped.deb").read_bytes())
    broken = found["data.tar.xz"]
    assert broken.unread is not None
    assert broken.unread.startswith("broken xz stream")
    assert not broken.container
    assert not broken.missed
    assert broken.size == 11140
    assert found["control.tar.xz"].container


def test_an_outer_fault_is_never_taken_for_an_inner_one(make_tar: Maker) -> None:
    outer = make_tar({"in.tar": make_tar({"a": bytes(5000)})})
    with pytest.raises(ArchiveError, match="truncated archive: tar member"):
        listed(outer[:3000])


def test_a_fault_of_the_outer_archive_met_inside_the_inner_one_still_counts(
    make_tar: Maker, make_zip: Maker
) -> None:
    content = bytearray(make_zip({"in.tar": make_tar({"a": bytes(1 << 20)})}))
    content[content.rindex(b"PK\1\2") + 16] ^= 1  # the CRC in the directory
    with pytest.raises(ArchiveError, match="broken zip member"):
        listed(bytes(content))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (ArchiveLimits(members=3), "too many members"),
        (ArchiveLimits(unpacked=10_000), "unpacks to too much"),
        (ArchiveLimits(text=100), "names in an archive are too long"),
        (ArchiveLimits(set_aside=100), "zip inside an archive is too large"),
        (ArchiveLimits(seconds=-1), "too long to read"),
    ],
)
def test_each_limit_holds(
    limits: ArchiveLimits, message: str, make_tar: Maker, make_zip: Maker
) -> None:
    nested = make_zip({f"some/long/path/{i}": bytes(4000) for i in range(4)})
    with pytest.raises(ArchiveLimitError, match=message):
        listed(gzip.compress(make_tar({"in.zip": nested})), limits)


def test_too_deep_an_archive_is_left_unread_and_says_so(make_tar: Maker) -> None:
    content = b"the core"
    for depth in range(6):
        content = make_tar({f"{depth}.tar": content})
    missed = [m for m in listed(content).values() if m.missed]
    assert [m.path for m in missed] == ["5.tar/4.tar/3.tar/2.tar"]
    assert "nested too deep; got depth 5; expected at most 4" in str(missed[0].unread)


def test_a_compressed_tar_counts_as_one_archive(make_tar: Maker) -> None:
    content = b"the core"
    for _ in range(4):
        content = gzip.compress(make_tar({"in": content}))
    assert not any(m.missed for m in listed(content).values())
    layers = b"the core"
    for _ in range(5):
        layers = gzip.compress(layers)
    assert any(m.missed for m in listed(layers).values())


def test_time_is_looked_at_while_a_bomb_unpacks(data: Path) -> None:
    ticks = iter(range(10_000))
    with (
        (data / "one-gib-of-zeros.bz2").open("rb") as stream,
        pytest.raises(ArchiveLimitError, match="more than 20 s"),
    ):
        list(members(stream, ArchiveLimits(seconds=20), clock=lambda: float(next(ticks))))
    assert next(ticks) < 30


@pytest.mark.parametrize("limit", [ArchiveLimits(unpacked=64 << 20)])
def test_a_bomb_takes_little_memory(data: Path, limit: ArchiveLimits) -> None:
    tracemalloc.start()
    try:
        with (data / "one-gib-of-zeros.bz2").open("rb") as stream, pytest.raises(ArchiveLimitError):
            list(members(stream, limit))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_zstd_bomb_takes_little_memory() -> None:
    compressor = zstd.ZstdCompressor()
    bomb = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(256)) + compressor.flush()
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveLimitError, match="unpacks to too much"):
            listed(bomb, ArchiveLimits(unpacked=64 << 20))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_directory_larger_than_the_archive_is_refused() -> None:
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, 1 << 30, 0, 0)
    with pytest.raises(ArchiveError, match="end record"):
        listed(end)


def test_odd_bytes_in_names_stay_readable(make_tar: Maker) -> None:
    content = bytearray(make_tar({"abc": b"x"}))
    content[0] = 0xFF
    total = sum(content[:148]) + 256 + sum(content[156:512])
    content[148:155] = b"%06o\0" % total
    assert list(listed(bytes(content))) == ["\\xffbc"]


def test_hashes_are_of_everything_read(make_tar: Maker) -> None:
    big = hashlib.sha256(b"seed").digest() * 40_000
    assert listed(make_tar({"big": big}))["big"].sha256 == Digest.of(big)
