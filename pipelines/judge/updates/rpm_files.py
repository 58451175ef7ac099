"""The files of an old RPM package, in the form that a delta of its files starts from.

That is a cpio archive of some files in the order of a sequence, whose headers have mode, size and
name from the header of the package, and zeros otherwise. Sources: deltarpm 3.6.5, README and
`readdeltarpm.c`; cpio(5), "New ASCII Format".
"""

from __future__ import annotations

import hashlib
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from pipelines.judge.signatures.rpm_header import INT16, INT32, STRING, STRINGS, RpmHeader
from pipelines.judge.updates.delta_io import PackedPart, unreadable, unsupported
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_OLD_NAMES, _SIZES, _MODES, _DEVICES, _DIGESTS, _LINKS = 1027, 1028, 1030, 1033, 1035, 1036
_FOLDER_NUMBERS, _BASE_NAMES, _FOLDERS = 1116, 1117, 1118
_ALGORITHM = 5011
_MD5, _SHA256 = 1, 8
_DIGEST_SIZES = {_MD5: 16, _SHA256: 32}
_HEADER = 110
_MAGIC = b"070701"
_TRAILER = b"TRAILER!!!"
_MAX_NAME = 1 << 14
_MD5_SIZE = 16
_MAX_SHIFT = 30


@dataclass(frozen=True, kw_only=True)
class _File:
    name: bytes
    mode: int
    size: int
    """Of its content; of a symbolic link, of the path that it has."""
    device: int
    link: bytes
    digest: bytes

    def cpio_header(self) -> bytes:
        """Return its header and name, padded."""
        major, minor = self.device >> 8, self.device & 0xFF
        numbers = (0, self.mode, 0, 0, 1, 0, self.size, 0, 0, major, minor, len(self.name) + 3, 0)
        return _cpio_header(numbers, b"./" + self.name)

    def about(self) -> bytes:
        """Return what the digest of a sequence covers."""
        return self.name + b"\0" + struct.pack(">III", self.mode, self.size, self.device)


def _cpio_header(numbers: tuple[int, ...], name: bytes) -> bytes:
    header = _MAGIC + b"".join(b"%08x" % number for number in numbers) + name + b"\0"
    return header + bytes(-len(header) % 4)


def package_name(header: RpmHeader) -> bytes:
    """Return name, epoch, version and release of a package; raises `UpdateError`."""
    name, version, release = (_texts(header, tag) for tag in (_NAME, _VERSION, _RELEASE))
    if not name or not version or not release:
        raise unreadable("a package without name, version and release")
    epoch = _numbers(header, _EPOCH)
    front = b"%d:" % epoch[0] if epoch else b""
    return b"%s-%s%s-%s" % (name[0], front, version[0], release[0])


def old_archive(header: RpmHeader, payload: PackedPart, sequence: bytes, out: IO[bytes]) -> None:
    """Write the archive that a sequence asks for; raises `UpdateError`."""
    files = _files(header)
    wanted = [files[number] for number in _order(sequence[_MD5_SIZE:], len(files))]
    digest = hashlib.md5(usedforsecurity=False)
    for one in wanted:
        digest.update(one.about() + (one.link + b"\0" if stat.S_ISLNK(one.mode) else one.digest))
    if digest.digest() != sequence[:_MD5_SIZE]:
        raise UpdateError(UpdateFault.WRONG_BASE, "the base has not the files that the delta wants")
    for one in wanted:
        size = _found(payload, one.name)
        out.write(one.cpio_header())
        if stat.S_ISREG(one.mode):
            if size != one.size:
                raise unreadable(f"a file of {size} bytes in the base, {one.size} in its header")
            out.writelines(payload.pieces(_padded(size)))
            continue
        _skip(payload, size)
        out.write(one.link + bytes(-len(one.link) % 4))
    out.write(_cpio_header((0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(_TRAILER) + 1, 0), _TRAILER))


def _found(payload: PackedPart, name: bytes) -> int:
    """Go on to the next file of a name in the archive of a package; returns its size."""
    while True:
        header = payload.exactly(_HEADER)
        if not header.startswith(_MAGIC):
            raise unsupported(f"a payload that is no cpio archive: {header[:6]!r}")
        try:
            size, length = int(header[54:62], 16), int(header[94:102], 16)
        except ValueError as error:
            raise unreadable("a broken cpio archive in the base") from error
        if length > _MAX_NAME:
            raise unreadable(f"a name of {length} bytes in the base")
        found = payload.exactly(_padded(_HEADER + length) - _HEADER)[: max(0, length - 1)]
        if found == _TRAILER:
            raise unreadable("a file in the header of the base that is not in its payload")
        if found.removeprefix(b"./") == name:
            return size
        _skip(payload, size)


def _skip(payload: PackedPart, size: int) -> None:
    for _ in payload.pieces(_padded(size)):
        pass


def _padded(size: int) -> int:
    return size + -size % 4


def _order(packed: bytes, count: int) -> list[int]:
    """Return the numbers of the files in a sequence; raises `UpdateError`.

    Numbers of 3 bits a half byte say in turn how many files follow and how many are left out; after
    a 0 comes the number of the next file.
    """
    found: list[int] = []
    at = value = shift = 0
    takes, jumps = True, False
    for half in (half for byte in packed for half in (byte >> 4, byte & 15)):
        value |= (half & 7) << shift
        if half & 8:
            shift += 3
            if shift > _MAX_SHIFT:
                raise unreadable("a sequence with a number that is too large")
            continue
        number, value, shift = value, 0, 0
        if jumps:
            at, takes, jumps = number, True, False
        elif not number:
            jumps = True
        elif not takes:
            at, takes = at + number, True
        else:
            if at + number > count or len(found) + number > count:
                raise unreadable(f"a sequence of more than the {count} files of the base")
            found.extend(range(at, at + number))
            at, takes = at + number, False
    if shift:
        raise unreadable("a sequence that is cut off")
    return found


def _files(header: RpmHeader) -> list[_File]:
    """Return the files of a package; raises `UpdateError`."""
    names = list(_names(header))
    modes, sizes = _numbers(header, _MODES, INT16), _numbers(header, _SIZES)
    devices = _numbers(header, _DEVICES, INT16)
    links, digests = _texts(header, _LINKS), _texts(header, _DIGESTS)
    algorithm = (_numbers(header, _ALGORITHM) or (_MD5,))[0]
    if algorithm not in _DIGEST_SIZES:
        raise unsupported(f"digests of files by algorithm {algorithm}")
    lists = (names, modes, sizes, devices, links, digests)
    if len({len(one) for one in lists}) != 1:
        raise unreadable("lists of files in the base that are of different lengths")
    length = _DIGEST_SIZES[algorithm]
    return [
        _file(name, mode, size, device, link, digest, length)
        for name, mode, size, device, link, digest in zip(
            names, modes, sizes, devices, links, digests, strict=True
        )
    ]


def _file(
    name: bytes, mode: int, size: int, device: int, link: bytes, digest: bytes, length: int
) -> _File:
    is_file, is_link = stat.S_ISREG(mode), stat.S_ISLNK(mode)
    is_device = stat.S_ISBLK(mode) or stat.S_ISCHR(mode)
    found = b""
    if is_file and size:
        try:
            found = bytes.fromhex(digest.decode("ascii"))
        except ValueError as error:
            raise unreadable("a digest of a file that is no hexadecimal number") from error
        if len(found) != length:
            raise unreadable(f"a digest of {len(found)} bytes, expected {length}")
    return _File(
        name=name.removeprefix(b"/"),
        mode=mode,
        size=size if is_file else len(link) if is_link else 0,
        device=device if is_device else 0,
        link=link if is_link else b"",
        digest=found,
    )


def _names(header: RpmHeader) -> Iterator[bytes]:
    if old := _texts(header, _OLD_NAMES):
        yield from old
        return
    folders, numbers = _texts(header, _FOLDERS), _numbers(header, _FOLDER_NUMBERS)
    bases = _texts(header, _BASE_NAMES)
    if len(numbers) != len(bases) or any(number >= len(folders) for number in numbers):
        raise unreadable("names of files in folders that the base has not")
    for base, number in zip(bases, numbers, strict=True):
        yield folders[number] + base


def _texts(header: RpmHeader, tag: int) -> list[bytes]:
    entry = header.find(tag)
    if entry is None:
        return []
    if entry.kind not in {STRING, STRINGS}:
        raise unreadable(f"tag {tag} of type {entry.kind}")
    return header.value(entry).split(b"\0")[:-1]


def _numbers(header: RpmHeader, tag: int, kind: int = INT32) -> tuple[int, ...]:
    entry = header.find(tag)
    if entry is None:
        return ()
    if entry.kind != kind:
        raise unreadable(f"tag {tag} of type {entry.kind}")
    letter = "H" if kind == INT16 else "I"
    return struct.unpack(f">{entry.count}{letter}", header.value(entry))
