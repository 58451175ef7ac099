"""What is inside an archive and the archives in it, found by content and never by name.

Everything streams by once, hashed on the way; only a zip inside another archive is set aside, on
disk when it is large, because its directory stands at its end. Of a hostile archive nothing
comes but members, or one `ArchiveError`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

from builders.archives import ars, tars, zips
from builders.archives.compressed import Form, Unpacked, compression, unpacked_name
from builders.archives.limits import (
    ArchiveError,
    ArchiveLimitError,
    ArchiveTooDeepError,
    Budget,
    Clock,
    Limits,
    UnsupportedArchiveError,
)
from builders.archives.member import Entry, Member
from builders.archives.streams import Hashed, Reader

_HOLDERS = frozenset({"ar", "tar", "zip"})
_HEAD = tars.BLOCK
_IN_MEMORY = 4 << 20
_DEFAULT = Limits()


def form(head: bytes) -> Form | None:
    """Return the form of the archive that starts with `head` (512 bytes, or all there is)."""
    if head.startswith(ars.MAGIC):
        return "ar"
    if head.startswith(zips.MAGICS):
        return "zip"
    if name := compression(head):
        return name
    return "tar" if tars.looks_like_tar(head) else None


def members(
    stream: BinaryIO, limits: Limits = _DEFAULT, *, clock: Clock = time.monotonic
) -> Iterator[Member]:
    """Yield the members of the archive in the seekable `stream`; none if it is not an archive.

    Nested archives are opened too, and their members come before the member they are in. A member
    of a `.deb` is `data.tar/./usr/bin/x`; the unpacked content of a compressed file is a member of
    its own (`data.tar` inside `data.tar.xz`). A nested archive that is broken or too deep is an
    opaque file, with the reason in `unread`. Raises `ArchiveError` when the archive itself is
    broken, and its subclass `ArchiveLimitError` when another limit is hit, at any depth.
    """
    walk = _Walk(Budget(limits, clock), set_aside=limits.set_aside)
    head = Reader(stream).peek(_HEAD)
    stream.seek(0)
    if kind := form(head):
        walk.budget.depth(1)
        yield from walk.inside(kind, stream, _Place(path="", prefix="", depth=1))


@dataclass(frozen=True)
class _Place:
    """Where an archive stands in those around it."""

    path: str
    prefix: str
    """In front of the paths of its members."""
    depth: int


class _Walk:
    """One listing; its budget is shared by all that is nested."""

    def __init__(self, budget: Budget, *, set_aside: int) -> None:
        self.budget = budget
        self._set_aside = set_aside

    def inside(self, kind: Form, stream: IO[bytes] | Reader, place: _Place) -> Iterator[Member]:
        """Yield what an archive of form `kind` holds."""
        match kind:
            case "zip":
                yield from self._zip(stream, place)
            case "ar":
                yield from self._entries(ars.entries(Reader(stream)), place)
            case "tar":
                yield from self._entries(tars.entries(Reader(stream), self.budget), place)
            case _:
                yield from self._compressed(kind, Reader(stream), place)

    def _zip(self, stream: IO[bytes] | Reader, place: _Place) -> Iterator[Member]:
        if not isinstance(stream, Reader):
            yield from self._entries(zips.entries(stream, self.budget), place)
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
            for piece in stream.pieces():
                if copy.tell() + len(piece) > self._set_aside:
                    raise ArchiveLimitError(
                        "a zip inside an archive is too large",
                        got=f"more than {self._set_aside} bytes",
                        expected=f"at most {self._set_aside} bytes",
                    )
                copy.write(piece)
            yield from self._entries(zips.entries(copy, self.budget), place)

    def _entries(self, entries: Iterable[Entry], place: _Place) -> Iterator[Member]:
        for entry in entries:
            self.budget.member()
            facts = entry.facts
            known = {**vars(facts), "path": place.prefix + facts.path, "inside": place.path}
            self.budget.text(len(known["path"]) + len(facts.target or "") + len(facts.owner or ""))
            if entry.body is None:
                yield Member(**known)
            else:
                yield from self._file(Hashed(entry.body, self.budget.time), known, place)

    def _compressed(self, kind: str, reader: Reader, place: _Place) -> Iterator[Member]:
        self.budget.member()
        path = unpacked_name(place.path)
        self.budget.text(len(path))
        known = {"path": path, "kind": "file", "inside": place.path}
        body = Hashed(Unpacked(reader, kind, self.budget), self.budget.time)
        yield from self._file(body, known, place, wrapped=True)

    def _file(
        self, body: Hashed, known: dict[str, Any], place: _Place, *, wrapped: bool = False
    ) -> Iterator[Member]:
        """Yield what is inside a file, then the file itself."""
        reader = Reader(body)
        kind = form(reader.peek(_HEAD))
        fault: ArchiveError | None = None
        if kind:
            # a compressed tar is one archive to whoever made it; gzip in gzip in gzip is not
            depth = place.depth + (0 if wrapped and kind in _HOLDERS else 1)
            prefix = "" if wrapped and not place.path else f"{known['path']}/"
            try:
                self.budget.depth(depth)
                yield from self.inside(kind, reader, _Place(known["path"], prefix, depth))
            except ArchiveLimitError:
                raise
            except ArchiveError as error:
                if wrapped and not place.path:
                    raise  # what is broken is the outermost archive itself
                fault = error
        digest = body.finish()
        yield Member(
            **known,
            size=body.size,
            sha256=digest,
            container=bool(kind) and fault is None,
            unread=str(fault) if fault else None,
            missed=isinstance(fault, ArchiveTooDeepError | UnsupportedArchiveError),
        )
