"""One file inside an archive, taken out in the parser jail.

Its path is that of a purl's subpath: of a `.deb` the path in the installed system, of any other
archive the path in it. Archives inside of archives are part of the path: `data.tar/./usr/bin/x`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from pydantic import TypeAdapter

from builders.archives import ArchiveError, members
from builders.archives.compressed import unpacked_name
from builders.core.errors import InputMismatchError, InputUnavailableError
from builders.core.frozen_model import FrozenModel
from builders.jail.errors import JailFailedError
from builders.jail.file_reader import Jail, JailLimits, Reader, Scratch
from builders.locators.fetcher import Fetcher, FetchRequest

_DEB = PurePosixPath("data.tar")
MAX_MEMBER = 8 << 30
"""Bytes of a file that is taken out."""


class MemberPath(FrozenModel):
    """The path of a member, and how many bytes it may have."""

    path: str
    most: int = MAX_MEMBER


class _Bounded(io.RawIOBase):
    """Writes to a file, and no more than so many bytes."""

    def __init__(self, out: BinaryIO, wanted: MemberPath) -> None:
        self._out, self._wanted, self._left = out, wanted, wanted.most

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        self._left -= len(data)
        if self._left < 0:
            raise _refused(self._wanted.path, f"one of more than {self._wanted.most} bytes")
        return self._out.write(data)


def copy_member(
    jail: Jail, archive: BinaryIO, path: str, out: BinaryIO, *, most: int = MAX_MEMBER
) -> int:
    """Copy a member of `archive` to the empty file `out`; returns its size, at most `most` bytes.

    Raises `InputMismatchError` where there is no such file, or more than one, `ArchiveError` for
    what is no sound archive, and as `Jail.run` does.
    """
    return jail.run(MEMBER, [archive], MemberPath(path=path, most=most), outputs=[out])


class MemberFetcher:
    """Fetches packages with another fetcher, and takes out the file that a subpath names."""

    def __init__(self, fetcher: Fetcher, jail: Jail) -> None:
        """Read packages in `jail`."""
        self._fetcher = fetcher
        self._jail = jail

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `Fetcher`. A package without the file is unavailable."""
        paths = self._fetcher.fetch(requests, into)
        return [self._file(*pair) for pair in zip(requests, paths, strict=True)]

    def _file(self, request: FetchRequest, package: Path) -> Path:
        path = getattr(request.locator, "subpath", None)
        if path is None:
            return package
        member = package.with_name(f"{package.name}-member")
        try:
            with package.open("rb") as archive, member.open("xb") as out:
                copy_member(self._jail, archive, path, out)
        except (ArchiveError, InputMismatchError, JailFailedError) as error:
            raise InputUnavailableError(f"{request.locator} was not found", got=error) from error
        return member


def _copy(files: Sequence[BinaryIO], parameters: MemberPath, scratch: Scratch) -> int:
    archive, out = files
    wanted = PurePosixPath(parameters.path)
    places = (wanted, _DEB / wanted)
    found = 0

    def enters(path: str) -> bool:
        ends = (path, unpacked_name(path))
        return any(place.is_relative_to(end) for place in places for end in ends)

    def copier(path: str, _: str) -> BinaryIO | None:
        nonlocal found
        if PurePosixPath(path) not in places:
            return None
        found += 1
        if found > 1:
            raise _refused(parameters.path, "more than one")
        return cast("BinaryIO", _Bounded(out, parameters))

    size, datas = None, 0
    for member in members(archive, copier=copier, scratch=scratch, enters=enters):
        # The folder `./` inside of it has its path.
        datas += member.kind == "file" and PurePosixPath(member.path) == _DEB
        if datas > 1:
            raise _refused(parameters.path, f"{_DEB} twice, of which dpkg reads the first")
        if PurePosixPath(member.path) in places:
            if member.kind != "file" or size is not None:
                raise _refused(parameters.path, f"a {member.kind}, or one more")
            size = member.size
    if size is None:
        raise _refused(parameters.path, "none")
    out.flush()
    return size


def _refused(path: str, got: str) -> InputMismatchError:
    return InputMismatchError(
        f"an archive has no single file {path}",
        got=got,
        expected="one regular file",
        todo="`samebits compare` lists the members of two archives that differ",
    )


MEMBER = Reader(
    name="builders.inputs.archive_member:MEMBER",
    read=_copy,
    parameters=MemberPath,
    result=TypeAdapter(int),
    limits=JailLimits(seconds=300, answer=1 << 10, scratch_files=8, scratch=MAX_MEMBER),
    errors=(InputMismatchError, ArchiveError),
)
"""Copies one file out of an archive."""
