"""Write the blobs of one git commit as a canonical tar."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from builders.core.digest import CHUNK
from builders.core.errors import InputMismatchError
from builders.locators.git_repository import GitRepository

MAX_FILES = 1_000_000
MAX_BYTES = 16 << 30
_MODES = {"100644": 0o644, "100664": 0o644, "100755": 0o755, "120000": 0o777}
_SYMLINK, _SUBMODULE = "120000", "160000"
_POINTER = b"version https://git-lfs"  # how a Git LFS pointer file begins (its specification)
_POINTER_MAX = 1024


@dataclass(frozen=True, kw_only=True, order=True)
class _Entry:
    path: str
    mode: str
    blob: str


def write_tree(git: GitRepository, commit: str, top: str, target: Path, *, what: str) -> None:
    """Write the tree of `commit` below the folder `top` of a tar, the new file `target`.

    Raises `InputMismatchError`, naming `what`, for submodules, Git LFS pointers, and paths or sizes
    that no source tree has.
    """
    shown = git.output("show", "--no-patch", "--format=%ct", commit)
    mtime = max(0, int(shown.split()[-1]))
    entries = sorted(_entries(git.output("ls-tree", "-r", "-z", commit), what))
    if not entries or len(entries) > MAX_FILES:
        raise _refused(what, got=f"{len(entries)} files", expected=f"1 to {MAX_FILES} files")
    left = MAX_BYTES
    with (
        target.open("xb") as out,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar,
        git.blobs() as (requests, blobs),
    ):
        for entry in entries:
            requests.write(entry.blob.encode() + b"\n")
            requests.flush()
            size = _size(blobs.readline(), entry, what)
            left -= size
            if left < 0:
                raise _refused(what, got="more", expected=f"at most {MAX_BYTES} bytes")
            info = tarfile.TarInfo(f"{top}/{entry.path}")
            info.mode, info.mtime = _MODES[entry.mode], mtime
            _add(tar, info, entry, blobs, size, what)
            blobs.read(1)  # the newline after each object
            tar.getmembers().clear()  # which would otherwise all be kept in memory


def _add(
    tar: tarfile.TarFile,
    info: tarfile.TarInfo,
    entry: _Entry,
    blob: BinaryIO,
    size: int,
    what: str,
) -> None:
    if entry.mode == _SYMLINK:
        info.type = tarfile.SYMTYPE
        info.linkname = blob.read(size).decode("utf-8", "surrogateescape")
        tar.addfile(info)
        return
    info.size = size
    if size > _POINTER_MAX:
        tar.addfile(info, _Window(blob, size))
        return
    data = blob.read(size)
    if data.startswith(_POINTER):
        raise _refused(
            what,
            got=f"a Git LFS pointer in place of {entry.path!r}",
            expected="the file itself: what is not in git was not reviewed",
        )
    tar.addfile(info, BytesIO(data))


class _Window:
    """The next `size` bytes of a stream."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int = CHUNK) -> bytes:
        piece = self._stream.read(min(size, self._left))
        self._left -= len(piece)
        return piece


def _entries(listing: bytes, what: str) -> Iterator[_Entry]:
    for line in listing.split(b"\0"):
        if not line:
            continue
        head, _, raw = line.partition(b"\t")
        mode, _, blob = head.decode().split(" ")
        path = raw.decode("utf-8", "surrogateescape")
        if mode == _SUBMODULE:
            raise _refused(
                what,
                got=f"a submodule at {path!r}",
                expected="a tree without submodules",
                todo="Use the project's release archive, which contains its submodules",
            )
        if mode not in _MODES or path.startswith("/") or {"", ".", ".."} & set(path.split("/")):
            raise _refused(what, got=f"mode {mode} at {path!r}", expected="plain files and links")
        yield _Entry(path=path, mode=mode, blob=blob)


def _size(header: bytes, entry: _Entry, what: str) -> int:
    fields = header.split()
    if len(fields) != 3 or fields[:2] != [entry.blob.encode(), b"blob"]:
        raise _refused(what, got=f"{header[:80]!r} for {entry.path!r}", expected="a blob")
    return int(fields[2])


def _refused(
    what: str, *, got: object, expected: object, todo: str | None = None
) -> InputMismatchError:
    return InputMismatchError(f"{what} cannot be used", got=got, expected=expected, todo=todo)
