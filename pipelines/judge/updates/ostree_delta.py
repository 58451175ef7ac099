"""Static deltas of OSTree, each in one file, with its parts in it.

Such a file makes the objects of a commit, from nothing or from another commit. A full release is a
delta from nothing (a bundle of Flatpak is one), and so are base and target here; a delta is judged
by the objects that its commit then has, since no two runs of ostree write the same delta. Refused
by name: parts and objects in other files, deltas that need other deltas, and signed superblocks.
Sources: OSTree, `ostree-repo-static-delta-private.h` and `ostree-repo-static-delta-processing.c`.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.judge.updates.bsdiff import patch
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.delta_io import (
    Base,
    BoundedOutput,
    DeltaPart,
    PackedPart,
    unreadable,
    unsupported,
)
from pipelines.judge.updates.gvariant import fields, items, text, variant
from pipelines.judge.updates.ostree_objects import (
    COMMIT,
    COMMIT_TYPE,
    FILE,
    FileWriter,
    ObjectName,
    Objects,
    described,
    file_header,
    is_link,
)
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_SUPERBLOCK = f"(a{{sv}}tayay{COMMIT_TYPE}aya(uayttay)a(yaytt))"
_PART = "(a(uuu)aa(ayay)ayay)"
_SIGNED = b"OSTSGNDT"
_MAX_FILE = _MAX_PART = 64 << 20
_MAX_PARTS = 1000
_PLAIN, _XZ = 0, ord("x")
_OBJECT = 33
"""Bytes of an object in the list of a part: its type, and its SHA-256."""
_CHECKSUM = 32


@dataclass(frozen=True, kw_only=True)
class _Superblock:
    base: bytes
    """The SHA-256 of the commit that it starts from; empty for none."""
    commit: bytes
    content: bytes
    """The commit itself."""
    parts: tuple[tuple[bytes, bytes], ...]
    """The names of the objects of a part, and the part."""


def _superblock(file: BinaryIO, whose: str) -> _Superblock:
    size = file.seek(0, 2)
    if size > _MAX_FILE:
        raise unsupported(f"a {whose} of more than {_MAX_FILE} bytes")
    file.seek(0)
    data = file.read(size)
    if data.startswith(_SIGNED):
        raise unsupported("a signed superblock")
    about, _, base, commit, content, others, headers, outside = fields(_SUPERBLOCK, data)
    if others:
        raise unsupported("a delta that needs other deltas")
    if outside:
        raise unsupported("objects outside of the delta")
    if len(commit) != _CHECKSUM or len(base) not in {0, _CHECKSUM}:
        raise unreadable("a checksum that is no SHA-256")
    inline = _inline_parts(about)
    parts = []
    for number, header in enumerate(items("(uayttay)", headers)):
        _, checksum, _, _, names = fields("(uayttay)", header)
        part = inline.pop(number, None)
        if part is None:
            raise unsupported("parts in other files")
        if hashlib.sha256(part).digest() != checksum:
            raise UpdateError(UpdateFault.CHECKSUM, f"part {number} has another SHA-256")
        parts.append((names, part))
    if inline:
        raise UpdateError(UpdateFault.LEFT_OVER, f"part {min(inline)}, which no header names")
    return _Superblock(base=base, commit=commit, content=content, parts=tuple(parts))


def _inline_parts(about: bytes) -> dict[int, bytes]:
    """Return the parts that are in a superblock, by their numbers."""
    found: dict[int, bytes] = {}
    for item in items("{sv}", about):
        key, value = fields("{sv}", item)
        kind, part = variant(value)
        number = text(key).rpartition("/")[2]
        if kind != b"(yay)" or not number.isdecimal():
            continue
        if int(number) in found or int(number) >= _MAX_PARTS:
            raise unreadable(f"part {number[:9]}, twice or of too many")
        found[int(number)] = part
    return found


class _Part:
    """Runs the operations of one part."""

    def __init__(self, names: bytes, part: bytes, objects: Objects) -> None:
        payload = _unpacked(part)
        modes, xattrs, data, operations = fields(_PART, payload)
        self._modes, self._xattrs = list(items("(uuu)", modes)), list(items("a(ayay)", xattrs))
        self._data, self._code = data, DeltaPart(operations, "operations")
        if len(names) % _OBJECT:
            raise unreadable("a list of objects that is cut off")
        self._names = DeltaPart(names, "objects")
        self._objects = objects
        self._file: FileWriter | None = None
        self._source: Base | None = None
        self._made: set[ObjectName] = set()

    def run(self) -> set[ObjectName]:
        """Return the objects that were made; raises `UpdateError`."""
        operations = {
            b"S": self._splice,
            b"o": self._open,
            b"w": self._write,
            b"r": self._set_source,
            b"R": self._unset_source,
            b"B": self._patch,
            b"c": self._close,
        }
        while self._code:
            letter = self._code.exactly(1)
            if letter not in operations:
                raise unreadable(f"an unknown operation {letter!r}")
            operations[letter]()
        if self._file is not None:
            raise unreadable("a file that is not closed")
        self._names.finish()
        return self._made

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self._code.exactly(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise unreadable("a number that is too large")

    def _own(self, size: int, at: int) -> bytes:
        """Return bytes of the part's own data."""
        if at + size > len(self._data):
            raise unreadable(f"bytes {at} to {at + size} of {len(self._data)} bytes of data")
        return self._data[at : at + size]

    def _next(self) -> ObjectName:
        """Return the name of the next object, which is then made."""
        name = self._names.exactly(_OBJECT)
        self._made.add((name[0], name[1:]))
        return name[0], name[1:]

    def _splice(self) -> None:
        name = self._next()
        if name[0] != FILE:
            size = self._number()
            self._objects.add(name, self._own(size, self._number()))
            return
        owner, xattrs, size = self._owner()
        content = self._own(size, self._number())
        if is_link(owner):
            self._start(name, file_header(owner, xattrs, content), 0)
        else:
            self._start(name, file_header(owner, xattrs, None), size).write(content)
        self._close()

    def _open(self) -> None:
        name = self._next()
        owner, xattrs, size = self._owner()
        if name[0] != FILE or is_link(owner):
            raise unreadable(f"{described(name)} opened as a regular file")
        self._start(name, file_header(owner, xattrs, None), size)

    def _owner(self) -> tuple[bytes, bytes, int]:
        mode, xattr, size = self._number(), self._number(), self._number()
        if mode >= len(self._modes) or xattr >= len(self._xattrs):
            raise unreadable(f"mode {mode} or attributes {xattr}, which are not there")
        return self._modes[mode], self._xattrs[xattr], size

    def _start(self, name: ObjectName, header: bytes, size: int) -> BoundedOutput:
        if self._file is not None:
            raise unreadable("a file in a file")
        self._file = self._objects.new_file(name[1], header, size)
        return self._file.out

    def _out(self) -> BoundedOutput:
        if self._file is None:
            raise unreadable("content of no file")
        return self._file.out

    def _write(self) -> None:
        size, at = self._number(), self._number()
        out = self._out()
        out.require(size)
        for data in self._source.pieces(at, size) if self._source else (self._own(size, at),):
            out.write(data)

    def _set_source(self) -> None:
        self._source = self._objects.open_content(self._own(_CHECKSUM, self._number()))

    def _unset_source(self) -> None:
        self._source = None

    def _patch(self) -> None:
        at, size = self._number(), self._number()
        if self._source is None:
            raise unreadable("a difference to no file")
        steps = DeltaPart(self._own(size, at), "steps")
        patch(self._source, steps, steps, steps, self._out())
        steps.finish()

    def _close(self) -> None:
        if self._file is None:
            raise unreadable("no file to close")
        self._file.close()
        self._file = self._source = None


def _unpacked(part: bytes) -> bytes:
    if part[:1] == bytes([_PLAIN]):
        return part[1:]
    if part[:1] != bytes([_XZ]):
        raise unsupported(f"a part compressed as {part[:1]!r}")
    return b"".join(PackedPart(io.BytesIO(part), 1, len(part), "xz").rest(_MAX_PART))


def _executed(block: _Superblock, objects: Objects) -> set[ObjectName]:
    """Add the objects of a delta; returns their names."""
    commit = (COMMIT, block.commit)
    objects.add(commit, block.content)
    made = {commit}
    for names, part in block.parts:
        made |= _Part(names, part, objects).run()
    return made


def _write_objects(
    block: _Superblock, objects: Objects, out: BinaryIO, limits: DeltaLimits
) -> None:
    """Write the objects of a commit, all of which are known; raises `UpdateError`."""
    made = _executed(block, objects)
    reached = objects.reached(block.commit)
    if spare := made - reached:
        what = f"{described(min(spare))}, which the commit does not have"
        raise UpdateError(UpdateFault.LEFT_OVER, what)
    lines = sorted(f"{described(name)}\n".encode() for name in reached)
    BoundedOutput(out, limits.size).write(b"".join(lines))


def apply(base: BinaryIO, delta: BinaryIO, out: BinaryIO, limits: DeltaLimits) -> None:
    """Write the objects of the new commit to `out`; raises `UpdateError`."""
    old, new = _superblock(base, "base"), _superblock(delta, "delta")
    if old.base or new.base != old.commit:
        what = f"a delta of commit {new.base.hex()}, and the base is {old.commit.hex()}"
        raise UpdateError(UpdateFault.WRONG_BASE, what)
    with limits.scratch() as scratch:
        objects = Objects(scratch)
        _executed(old, objects)
        _write_objects(new, objects, out, limits)


def write_members(target: BinaryIO, out: BinaryIO, limits: DeltaLimits) -> None:
    """Write the objects of a full file to `out`, as `apply` does; raises `UpdateError`."""
    block = _superblock(target, "target")
    if block.base:
        raise unsupported("a target that is a delta of another commit")
    with limits.scratch() as scratch:
        _write_objects(block, Objects(scratch), out, limits)


OSTREE = DeltaFormat(apply=apply, members=write_members)
