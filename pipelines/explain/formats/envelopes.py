"""What stands around compressed bytes: gzip (RFC 1952), xz (1.2.1), zstd (RFC 8878) and bzip2."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from builders.archives.compressed import Compression, compression
from pipelines.explain.format_fields import Content, Field, Format, time_text
from pipelines.judge.difference import FieldKind

_SYSTEMS = {
    0: "FAT", 3: "Unix", 7: "Macintosh", 10: "NTFS", 11: "NTFS", 19: "macOS", 255: "unknown",
}  # fmt: skip
_EFFORTS = {0: "0 (default)", 2: "2 (best compression)", 4: "4 (fastest)"}
_EXTRA, _NAME, _COMMENT, _HEADER_SUM = 4, 8, 16, 2
_CHECKS = {0: "none", 1: "CRC32", 4: "CRC64", 10: "SHA-256"}
_MOST = 1 << 16


def _gzip(content: Content) -> Iterator[Field]:
    head = content.bytes(0, _MOST)
    flags, at = head[3], 10
    yield Field(name="magic", size=3)
    yield _setting("flags", 3, 1, f"{flags:#04x}")
    yield _setting("mtime", 4, 4, time_text(int.from_bytes(head[4:8], "little")))
    yield _setting("compression effort (XFL)", 8, 1, _EFFORTS.get(head[8], str(head[8])))
    system = f"{head[9]} ({_SYSTEMS.get(head[9], 'not assigned')})"
    yield Field(name="operating system", at=9, size=1, value=system, kind=FieldKind.PRODUCER)
    if flags & _EXTRA:
        size = 2 + int.from_bytes(head[at : at + 2], "little")
        yield _setting("extra field", at, size, head[at + 2 : at + size].hex())
        at += size
    for flag, name in ((_NAME, "file name"), (_COMMENT, "comment")):
        if flags & flag:
            end = head.index(b"\0", at) + 1
            yield _setting(name, at, end - at, head[at : end - 1].decode("latin-1"))
            at = end
    if flags & _HEADER_SUM:
        yield _derived("header checksum", at, 2)
        at += 2
    yield _packed("deflate stream", at, content.size - 8 - at)
    yield _derived("CRC", content.size - 8, 4)
    yield _derived("size of the content", content.size - 4, 4)


def _xz(content: Content) -> Iterator[Field]:
    head = content.bytes(0, 1024)
    yield Field(name="magic", size=6)
    yield _setting("integrity check", 6, 2, _CHECKS.get(head[7] & 15, str(head[7])))
    yield _derived("header checksum", 8, 4)
    block = head[12:]
    size, at = (block[0] + 1) * 4, 2
    yield _derived("block header size", 12, 1)
    threads = "in the block header, as with threads" if block[1] & 0xC0 else "not recorded"
    yield _setting("sizes of the block", 13, 1, threads)
    for _ in range((block[1] >> 6 & 1) + (block[1] >> 7)):
        end = next(n for n in range(at, size) if block[n] < 0x80) + 1
        yield _derived("size in the block header", 12 + at, end - at)
        at = end
    filters = block[at : size - 4].rstrip(b"\0")
    yield _setting("filters", 12 + at, len(filters), _filters(filters))
    yield _derived("padding", 12 + at + len(filters), size - at - len(filters))
    footer = content.bytes(content.size - 12, 12)
    index = (int.from_bytes(footer[4:8], "little") + 1) * 4
    end = content.size - 12 - index
    yield _packed("LZMA2 stream", 12 + size, end - 12 - size)
    yield _derived("index", end, index)
    yield _derived("footer", content.size - 12, 12)


def _filters(data: bytes) -> str:
    if len(data) == 3 and data[:2] == b"\x21\x01":
        bits = data[2] & 63
        size = (2 | bits & 1) << (bits // 2 + 11)
        return f"LZMA2 with a dictionary of {size >> 10} KiB"
    return data.hex()


def _zstd(content: Content) -> Iterator[Field]:
    head = content.bytes(0, 18)
    descriptor, at = head[4], 5
    yield Field(name="magic", size=4)
    single, check = descriptor & 0x20, descriptor & 4
    yield _setting("checksum of the content", 4, 1, "yes" if check else "no")
    if not single:
        exponent, mantissa = head[5] >> 3, head[5] & 7
        window = (8 + mantissa) << (exponent + 7)
        yield _setting("window", 5, 1, f"{window >> 10} KiB")
        at = 6
    length = (0, 1, 2, 4)[descriptor & 3]
    yield _setting("dictionary", at, length, head[at : at + length].hex() or "none")
    at += length
    length = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    yield _derived("size of the content", at, length)
    at += length
    end = content.size - (4 if check else 0)
    yield _packed("zstd stream", at, end - at)
    yield _derived("checksum", end, content.size - end)


def _bzip2(content: Content) -> Iterator[Field]:
    yield Field(name="magic", size=3)
    yield _setting("block size", 3, 1, f"{content.bytes(3, 1).decode('latin-1')}00 kB")
    yield _packed("bzip2 stream", 4, content.size - 4)


def _setting(name: str, at: int, size: int, value: str) -> Field:
    return Field(name=name, at=at, size=size, value=value, kind=FieldKind.SETTING)


def _derived(name: str, at: int, size: int) -> Field:
    return Field(name=name, at=at, size=size, kind=FieldKind.DERIVED)


def _packed(name: str, at: int, size: int) -> Field:
    return Field(name=name, at=at, size=size, kind=FieldKind.SETTING, packed=True)


def _envelope(name: Compression, fields: Callable[[Content], Iterator[Field]]) -> Format:
    return Format(
        name=name, matches=lambda head: compression(head) == name, fields=fields, archive=True
    )


ENVELOPES = (
    _envelope("gzip", _gzip),
    _envelope("xz", _xz),
    _envelope("zstd", _zstd),
    _envelope("bzip2", _bzip2),
)
