"""Makes deltas of small RPM packages, and the packages."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from tests.judge.signatures.rpm_signing import INT32, LEAD, STRINGS, Entry, Rpm, header
from tests.judge.updates.delta_makers import less, matches

INT16 = 3
Content = bytes | str | int
"""Of a file, the target of a symbolic link, or the number of a device."""


class Disk(int):
    """The number of a block device."""


Files = Mapping[str, Content]
Pack = Callable[[bytes], bytes]
GZIP = {level: partial(gzip.compress, compresslevel=level, mtime=0) for level in (6, 9)}


def several(tag: int, kind: int, *values: int) -> Entry:
    letter = "H" if kind == INT16 else "I"
    return Entry(tag, kind, struct.pack(f">{len(values)}{letter}", *values), len(values))


def texts(tag: int, *values: str) -> Entry:
    return Entry(tag, STRINGS, b"".join(one.encode() + b"\0" for one in values), len(values))


def mode(content: Content) -> int:
    if isinstance(content, int):
        return (stat.S_IFBLK if isinstance(content, Disk) else stat.S_IFCHR) | 0o600
    return stat.S_IFLNK | 0o777 if isinstance(content, str) else stat.S_IFREG | 0o644


def content_of(one: Content) -> bytes:
    return b"" if isinstance(one, int) else one.encode() if isinstance(one, str) else one


def device(content: Content) -> int:
    return content if isinstance(content, int) else 0


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def package(
    files: Files,
    version: str,
    *,
    epoch: int | None = None,
    pack: Pack = GZIP[9],
) -> Rpm:
    """Return a package of files in /opt."""
    count = len(files)
    digests = [sha256(one) if isinstance(one, bytes) else "" for one in files.values()]
    return Rpm(
        payload=pack(archive(files, inode=1)),
        entries=(
            Entry.text(1000, "tool"),
            Entry.text(1001, version),
            Entry.text(1002, "1"),
            *([Entry.number(1003, epoch)] if epoch is not None else []),
            several(1028, INT32, *(len(content_of(one)) for one in files.values())),
            several(1030, INT16, *map(mode, files.values())),
            several(1033, INT16, *map(device, files.values())),
            texts(1035, *digests),
            texts(1036, *(one if isinstance(one, str) else "" for one in files.values())),
            several(1116, INT32, *[0] * count),
            texts(1117, *files),
            texts(1118, "/opt/"),
            Entry.text(1124, "cpio"),
            several(5011, INT32, 8),
        ),
    )


def archive(files: Files, *, inode: int = 0) -> bytes:
    """Return a cpio archive; in that of a package, files have numbers and times."""
    made = b""
    for number, (name, content) in enumerate(files.items()):
        data = content_of(content)
        fields = (
            inode and inode + number,
            mode(content),
            0,
            0,
            1,
            inode * 77,
            len(data),
            0,
            0,
            device(content) >> 8,
            device(content) & 0xFF,
        )
        made += _member(fields, f"./opt/{name}") + data + bytes(-len(data) % 4)
    return made + _member((0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), "TRAILER!!!")


def _member(fields: tuple[int, ...], name: str) -> bytes:
    text = "".join(f"{one:08x}" for one in (*fields, len(name) + 1, 0))
    made = f"070701{text}{name}\0".encode()
    return made + bytes(-len(made) % 4)


def sequence(files: Files, *, packed: bytes | None = None) -> bytes:
    """Return the sequence of all files of a package."""
    digest = hashlib.md5(usedforsecurity=False)
    for name, content in files.items():
        data = content_of(content)
        digest.update(
            f"opt/{name}\0".encode()
            + struct.pack(">III", mode(content), len(data), device(content))
        )
        if isinstance(content, str):
            digest.update(data + b"\0")
        elif isinstance(content, bytes) and data:
            digest.update(hashlib.sha256(data).digest())
    return digest.digest() + (bytes([len(files) << 4]) if packed is None else packed)


@dataclass(frozen=True, kw_only=True)
class RpmDelta:
    """A delta of packages by its parts."""

    front: bytes
    """A package without payload, or the head of a delta of packages alone."""
    sequence: bytes
    md5: bytes
    size: int
    lead: bytes
    format_at: int
    before: tuple[int, ...]
    own: tuple[int, ...]
    moves: tuple[int, ...]
    copies: tuple[int, ...]
    archive: int
    differences: bytes
    data: bytes
    name: bytes = b"tool-1.0-1\0"
    version: bytes = b"DLT3"
    packing: int = 1 | 9 << 8
    parameters: int = 0
    plain: int = 0
    inside: bool = True
    """Whether the differences are in the compressed part."""
    grown: int = 0
    """How much it is wrong about the size of its own data."""
    after: bytes = b""

    @classmethod
    def of_files(cls, old: Files, new: Rpm, unpack: Pack = gzip.decompress) -> RpmDelta:
        """Return a standard delta of a package with old files."""
        main = new.main
        at = main.index(b"cpio")
        (count,) = struct.unpack_from(">I", main, 8)
        made = cls._between(archive(old), unpack(new.payload), new)
        front = LEAD + header(62, [Entry.number(1000, 1)])
        front += bytes(-len(front) % 8) + main[:at] + b"drpm" + main[at + 4 :]
        return replace(made, front=front, sequence=sequence(old), format_at=at - 16 - 16 * count)

    @classmethod
    def alone(cls, old: Rpm, new: Rpm) -> RpmDelta:
        """Return a delta of packages alone."""
        before, after = (one.main + gzip.decompress(one.payload) for one in (old, new))
        made = cls._between(before, after, new)
        differences = bz2.compress(made.differences)
        name = b"tool-2.0-1\0"
        front = b"drpmDLT3" + _number(len(name)) + name + _number(len(differences)) + differences
        md5 = hashlib.md5(old.all, usedforsecurity=False).digest()
        return replace(made, front=front, sequence=md5, inside=False, plain=len(new.main))

    @classmethod
    def _between(cls, old: bytes, new: bytes, package: Rpm) -> RpmDelta:
        whole = package.file()
        found = matches(old, new)
        moves, differences, at = [], b"", 0
        for one in found:
            moves.append(one.start - at)
            at = one.start + len(one.copied)
            differences += less(one.copied, old[one.start : at])
        return cls(
            front=b"", sequence=b"", size=len(whole), lead=whole[: -len(package.all)], format_at=0,
            md5=hashlib.md5(whole, usedforsecurity=False).digest(), before=(1,) * len(found),
            own=tuple(len(one.new) for one in found), moves=tuple(moves),
            copies=tuple(len(one.copied) for one in found), archive=len(old),
            differences=differences, data=b"".join(one.new for one in found),
        )  # fmt: skip

    def file(self) -> bytes:
        differences = bz2.compress(self.differences) if self.inside else b""
        moves = [abs(one) | (1 << 31 if one < 0 else 0) for one in self.moves]
        body = b"".join(
            [
                self.version, _number(len(self.name)), self.name, _number(len(self.sequence)),
                self.sequence, self.md5, _number(self.size, self.packing, self.parameters),
                _number(self.plain, 0, len(self.lead)), self.lead, _number(self.format_at),
                _number(len(self.own), len(self.moves)), _number(*self.before, *self.own, *moves),
                _number(*self.copies), struct.pack(">Q", self.archive), _number(len(differences)),
                differences, struct.pack(">Q", len(self.data) + self.grown), self.data,
            ]
        )  # fmt: skip
        return self.front + bz2.compress(body) + self.after


def _number(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)
