"""Ways to hide a file among the inputs of a recipe; each takes its bytes and returns the input."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from backports import zstd

Hide = Callable[[bytes], bytes]
FILLING = bytes(range(256)) * 3


def source(content: bytes, name: str = "tests/data.txt") -> bytes:
    """Return a source archive in which `content` is one file among others."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for path, piece in ((name, content), ("setup.py", b"setup()\n")):
            member = tarfile.TarInfo(f"x-1.0/{path}")
            member.size = len(piece)
            archive.addfile(member, io.BytesIO(piece))
    return made.getvalue()


def packed_zip(content: bytes, method: int = zipfile.ZIP_DEFLATED, *, extra: bytes = b"") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("README", "read me\n" * 99)
        member = zipfile.ZipInfo("lib/data")
        member.extra = extra
        archive.writestr(member, content, method)
    return made.getvalue()


def with_headers(archive: bytes, mark: bytes, *, flags: bytes, method: bytes) -> bytes:
    """Return a zip whose headers that begin with `mark` say something else."""
    return re.sub(
        mark + rb"(..)(?:\0\0|\x02\x08)(?:[\x08\x0e]\0)",
        lambda match: mark + match[1] + flags + method,
        archive,
        flags=re.DOTALL,
    )


def _lines(text: bytes, width: int, end: bytes = b"\n") -> bytes:
    return end.join(text[at : at + width] for at in range(0, len(text), width))


def _escaped(content: bytes) -> bytes:
    return "".join(f"\\x{byte:02x}" for byte in content).encode()


def _array(content: bytes) -> bytes:
    digits = ", ".join(f"0x{byte:02x}" for byte in content)
    return f"static const unsigned char data[] = {{{digits}}};\n".encode()


def _frames(pack: Callable[[bytes], bytes], content: bytes) -> bytes:
    return b"".join(pack(content[at : at + 150]) for at in range(0, len(content), 150))


def _asking(stream: bytes) -> bytes:
    return stream[:1] + (1 << 31).to_bytes(4, "little") + stream[5:]


def _alone(content: bytes, **settings: int) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA1, "preset": 6, **settings}]
    return lzma.compress(content, lzma.FORMAT_ALONE, filters=filters)


def _small_window(content: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(content) + packer.flush()


def _wide(content: bytes) -> bytes:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 28})
    return packer.compress(content) + packer.flush()


def _endless(frame: bytes) -> bytes:
    return frame[:4] + b"\xe0" + (1 << 50).to_bytes(8, "little") + frame[7:]


HIDDEN: dict[str, Hide] = {
    "in-front-of-a-zip": lambda c: c + packed_zip(b"other"),
    "after-a-zip": lambda c: packed_zip(b"other") + c,
    "after-a-script": lambda c: b"#!/bin/sh\nexec tail -c +99 $0\n" + c,
    "after-a-gzip": lambda c: gzip.compress(b"other") + c,
    "in-the-middle-of-a-file": lambda c: source(FILLING + c + FILLING),
    "in-a-zip-after-a-script": lambda c: b"#!/bin/sh\n" + packed_zip(c),
    "in-a-zip-without-directory": lambda c: packed_zip(c)[:-100],
    "in-a-zip-by-bzip2": lambda c: b"MZ" + packed_zip(c, zipfile.ZIP_BZIP2),
    "in-a-zip-with-a-false-method": lambda c: (
        b"MZ" + with_headers(packed_zip(c), b"PK\x03\x04", flags=b"\0\0", method=b"\xff\xff")
    ),
    "in-an-archive-that-breaks-off": lambda c: source(source(c)[:-30], "tests/bad.tgz"),
    "in-a-gzip-that-breaks-off": lambda c: source(gzip.compress(c)[:-8]),
    "in-an-xz-that-breaks-off": lambda c: source(lzma.compress(c)[:-20]),
    "in-a-zip-with-an-extra-field": lambda c: b"MZ" + packed_zip(c, extra=b"UT\x05\0\1abcd"),
    "gzip-behind-bytes": lambda c: source(FILLING + gzip.compress(c)),
    "gzip-in-frames": lambda c: FILLING + _frames(gzip.compress, c),
    "bzip2-in-frames": lambda c: FILLING + _frames(bz2.compress, c),
    "zstd-in-frames": lambda c: FILLING + _frames(zstd.compress, c),
    "bzip2-behind-bytes": lambda c: source(FILLING + bz2.compress(c)),
    "xz-behind-bytes": lambda c: source(FILLING + lzma.compress(c)),
    "xz-padded": lambda c: FILLING + lzma.compress(c[:99]) + bytes(8) + lzma.compress(c[99:]),
    "zstd-behind-bytes": lambda c: source(FILLING + zstd.compress(c)),
    "zstd-that-asks-for-memory": lambda c: b"\n" + _wide(c),
    "zstd-of-terabytes": lambda c: b"\n" + _endless(zstd.compress(c)),
    "lzma": lambda c: source(lzma.compress(c, lzma.FORMAT_ALONE)),
    "lzma-that-asks-for-memory": lambda c: _asking(lzma.compress(c, lzma.FORMAT_ALONE)),
    "lzma-for-text": lambda c: FILLING + _alone(c, lc=4, lp=0, pb=0),
    "lzma-for-words": lambda c: source(_alone(c, lc=0, lp=2, pb=2)),
    "lzma-with-a-dictionary-of-24-bits": lambda c: _alone(c, dict_size=3 << 23) + FILLING,
    "zlib-with-a-small-window": lambda c: source(_small_window(c, 9)),
    "zlib-with-half-a-window": lambda c: FILLING + _small_window(c, 14),
    "zlib": lambda c: source(zlib.compress(c)),
    "zlib-stored": lambda c: source(FILLING + zlib.compress(c, 0)),
    "base64": lambda c: source(base64.b64encode(c)),
    "base64-in-lines": lambda c: source(b"DATA = '''\n" + base64.encodebytes(c) + b"'''\n"),
    "base64-in-short-lines": lambda c: source(_lines(base64.b64encode(c), 5, b"\r\n  ")),
    "base64-in-strings": lambda c: source(b"['" + _lines(base64.b64encode(c), 40, b"',\n'")),
    "base64-in-json": lambda c: source(
        b'{"image/png": "' + base64.encodebytes(c).replace(b"\n", b"\\n") + b'"}'
    ),
    "base64-url-safe": lambda c: source(b"data=" + base64.urlsafe_b64encode(c).rstrip(b"=")),
    "base64-after-letters": lambda c: source(b"prefix-" + base64.b64encode(c)),
    "base64-of-bytes-around": lambda c: source(base64.b64encode(b"ab" + c + b"c")),
    "base64-as-utf-16": lambda c: source(base64.b64encode(c).decode().encode("utf-16")),
    "hex": lambda c: source(c.hex().encode()),
    "hex-in-upper-case-with-spaces": lambda c: source(c.hex(" ").upper().encode()),
    "hex-with-colons": lambda c: source(c.hex(":").encode()),
    "hex-in-lines": lambda c: source(_lines(c.hex().encode(), 32)),
    "hex-after-a-digit": lambda c: source(b"7" + c.hex().encode()),
    "hex-escaped": lambda c: source(b'x = b"' + _escaped(c) + b'"\n'),
    "hex-in-an-array": lambda c: source(_array(c)),
    "hex-in-an-array-alone": _array,
    "hex-escaped-alone": _escaped,
    "base64-in-json-alone": lambda c: base64.encodebytes(c).replace(b"\n", b"\\n"),
    "base64-of-xz": lambda c: source(base64.encodebytes(lzma.compress(c))),
    "xz-of-base64": lambda c: source(lzma.compress(base64.b64encode(c))),
    "zlib-of-base64-without-padding": lambda c: zlib.compress(base64.b64encode(c).rstrip(b"=")),
    "base64-of-base64": lambda c: source(base64.encodebytes(base64.encodebytes(c))),
    "hex-of-gzip-of-base64-of-zlib": lambda c: source(
        gzip.compress(base64.b64encode(zlib.compress(c))).hex().encode()
    ),
    "base64-of-a-source-archive": lambda c: source(base64.encodebytes(source(c))),
}
