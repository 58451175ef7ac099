"""Pairs of files that differ for one known cause, each made by a generator that plants it.

The bytes that differ are counted where they are planted, before anything is packed around them, and
by no code of the readers that are measured.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


@dataclass(frozen=True, kw_only=True)
class PlantedPair:
    """Two files, and why they differ."""

    cause: str
    shipped: bytes
    rebuilt: bytes
    fields: frozenset[str]
    """Names of the fields that tell of the cause."""
    differing: int
    """Bytes that differ."""


def planted(
    cause: str,
    layers: tuple[bytes, bytes],
    fields: Iterable[str],
    pack: Callable[[bytes], bytes] = bytes,
    *,
    differing: int | None = None,
) -> PlantedPair:
    """Return a pair that differs in its `layers`, each of which is packed by `pack`.

    By default all bytes differ that stand at the same offset, or in layers of two sizes all between
    what they begin with and end with.
    """
    one, other = layers
    return PlantedPair(
        cause=cause,
        shipped=pack(one),
        rebuilt=pack(other),
        fields=frozenset(fields),
        differing=_differing(one, other) if differing is None else differing,
    )


def _differing(one: bytes, other: bytes) -> int:
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True))
    ends = [
        sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
        for a, b in ((one, other), (one[::-1], other[::-1]))
    ]
    return max(len(one), len(other)) - min(sum(ends), len(one), len(other))


def prose(size: int, seed: int = 1) -> bytes:
    """Return text of about that size, which compresses as text does."""
    chosen = random.Random(seed)  # noqa: S311  # no secret
    lines, left = [], size
    while left > 0:
        lines.append(" ".join(chosen.choices(_WORDS, k=9)))
        left -= len(lines[-1]) + 1
    return "\n".join(lines).encode() + b"\n"


_FILES = {f"usr/share/doc/part-{n}.txt": prose(3000, n) for n in range(6)}


def tar(
    files: dict[str, bytes] = _FILES, *, form: int = tarfile.GNU_FORMAT, **header: Any
) -> bytes:
    """Return a tar whose members all have these header fields."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            for field, value in header.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


_ZIPPED = {
    "compress_type": zipfile.ZIP_DEFLATED, "create_system": 3, "external_attr": 0o100644 << 16,
}  # fmt: skip


def zipped(files: dict[str, bytes] = _FILES, *, level: int = 6, **header: Any) -> bytes:
    """Return a zip whose members all have these fields."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6))
            for field, value in {**_ZIPPED, **header}.items():
                setattr(info, field, value)
            archive.writestr(info, data, compresslevel=level)
    return out.getvalue()


def ar(files: dict[str, bytes], *, mtime: int = 1_700_000_000, owner: int = 0) -> bytes:
    """Return an ar archive."""
    out = [b"!<arch>\n"]
    for name, data in files.items():
        head = f"{name:<16}{mtime:<12}{owner:<6}{owner:<6}{'100644':<8}{len(data):<10}`\n"
        out += [head.encode(), data, b"\n" * (len(data) % 2)]
    return b"".join(out)


def deb(control: bytes, data: bytes) -> bytes:
    """Return a Debian package of two tars."""
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": lzma.compress(control),
            "data.tar.xz": lzma.compress(data),
        }
    )


def _altered(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def _envelopes() -> Iterable[PlantedPair]:
    text = prose(60_000)
    plain = gzip.compress(text, mtime=1_700_000_000)
    other = _altered(plain, 4, struct.pack("<L", 1_600_000_123))
    yield planted("gzip: time of the packing", (plain, other), ["mtime"])
    systems = plain, _altered(plain, 9, b"\x13")
    yield planted("gzip: operating system", systems, ["operating system"])
    levels = gzip.compress(text, 9, mtime=0), gzip.compress(text, 6, mtime=0)
    yield planted("gzip: level", levels, ["deflate stream", "compression effort (XFL)"])
    named = tuple(plain[:3] + b"\x08" + plain[4:10] + n + plain[10:] for n in (b"a.c\0", b"b.h\0"))
    yield planted("gzip: file name", (named[0], named[1]), ["file name"])
    checks = [lzma.compress(text, check=c) for c in (lzma.CHECK_CRC64, lzma.CHECK_CRC32)]
    ends = [_differing(*parts) for parts in zip(*((c[:12], c[-20:]) for c in checks), strict=True)]
    wide = 8  # bytes of the longer check; the stream before it is the same
    yield planted("xz: integrity check", (checks[0], checks[1]), _XZ, differing=sum(ends) + wide)
    presets = (lzma.compress(text, preset=p) for p in (6, 1))
    yield planted("xz: preset", (next(presets), next(presets)), _XZ)
    flag = zstd.CompressionParameter.checksum_flag
    sums = (zstd.compress(text, options={flag: on}) for on in (0, 1))
    wanted = ["checksum of the content", "checksum", "zstd stream"]
    own = 1 + 4  # the flag, and the checksum at the end; the stream is the same
    yield planted("zstd: checksum", (next(sums), next(sums)), wanted, differing=own)
    levels = zstd.compress(text, 3), zstd.compress(text, 12)
    yield planted("zstd: level", levels, ["zstd stream", "window", "size of the content"])
    levels = bz2.compress(text, 9), bz2.compress(text, 1)
    yield planted("bzip2: block size", levels, ["block size", "bzip2 stream"])


_XZ = (
    "integrity check", "header checksum", "filters", "LZMA2 stream", "index", "footer", "padding",
)  # fmt: skip


def _tars() -> Iterable[PlantedPair]:
    base = tar()
    xz = lzma.compress
    times = base, tar(mtime=1_650_000_001)
    yield planted("tar: times of members", times, ["mtime", "checksum"], xz)
    owners = base, tar(uid=1000, gid=1000, uname="ada", gname="staff")
    names = ["owner", "group", "name of the owner", "name of the group", "checksum"]
    yield planted("tar: owner of members", owners, names, gzip_fixed)
    yield planted("tar: umask", (base, tar(mode=0o664)), ["mode", "checksum"])
    reverse = tar(dict(reversed(_FILES.items())))
    yield planted("tar: order of a folder", (base, reverse), ["order of members"])
    forms = base, tar(form=tarfile.USTAR_FORMAT)
    yield planted("tar: GNU or ustar", forms, ["form of the header", "checksum", "device"])
    pax = [
        tar({"a": b"a"}, form=tarfile.PAX_FORMAT, pax_headers={"mtime": f"170000000{n}.5"})
        for n in range(2)
    ]
    yield planted("tar: fractions of a second", (pax[0], pax[1]), ["pax header", "mtime"])
    yield planted("tar: blocks at the end", (base, base + bytes(10240)), ["end"])


def gzip_fixed(data: bytes) -> bytes:
    """Compress without a time."""
    return gzip.compress(data, mtime=0)


def _deflated(data: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, wbits=-15)
    return packer.compress(data) + packer.flush()


def _zips() -> Iterable[PlantedPair]:
    base = zipped()
    where = " in the local header"
    times = base, zipped(date_time=(2025, 6, 7, 8, 9, 10))
    yield planted("zip: times of members", times, ["mtime", f"mtime{where}"])
    yield planted("zip: system", (base, zipped(create_system=0)), ["made by"])
    streams = ([_deflated(data, level) for data in _FILES.values()] for level in (6, 1))
    size = sum(_differing(*pair) for pair in zip(*streams, strict=True))
    wanted = ["deflate stream", "packed size", f"packed size{where}", "offset", "end record"]
    yield planted("zip: level", (base, zipped(level=1)), wanted, differing=size)
    stamp = struct.pack("<HHBL", 0x5455, 5, 1, 1_700_000_000)
    names = ["extra field", "extra field of the local header", "size of the extra field"]
    names += [f"size of the extra field{where}", "offset", "end record"]
    size = 2 * len(stamp) * len(_FILES)  # in local headers, and in the directory
    yield planted("zip: extra field", (base, zipped(extra=stamp)), names, differing=size)
    reverse = zipped(dict(reversed(_FILES.items())))
    yield planted("zip: order", (base, reverse), ["order of members", "offset"])
    modes = base, zipped(external_attr=0o100755 << 16)
    yield planted("zip: modes", modes, ["attributes"])


def _packages() -> Iterable[PlantedPair]:
    files = {"one.o": prose(500), "two.o": prose(700)}
    yield planted("ar: times", (ar(files), ar(files, mtime=0)), ["mtime"])
    yield planted("ar: owner", (ar(files), ar(files, owner=1000)), ["owner", "group"])
    control = b"Package: hello\nVersion: 2.10-3\nInstalled-Size: 280\n"
    versions = control, control.replace(b"2.10-3", b"2.10-4")
    yield planted(
        "deb: version in control", versions, ["version in line 2"],
        lambda text: deb(tar({"./control": text}), tar()),
    )  # fmt: skip
    times = tar(), tar(mtime=1_650_000_001)
    yield planted(
        "deb: times of files", times, ["mtime", "checksum"], lambda data: deb(tar({}), data)
    )


def _nested() -> Iterable[PlantedPair]:
    base = zipped()
    comments = (base[:-2] + struct.pack("<H", 3) + text for text in (b"one", b"two"))
    yield planted("zip: comment", (next(comments), next(comments)), ["comment"])
    inner = gzip_fixed(prose(2000))
    systems = inner, _altered(inner, 9, b"\x0b")
    yield planted(
        "gzip in a tar in xz: operating system", systems, ["operating system"],
        lambda data: lzma.compress(tar({"usr/share/doc/changes.gz": data})),
    )  # fmt: skip
    times = tar(), tar(mtime=1_650_000_001)
    yield planted(
        "tar in zstd in a zip: times", times, ["mtime", "checksum"],
        lambda data: zipped({"data.tar.zst": zstd.compress(data)}),
    )  # fmt: skip
    paths = b"made in /build/one/two\n", b"made in /build/six/ten\n"
    yield planted(
        "text in gzip in a tar in a deb: path", paths, ["path in line 1"],
        lambda text: deb(tar({}), tar({"usr/share/doc/notes.gz": gzip_fixed(text)})),
    )  # fmt: skip


def _texts() -> Iterable[PlantedPair]:
    text = prose(2000)
    lines = text.splitlines(keepends=True)
    endings = text, text.replace(b"\n", b"\r\n")
    crlf = PlantedPair(
        cause="text: line endings", shipped=endings[0], rebuilt=endings[1],
        fields=frozenset({"line endings"}), differing=text.count(b"\n"),
    )  # fmt: skip
    yield crlf
    shuffled = b"".join(sorted(lines))
    moved = sum(max(map(len, p)) for p in zip(lines, sorted(lines), strict=True) if p[0] != p[1])
    yield PlantedPair(
        cause="text: order of lines", shipped=text, rebuilt=shuffled,
        fields=frozenset({"order of lines"}), differing=moved,
    )  # fmt: skip
    for name, one, other in (
        ("time", b"2024-01-02 03:04:05", b"2025-11-12 13:14:15"),
        ("path", b"/build/reproducible-path/hello", b"/srv/builder-01/hello/outputs/"),
        ("version", b"12.2.0", b"14.2.1"),
    ):
        pair = (text + b"made: " + value + b"\n" + text for value in (one, other))
        number = len(lines) + 1
        yield planted(f"text: {name}", (next(pair), next(pair)), [f"{name} in line {number}"])
        blob = random.Random(5).randbytes(4000)  # noqa: S311  # no secret
        pair = (blob + b"\0" + value + b"\0" + blob for value in (one, other))
        yield planted(f"binary: {name}", (next(pair), next(pair)), [f"{name} in text"])


def _python() -> Iterable[PlantedPair]:
    code = prose(800)
    head = struct.pack("<HHLLL", 3495, 0x0A0D, 0, 1_700_000_000, 800)
    times = head + code, _altered(head, 8, struct.pack("<L", 1_650_000_000)) + code
    yield planted("pyc: time of the source", times, ["mtime of the source"])
    versions = head + code, _altered(head, 0, struct.pack("<H", 3531)) + code
    yield planted("pyc: version of Python", versions, ["byte code"], lambda d: zipped({"a.pyc": d}))


def planted_pairs() -> Sequence[PlantedPair]:
    """Return all pairs of archives, envelopes, texts and Python."""
    makers = (_envelopes, _tars, _zips, _packages, _nested, _texts, _python)
    return [pair for make in makers for pair in make()]
