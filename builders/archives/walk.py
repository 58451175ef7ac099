"""List an archive and the archives nested in it; formats are found by content, never by name.

Everything is streamed once and hashed on the way. Only a zip inside another archive is copied first
(to disk if it is large), because its directory is at its end. Errors of untrusted archives are all
raised as `ArchiveError`.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

from builders.archives import ar, tar
from builders.archives import zip as zipfiles
from builders.archives.compressed import (
    ArchiveFormat,
    Compression,
    DecompressedStream,
    compression,
    unpacked_name,
)
from builders.archives.limits import (
    ArchiveError,
    ArchiveLimitError,
    ArchiveLimits,
    ArchiveTooDeepError,
    Budget,
    MonotonicClock,
    UnsupportedArchiveError,
    require_at_most,
)
from builders.archives.member import Entry, Member
from builders.archives.streams import ByteReader, CopyingStream, HashingStream, Readable, Writable

_HEAD = tar.BLOCK
_IN_MEMORY = 4 << 20
_DEFAULT = ArchiveLimits()

Copier = Callable[[str, str], Writable | None]
"""Given path and container of a file, returns where its content is copied to; None for nowhere."""

Scratch = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens an empty file to write to and read again, which is gone when it is closed."""

Enters = Callable[[str], bool]
"""Says by its path whether an archive inside of an archive is read, too."""


def archive_format(head: bytes) -> ArchiveFormat | None:
    """Return the format of an archive by its first 512 bytes (or all, if it is shorter)."""
    if head.startswith(ar.MAGIC):
        return "ar"
    if head.startswith(zipfiles.MAGICS):
        return "zip"
    if name := compression(head):
        return name
    return "tar" if tar.looks_like_tar(head) else None


def members(
    stream: BinaryIO,
    limits: ArchiveLimits = _DEFAULT,
    *,
    clock: MonotonicClock = time.monotonic,
    copier: Copier | None = None,
    scratch: Scratch = tempfile.TemporaryFile,
    enters: Enters = lambda _: True,
) -> Iterator[Member]:
    """Yield the members of the archive in the seekable `stream`; none if it is not an archive.

    The members of a nested archive come before the member that it is. A file in a `.deb` has the
    path `data.tar/./usr/bin/x`; the content of a compressed file is a member of its own (`data.tar`
    inside `data.tar.xz`). A nested archive that is broken or too deep is listed as a file, with the
    reason in `unread`, and one that is not entered as any other file. The content of a file is
    copied to where `copier` says; the copy is complete when the member is yielded. Raises
    `ArchiveError` if the outermost archive is broken, and its subclass `ArchiveLimitError` if any
    other limit is exceeded, at any depth.
    """
    listing = _Listing(Budget(limits, clock), limits.set_aside, copier, scratch, enters)
    head = ByteReader(stream).peek(_HEAD)
    stream.seek(0)
    if found := archive_format(head):
        listing.budget.depth(1)
        yield from listing.archive(found, stream, _Location(path="", prefix="", depth=1))


@dataclass(frozen=True)
class _Location:
    """Where an archive is within the archives around it."""

    path: str
    prefix: str
    """Added in front of the paths of its members."""
    depth: int


class _Listing:
    """One listing; all nested archives share its budget."""

    def __init__(
        self,
        budget: Budget,
        set_aside: int,
        copier: Copier | None,
        scratch: Scratch,
        enters: Enters,
    ) -> None:
        self.budget = budget
        self._set_aside = set_aside
        self._copier = copier
        self._scratch = scratch
        self._enters = enters

    def archive(
        self, found: ArchiveFormat, stream: IO[bytes] | ByteReader, location: _Location
    ) -> Iterator[Member]:
        """Yield what an archive of the format `found` holds."""
        match found:
            case "zip":
                yield from self._zip(stream, location)
            case "ar":
                yield from self._entries(ar.ar_entries(ByteReader(stream)), location)
            case "tar":
                yield from self._entries(tar.tar_entries(ByteReader(stream), self.budget), location)
            case _:
                yield from self._compressed(found, ByteReader(stream), location)

    def _zip(self, stream: IO[bytes] | ByteReader, location: _Location) -> Iterator[Member]:
        if not isinstance(stream, ByteReader):
            yield from self._entries(zipfiles.zip_entries(stream, self.budget), location)
            return
        with ExitStack() as held:
            memory = io.BytesIO()
            copy: IO[bytes] = memory
            for piece in stream.pieces():
                size = copy.tell() + len(piece)
                what = "a zip inside an archive is too large"
                require_at_most(what, size, self._set_aside, "bytes")
                if copy is memory and size > _IN_MEMORY:
                    copy = held.enter_context(self._scratch())
                    copy.write(memory.getvalue())
                    memory.close()
                copy.write(piece)
            yield from self._entries(zipfiles.zip_entries(copy, self.budget), location)

    def _entries(self, entries: Iterable[Entry], location: _Location) -> Iterator[Member]:
        for entry in entries:
            self.budget.member()
            header = entry.header
            path = location.prefix + header.path
            known = {**vars(header), "path": path, "inside": location.path}
            self.budget.text(len(path) + len(header.target or "") + len(header.owner or ""))
            if entry.body is None:
                yield Member(**known)
            else:
                yield from self._file(entry.body, known, location)

    def _compressed(
        self, name: Compression, reader: ByteReader, location: _Location
    ) -> Iterator[Member]:
        self.budget.member()
        path = unpacked_name(location.path)
        self.budget.text(len(path))
        known = {"path": path, "kind": "file", "inside": location.path}
        content = DecompressedStream(reader, name, self.budget)
        yield from self._file(content, known, location, compressed=True)

    def _file(
        self,
        content: Readable,
        known: dict[str, Any],
        location: _Location,
        *,
        compressed: bool = False,
    ) -> Iterator[Member]:
        """Yield the members of a file that is an archive, then the file itself."""
        copy = self._copier(known["path"], known["inside"]) if self._copier else None
        source = content if copy is None else CopyingStream(content, copy)
        body = HashingStream(source, self.budget.time)
        reader = ByteReader(body)
        outermost = compressed and not location.path
        enters = outermost or self._enters(known["path"])
        found = archive_format(reader.peek(_HEAD)) if enters else None
        error: ArchiveError | None = None
        if found:
            # A compressed tar counts as one archive; a gzip inside a gzip counts as two.
            same = compressed and found in {"ar", "tar", "zip"}
            depth = location.depth + (0 if same else 1)
            prefix = "" if outermost else f"{known['path']}/"
            try:
                self.budget.depth(depth)
                yield from self.archive(found, reader, _Location(known["path"], prefix, depth))
            except ArchiveLimitError:
                raise
            except ArchiveError as caught:
                if outermost:
                    raise  # the outermost archive itself is broken
                error = caught
        digest = body.finish()
        yield Member(
            **known,
            size=body.size,
            sha256=digest,
            container=bool(found) and error is None,
            unread=str(error) if error else None,
            missed=isinstance(error, ArchiveTooDeepError | UnsupportedArchiveError),
        )
