"""Write a folder as one canonical tar layer.

Entries are sorted by path, times are clamped to the epoch, owners are numeric, and hard links point
to the first path in that order. What a running system or the file system of this machine adds is
left out: device nodes, sockets, extended attributes, and everything below /dev /proc /run /sys
/tmp.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from builders.core.errors import ImageUnavailableError

_EMPTIED = frozenset({"dev", "proc", "run", "sys", "tmp"})

_MAX_DEPTH, _MAX_PATH = 200, 2048  # folders, bytes


def write_layer(root: Path, out: BinaryIO, epoch: int, first_id: int) -> None:
    """Write everything below `root` to `out` as an uncompressed tar; `epoch` in seconds.

    What the user or group `first_id` owns is root's in the layer, and so on from there. Raises
    `ImageUnavailableError` for a tree that is too deep.
    """
    links: dict[tuple[int, int], str] = {}
    with tarfile.TarFile(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, copybufsize=1 << 20
    ) as tar:
        for name in _names(os.fsencode(root), b""):
            path = os.path.join(os.fsencode(root), name)  # noqa: PTH118  # bytes, not text
            info = _info(path, os.fsdecode(name), epoch, first_id, links)
            if info is None:
                continue
            if info.isreg():
                with open(path, "rb") as stream:  # noqa: PTH123  # bytes, not text
                    tar.addfile(info, stream)
            else:
                tar.addfile(info)
            tar.getmembers().clear()  # which would otherwise all be kept in memory


def _names(root: bytes, below: bytes) -> Iterator[bytes]:
    """Yield relative paths sorted as bytes, each folder before its content."""
    with os.scandir(os.path.join(root, below)) as entries:  # noqa: PTH118
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in found:
        path = os.path.join(below, name) if below else name  # noqa: PTH118
        if len(path) > _MAX_PATH or path.count(b"/") >= _MAX_DEPTH:
            raise ImageUnavailableError(
                "a package leaves a path that is too deep or too long for an image",
                got=f"{os.fsdecode(path[:60])}...",
                expected=f"at most {_MAX_DEPTH} folders and {_MAX_PATH} bytes",
                todo="Leave that package out of the image, and tell its maintainer",
            )
        yield path
        if is_folder and os.fsdecode(path) not in _EMPTIED:
            yield from _names(root, path)


def _info(
    path: bytes, name: str, epoch: int, first_id: int, links: dict[tuple[int, int], str]
) -> tarfile.TarInfo | None:
    found = os.lstat(path)
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(found.st_mode)
    info.uid, info.gid = found.st_uid - first_id, found.st_gid - first_id
    info.mtime = epoch if name in _EMPTIED else min(int(found.st_mtime), epoch)
    match stat.S_IFMT(found.st_mode):
        case stat.S_IFDIR:
            info.type = tarfile.DIRTYPE
        case stat.S_IFLNK:
            info.type, info.mode = tarfile.SYMTYPE, 0o777
            info.linkname = os.fsdecode(os.readlink(path))  # noqa: PTH115  # bytes, not text
        case stat.S_IFREG:
            key = (found.st_dev, found.st_ino)
            if found.st_nlink > 1 and key in links:
                info.type, info.linkname = tarfile.LNKTYPE, links[key]
            else:
                links[key] = name
                info.size = found.st_size
        case _:
            return None
    return info
