"""Files that are made to take the memory or the time of whoever reads them, as small as they get.

Each function returns one; a larger `scale` makes it worse.
"""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from itertools import chain

BLOCK = 512
_DATE = (2024, 2, 29, 12, 30, 58)


def _header(name: bytes, size: int, flag: bytes, target: bytes = b"") -> bytes:
    """Return one ustar header."""
    block = bytearray(BLOCK)
    block[:100] = name[:100].ljust(100, b"\0")
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = flag
    block[157:257] = target[:100].ljust(100, b"\0")
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _member(name: bytes, content: bytes, flag: bytes = b"0") -> bytes:
    return _header(name, len(content), flag) + content + bytes(-len(content) % BLOCK)


def record(key: bytes, value: bytes) -> bytes:
    """Return one record of an extended header: its length counts itself."""
    rest = len(key) + len(value) + 3
    size = rest + len(str(rest))
    size = rest + len(str(size))
    return b"%d %s=%s\n" % (size, key, value)


def _packed(parts: Iterable[bytes], level: int = 1) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=level, mtime=0) as stream:
        for part in parts:
            stream.write(part)
    return out.getvalue()


def extended_names(first: int, size: int) -> bytes:
    """Return an extended header of `size` bytes at most, with names from number `first` on."""
    found: list[bytes] = []
    length = 0
    while True:
        one = record(b"%x" % (first + len(found)), b"")
        length += len(one)
        if length > size:
            return b"".join(found)
        found.append(one)


def global_headers(scale: int) -> bytes:
    """Global headers with ever new names, for all members that follow."""
    headers = (_member(b"g", extended_names(n << 20, 1_000_000), b"g") for n in range(4 * scale))
    return _packed([*headers, _member(b"a", b"x"), bytes(2 * BLOCK)])


def large_global_headers(scale: int) -> bytes:
    """Global headers with a large value each, which whoever reads them may keep."""
    value = b"a" * 990_000
    headers = (_member(b"g", record(b"k%d" % n, value), b"g") for n in range(10 * scale))
    return _packed(chain(headers, [_member(b"a", b"x"), bytes(2 * BLOCK)]), level=9)


def global_headers_and_members(scale: int) -> bytes:
    """Hundreds of thousands of global names, which thousands of members inherit; not packed."""
    headers = (_member(b"g", extended_names(n << 20, 1_000_000), b"g") for n in range(8 * scale))
    members = (_member(b"a%d" % n, b"") for n in range(2000 * scale))
    return b"".join([*headers, *members, bytes(1024)])


def long_names(scale: int) -> bytes:
    """Members whose paths are deep and nearly a megabyte long."""
    path = _member(b"x", record(b"path", b"a/" * 490_000 + b"b"), b"x")
    return _packed([*(path + _member(b"a", b"") for _ in range(30 * scale)), bytes(1024)])


def one_long_name_for_all(scale: int) -> bytes:
    """Return a global path, which every member has."""
    path = _member(b"g", record(b"path", b"a/" * 490_000 + b"b"), b"g")
    return _packed([path, *(_member(b"a", b"") for _ in range(200 * scale)), bytes(1024)])


def gzip_bomb(scale: int) -> bytes:
    """Zeros."""
    return _packed(bytes(1 << 20) for _ in range(64 * scale))


def xz_bomb(scale: int) -> bytes:
    """Zeros, packed once more."""
    return lzma.compress(lzma.compress(bytes(64 << 20) * scale, preset=0), preset=0)


def nested_gzips(scale: int) -> bytes:
    """Return a gzip in a gzip, hundreds deep."""
    data = b"x" * 1000
    for _ in range(200 * scale):
        data = gzip.compress(data, compresslevel=1, mtime=0)
    return data


def nested_zips(scale: int) -> bytes:
    """Zips that hold ten of the next, five deep: each leaf is zeros."""
    data = bytes(2 << 20) * scale
    for _ in range(5):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for number in range(10):
                archive.writestr(
                    zipfile.ZipInfo(f"{number}.zip", _DATE), data, zipfile.ZIP_DEFLATED
                )
        data = out.getvalue()
    return data


def large_zips_in_a_tar(scale: int) -> bytes:
    """Zips in a tar, each too large for memory."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("zeros", _DATE), bytes(8 << 20))
    body = out.getvalue()
    return _packed([*(_member(b"%d.zip" % n, body) for n in range(8 * scale)), bytes(1024)])


def many_members(scale: int) -> bytes:
    """Return a zip with a hundred thousand empty members."""
    local, central, count = io.BytesIO(), io.BytesIO(), 100_000 * scale
    for number in range(count):
        name = b"%x" % number
        at = local.tell()
        local.write(
            struct.pack("<4s5H3L2H", b"PK\3\4", 10, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
        )
        central.write(
            struct.pack(
                "<4s6H3L5H2L", b"PK\1\2", 10, 10, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, at
            )
            + name
        )
    start, size = local.tell(), central.tell()
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    few = min(count, 0xFFFF)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, few, few, size, start, 0)
    return local.getvalue() + central.getvalue() + wide + locator + end


def many_tiny_members(scale: int) -> bytes:
    """Return a tar with tens of thousands of empty members."""
    return _packed([*(_member(b"%x" % n, b"") for n in range(20_000 * scale)), bytes(1024)])


def sparse(scale: int) -> bytes:
    """Return a sparse member that says to have eight exabytes."""
    real = record(b"GNU.sparse.realsize", b"9223372036854775807") * scale
    major = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
    return _member(b"x", major + real, b"x") + _member(b"a", b"1\n0\n1\n") + bytes(1024)


def huge_size(_: int) -> bytes:
    """Return a member that says to be eight exabytes, and ends at once."""
    size = _member(b"x", record(b"size", b"9223372036854775807"), b"x")
    return size + _header(b"a", 0, b"0")


def symbolic_links(scale: int) -> bytes:
    """Links that lead to each other, and to themselves."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(1000 * scale):
            info = tarfile.TarInfo(f"d/{number}")
            info.type, info.linkname = tarfile.SYMTYPE, f"../d/{(number + 1) % 1000}/."
            tar.addfile(info)
    return out.getvalue()


def bzip2_frames(scale: int) -> bytes:
    """Thousands of empty frames, one behind the other."""
    return b"BZh9\x17rE8P\x90\0\0\0\0" * (20_000 * scale)


ATTACKS: dict[str, Callable[[int], bytes]] = {
    function.__name__: function
    for function in (
        global_headers, large_global_headers, global_headers_and_members, long_names,
        one_long_name_for_all, gzip_bomb, xz_bomb, nested_gzips, nested_zips, large_zips_in_a_tar,
        many_members, many_tiny_members, sparse, huge_size, symbolic_links, bzip2_frames,
    )
}  # fmt: skip
