"""Collect outputs, which are not trusted: only regular files, of limited number and size."""

from __future__ import annotations

import hashlib
import os
import stat
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from builders.core.digest import CHUNK, Digest
from builders.core.errors import BuildFailedError, ScratchError
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.recipe import Recipe

_FILE_TYPES = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def part_of(name: str, recipe: Recipe) -> OutputKind:
    """Return what an output of that name is; declared artefacts come first."""
    if any(artefact.name == name for artefact in recipe.artefacts):
        return OutputKind.ARTEFACT
    if any(fnmatchcase(name, glob) for glob in recipe.published_by_products):
        return OutputKind.PUBLISHED
    if any(fnmatchcase(name, glob) for glob in recipe.by_products):
        return OutputKind.BY_PRODUCT
    if any(fnmatchcase(name, glob) for glob in recipe.ignore):
        return OutputKind.IGNORED
    return OutputKind.UNEXPECTED


def take_outputs(source: Path, target: Path, recipe: Recipe) -> tuple[Output, ...]:
    """Copy the outputs of a build, sorted by name; raises as `copy_files` does."""
    taken = copy_files(source, target, count=recipe.limits.outputs, room=recipe.limits.scratch)
    return tuple(
        Output(name=name, size=size, sha256=digest, part=part_of(name, recipe))
        for name, (size, digest) in taken.items()
    )


def copy_files(
    source: Path, target: Path, *, count: int, room: int
) -> dict[str, tuple[int, Digest]]:
    """Copy the files of an untrusted folder; returns size and digest by name, sorted.

    Raises `BuildFailedError` for anything that is no regular file at the top of the folder, and for
    more than `count` files or `room` bytes.
    """
    taken = {}
    for name in _names(source, limit=count):
        size, digest = _copy(source, name, target / name, room=room)
        room -= size
        taken[name] = (size, digest)
    return taken


def _names(source: Path, *, limit: int) -> list[str]:
    names: list[str] = []
    with os.scandir(source) as entries:
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            shown = ascii(entry.name)[1:-1][:120]
            if not stat.S_ISREG(mode):
                raise BuildFailedError(
                    f"the build left {shown} as an output",
                    got=_file_type(mode),
                    expected="regular files at the top of the output folder",
                )
            if len(names) >= limit:
                what = "the build left too many outputs"
                raise BuildFailedError(what, got="more", expected=f"at most {limit}")
            if not entry.name.isprintable() or entry.name.startswith("."):
                raise BuildFailedError(f"the build left an output with an odd name: {shown}")
            names.append(entry.name)
    return sorted(names)


def _copy(source: Path, name: str, target: Path, *, room: int) -> tuple[int, Digest]:
    hasher, size = hashlib.sha256(), 0
    with _opened(source, name) as stream:
        try:
            with target.open("xb") as out:
                while piece := stream.read(CHUNK):
                    size += len(piece)
                    if size > room:  # a sparse file can be larger than its file system
                        what = "the outputs are too large"
                        raise BuildFailedError(what, got="more", expected=f"at most {room} bytes")
                    hasher.update(piece)
                    out.write(piece)
        except OSError as error:
            raise ScratchError(
                "an output cannot be copied", got=error.strerror, todo="Free some disk space"
            ) from error
    return size, Digest(hasher.hexdigest())


def _opened(source: Path, name: str) -> BinaryIO:
    """Open a file that was regular when it was listed, and check that it still is."""
    what = f"output {name} changed while it was read"
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(source / name, flags)
    except OSError as error:
        raise BuildFailedError(what, got=error.strerror) from error
    if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BuildFailedError(what, got=_file_type(mode))
    return os.fdopen(descriptor, "rb", buffering=0)


def _file_type(mode: int) -> str:
    return _FILE_TYPES.get(stat.S_IFMT(mode), "something else")
