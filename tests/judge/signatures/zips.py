"""Small zip archives, record by record, and badly in every way that a test wants."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipelines.judge.signatures.zip_pieces import aligned_extra


@dataclass(frozen=True, kw_only=True)
class Item:
    """An entry; where a field is None, it is what is right."""

    name: str
    content: bytes = b""
    stored: bool = False
    extra: bytes = b""
    descriptor: bool = False
    level: int = 9
    said: str | None = None
    """The name in the local header."""
    flags: int = 0
    method: int | None = None
    crc: int | None = None
    size: int | None = None
    local_size: int | None = None
    packed: bytes | None = None
    offset: int | None = None
    """Of the local header, in the directory."""

    def data(self) -> bytes:
        """Return the content as it is stored."""
        if self.packed is not None or self.stored:
            return self.content if self.packed is None else self.packed
        deflater = zlib.compressobj(self.level, zlib.DEFLATED, -15)
        return deflater.compress(self.content) + deflater.flush()

    def fields(self) -> tuple[int, int, int, int, int]:
        """Return flags, method, checksum, packed and unpacked size."""
        return (
            self.flags | (8 if self.descriptor else 0),
            (0 if self.stored else 8) if self.method is None else self.method,
            zlib.crc32(self.content) if self.crc is None else self.crc,
            len(self.data()),
            len(self.content) if self.size is None else self.size,
        )

    def local(self) -> bytes:
        """Return the local record."""
        flags, method, *sizes = self.fields()
        if self.local_size is not None:
            sizes[2] = self.local_size
        said = sizes
        tail = b""
        if self.descriptor:
            tail, said = b"PK\7\x08" + struct.pack("<III", *sizes), [0, 0, 0]
        name = (self.said or self.name).encode()
        numbers = (20, flags, method, 0x6000, 0x5721, *said, len(name), len(self.extra))
        head = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", *numbers)
        return head + name + self.extra + self.data() + tail

    def record(self, offset: int) -> bytes:
        """Return the record in the directory."""
        flags, method, *sizes = self.fields()
        name = self.name.encode()
        place = offset if self.offset is None else self.offset
        numbers = (20, 20, flags, method, 0x6000, 0x5721, *sizes, len(name), 0, 0, 0, 0, 0, place)
        return struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", *numbers) + name


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What an archive is made of."""

    entries: bytes
    directory: bytes
    count: int
    start: int = 0
    """Where the entries begin in the file."""

    def end(self, directory: int, comment: bytes = b"") -> bytes:
        """Return the end record of a directory at an offset."""
        numbers = (0, 0, self.count, self.count, len(self.directory), directory, len(comment))
        return struct.pack("<4sHHHHIIH", b"PK\5\6", *numbers) + comment

    def made(self, block: bytes = b"") -> bytes:
        """Return the archive, with a block before the directory."""
        return self.entries + block + self.directory + self.end(len(self.entries + block))


def laid_out(
    items: Iterable[Item], *, between: bytes = b"", after: bytes = b"", order: int = 1
) -> Layout:
    """Return the parts of an archive, with bytes before the second entry and after the last."""
    locals_: list[bytes] = []
    records: list[bytes] = []
    at = 0
    for number, item in enumerate(items):
        locals_ += [between if number == 1 else b"", item.local()]
        records.append(item.record(at + len(locals_[-2])))
        at += len(locals_[-2]) + len(locals_[-1])
    return Layout(
        entries=b"".join(locals_) + after,
        directory=b"".join(records[::order]),
        count=len(records),
    )


def archive(items: Iterable[Item], **fields: bytes) -> bytes:
    """Return a plain archive."""
    return laid_out(items, **fields).made()  # type: ignore[arg-type]


def aligned(items: Iterable[Item], *, stated: bool, library: int = 16384) -> list[Item]:
    """Return entries with padding as apksigner (`stated`) or zipalign writes it."""
    found, at = [], 0
    for item in items:
        extra = item.extra
        if item.stored:
            alignment = library if item.name.endswith(".so") else 4
            place = at + 30 + len(item.name.encode())
            extra = aligned_extra(extra, place, alignment, stated=stated)
        found.append(replace(item, extra=extra))
        at += len(found[-1].local())
    return found


def shifted(items: Iterable[Item], data: bytes) -> Layout:
    """Return an archive that begins after other data, with offsets that are right."""
    layout, moved, at = laid_out(items), b"", 0
    while at < len(layout.directory):
        name, local = struct.unpack_from("<H12xI", layout.directory, at + 28)
        moved += layout.directory[at : at + 42] + struct.pack("<I", local + len(data))
        moved += layout.directory[at + 46 :][:name]
        at += 46 + name
    return replace(layout, entries=data + layout.entries, directory=moved)
