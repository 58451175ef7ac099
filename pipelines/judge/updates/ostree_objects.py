"""Objects of OSTree by their SHA-256, and which of them a commit reaches.

Commits, trees and modes of folders are GVariants, and are held in memory. The contents of files are
held in a scratch file, since parts of a delta copy of them. Source: OSTree, `ostree-core.h`.
"""

from __future__ import annotations

import hashlib
import stat
import struct
from collections.abc import Iterator
from typing import IO

from pipelines.judge.updates.delta_io import Base, BoundedOutput, unreadable, unsupported
from pipelines.judge.updates.gvariant import fields, items, offset_bytes
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

FILE, TREE, FOLDER, COMMIT = 1, 2, 3, 4
"""Types of objects."""
_NAMES = {FILE: "file", TREE: "dirtree", FOLDER: "dirmeta", COMMIT: "commit"}
COMMIT_TYPE = "(a{sv}aya(say)sstayay)"
_TREE_TYPE = "(a(say)a(sayay))"
_MAX_METADATA, _MAX_CONTENTS = 64 << 20, 1 << 30

ObjectName = tuple[int, bytes]
"""Type and SHA-256."""


class Objects:
    """The objects that are known so far."""

    def __init__(self, scratch: IO[bytes]) -> None:
        """Keep contents in `scratch`."""
        self._contents = scratch
        self._size = self._metadata = 0
        self._places: dict[bytes, tuple[int, int]] = {}
        self._known: dict[ObjectName, bytes] = {}

    def add(self, name: ObjectName, data: bytes) -> None:
        """Add what is no file; raises `UpdateError` if its digest is another."""
        if hashlib.sha256(data).digest() != name[1]:
            raise _other_digest(name)
        self._metadata += len(data)
        if self._metadata > _MAX_METADATA:
            what = f"more than {_MAX_METADATA} bytes of trees"
            raise UpdateError(UpdateFault.UNBOUNDED, what)
        self._known[name] = data

    def open_content(self, checksum: bytes) -> Base:
        """Return the content of a file to copy from; raises `UpdateError`."""
        if checksum not in self._places:
            what = f"file {checksum.hex()}, which is not in the base"
            raise UpdateError(UpdateFault.OUTSIDE_BASE, what)
        return Base(self._contents, *self._places[checksum])

    def new_file(self, checksum: bytes, header: bytes, size: int) -> FileWriter:
        """Return what takes the content of a file; raises `UpdateError`."""
        if self._size + size > _MAX_CONTENTS:
            what = f"more than {_MAX_CONTENTS} bytes of contents"
            raise UpdateError(UpdateFault.UNBOUNDED, what)
        start, self._size = self._size, self._size + size
        return FileWriter(self, checksum, header, (start, size))

    def write_at(self, at: int, data: bytes) -> None:
        """Write a piece of a content."""
        self._contents.seek(at)
        self._contents.write(data)

    def added(self, checksum: bytes, place: tuple[int, int]) -> None:
        """Take note of a file whose digest was right."""
        self._places[checksum] = place
        self._known[FILE, checksum] = b""

    def reached(self, commit: bytes) -> frozenset[ObjectName]:
        """Return the objects of a commit; raises `UpdateError` if one is not known."""
        seen: set[ObjectName] = set()
        left: list[ObjectName] = [(COMMIT, commit)]
        while left:
            name = left.pop()
            if name in seen:
                continue
            if name not in self._known:
                what = f"{described(name)}, which neither delta nor base has"
                raise UpdateError(UpdateFault.OUTSIDE_BASE, what)
            seen.add(name)
            left += _named(name[0], self._known[name])
        return frozenset(seen)


class FileWriter:
    """Takes the content of one file."""

    def __init__(
        self, objects: Objects, checksum: bytes, header: bytes, place: tuple[int, int]
    ) -> None:
        """Write to the place of a content, and hash it with the header of its file."""
        self._objects, self._checksum, self._place = objects, checksum, place
        self._digest = hashlib.sha256(header)
        self._at = place[0]
        self.out = BoundedOutput(self, place[1])
        """What takes the content, and no more."""

    def write(self, data: bytes) -> None:
        """Write a piece; called by `out`."""
        self._digest.update(data)
        self._objects.write_at(self._at, data)
        self._at += len(data)

    def close(self) -> None:
        """Raise `UpdateError` unless the file is complete and has its digest."""
        self.out.finish()
        if self._digest.digest() != self._checksum:
            raise _other_digest((FILE, self._checksum))
        self._objects.added(self._checksum, self._place)


def file_header(owner: bytes, xattrs: bytes, link: bytes | None) -> bytes:
    """Return what is hashed in front of a content.

    `owner` has user, group and mode, each in 4 bytes with the highest first, as in a delta.
    """
    target = (link or b"") + b"\0"
    value = owner + bytes(4) + target
    value += xattrs + offset_bytes(len(value), len(value) + len(xattrs))
    return struct.pack(">II", len(value), 0) + value


def is_link(owner: bytes) -> bool:
    """Say whether a file is a symbolic link, else it is regular; raises `UpdateError`."""
    (mode,) = struct.unpack_from(">I", owner, 8)
    if not stat.S_ISLNK(mode) and not stat.S_ISREG(mode):
        raise unsupported(f"a file of mode {mode:o}")
    return stat.S_ISLNK(mode)


def described(name: ObjectName) -> str:
    """Return an object as OSTree names it; raises `UpdateError`."""
    if name[0] not in _NAMES:
        raise unsupported(f"an object of type {name[0]}")
    return f"{name[1].hex()}.{_NAMES[name[0]]}"


def _named(kind: int, data: bytes) -> Iterator[ObjectName]:
    """Yield the objects that an object names."""
    if kind == COMMIT:
        *_, tree, folder = fields(COMMIT_TYPE, data)
        yield TREE, _checksum(tree)
        yield FOLDER, _checksum(folder)
    elif kind == TREE:
        files, folders = fields(_TREE_TYPE, data)
        for one in items("(say)", files):
            yield FILE, _checksum(fields("(say)", one)[1])
        for one in items("(sayay)", folders):
            _, tree, folder = fields("(sayay)", one)
            yield TREE, _checksum(tree)
            yield FOLDER, _checksum(folder)


def _checksum(data: bytes) -> bytes:
    if len(data) != hashlib.sha256().digest_size:
        raise unreadable(f"a checksum of {len(data)} bytes")
    return data


def _other_digest(name: ObjectName) -> UpdateError:
    return UpdateError(UpdateFault.CHECKSUM, f"{described(name)} has another SHA-256")
