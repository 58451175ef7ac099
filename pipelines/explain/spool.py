"""Copies of the members of an archive, made while it is listed, so that it is unpacked only once.

The members of one container follow each other in one scratch file; a container within it is in the
same file, and what is in that one in the next.
"""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import IO

from builders.archives import Member, Scratch
from pipelines.explain.format_fields import Content

LEVELS = 7
"""Scratch files of one archive; members that are deeper are not copied."""
MOST = 1 << 30
"""Bytes that are copied of one archive."""


class Spool:
    """The copies of one archive; `copied` is a copier for `builders.archives.members`."""

    def __init__(self, scratch: Scratch, held: ExitStack) -> None:
        """Open scratch files in `held` as they are needed."""
        self._scratch, self._held = scratch, held
        self._files: list[IO[bytes]] = []
        self._levels: dict[str, int] = {"": -1}
        self._copies: dict[str, _Copy] = {}
        self._room = _Room()

    def copied(self, path: str, container: str) -> _Copy | None:
        """Return where a member is copied to; None where there is no room."""
        level = self._levels.get(container, LEVELS) + 1
        if level >= LEVELS:
            return None
        if level == len(self._files):
            self._files.append(self._held.enter_context(self._scratch()))
        self._levels[path] = level
        copy = self._copies[path] = _Copy(self._files[level], self._room)
        return copy

    def take(self, member: Member) -> Content | None:
        """Return the copy of a member that was just listed; None where it is not whole."""
        copy = self._copies.pop(member.path, None)
        if copy is None or copy.size != member.size:
            return None
        return Content(copy.file, copy.start, copy.size)


class _Room:
    """Bytes that may still be copied."""

    left = MOST


class _Copy:
    """Writes at the end of a scratch file, as long as there is room."""

    def __init__(self, file: IO[bytes], room: _Room) -> None:
        self.file, self._room = file, room
        self.start = file.seek(0, io.SEEK_END)
        self.size = 0

    def write(self, data: bytes, /) -> None:
        if len(data) <= self._room.left:
            self.file.write(data)
            self.size += len(data)
            self._room.left -= len(data)
