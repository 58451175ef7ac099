"""Find known files inside other bytes: at any offset, compressed, or written as text.

No archive is listed here: a file that an archive holds unpacked lies in it in one piece, whatever
is in front of the archive, behind it or wrong with it. Streams of gzip, zlib, bzip2, xz, lzma and
zstd, members of zip files, and runs of base64 and hexadecimal digits are decoded wherever they
begin, and searched in turn. Bytes are read once, from start to end.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import BinaryIO

from builders.archives.encoded_text import ENCODINGS, TextRuns
from builders.archives.limits import (
    CHUNK,
    ArchiveError,
    ArchiveLimitError,
    ArchiveTooDeepError,
    Budget,
    UnsupportedArchiveError,
)
from builders.archives.packed_stream import (
    BEGINNINGS,
    UNREAD,
    PackedStream,
    Packing,
    ends_as_zlib,
    lzma_streams,
    packings,
    unread_member,
)
from builders.archives.streams import ByteSink
from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel

_MARK = 128
"""Bytes that a file is recognized by."""
_HEAD = 1 << 12
"""Bytes that tell it from files with the same mark, such as a notice that many begin with."""
_VARIED = 3
"""Different bytes that the prefix of a mark has: zeros are no mark."""
_FAR = 1 << 20
_SMALL = 32
_PREFIX = 8
"""Bytes of a mark that are looked for at every offset."""
_OPEN = 256
"""Places that may be the beginning of a file, or streams, that are looked at together."""
_DEPTH = 6
_UNUSUAL = 2
"""Depth from which lzma and zlib with unusual settings count only if a checksum shows what they
are: what is unpacked by chance is full of what looks like them."""


class SoughtFile(FrozenModel):
    """A file that is searched for: all of it, but for zeros and the like that it begins with."""

    sha256: Digest
    mark: str
    """Its first bytes that are not all alike, in hexadecimal digits."""
    head: Digest
    """Digest of up to 4 KiB from the mark."""
    size: int
    """Bytes from the mark to the end."""
    rest: Digest
    """Digest of these."""

    @classmethod
    def of(cls, pieces: Iterator[bytes], sha256: Digest) -> SoughtFile | None:
        """Return what to search for to find the file `sha256`, given in `pieces`.

        None for one that is too small, or too uniform, to be recognized.
        """
        start = bytearray()
        for piece in pieces:
            start += piece
            if len(start) >= _FAR + _HEAD:
                break
        places = range(0, min(len(start), _FAR), _PREFIX)
        at = next((n for n in places if len({*start[n : n + _PREFIX]}) >= _VARIED), None)
        hasher, size = hashlib.sha256(start[at or 0 :]), len(start) - (at or 0)
        for piece in pieces:
            hasher.update(piece)
            size += len(piece)
        if at is None or size < _SMALL:
            return None
        return cls(
            sha256=sha256,
            mark=start[at : at + _MARK].hex(),
            head=Digest.of(bytes(start[at : at + _HEAD])),
            size=size,
            rest=Digest(hasher.hexdigest()),
        )


def embedded_files(
    stream: BinaryIO, sought: Sequence[SoughtFile], budget: Budget
) -> Iterator[tuple[Digest, str]]:
    """Yield which of the `sought` files the bytes of `stream` hold, and where: `at byte 512`.

    Raises `ArchiveError` when the search is not complete: at once where a limit is exceeded or
    something is encoded too often, and at the end for a stream that could not be unpacked. What was
    found is yielded before.
    """
    search = _Search(sought, budget)
    layer = _Layer(search, ())
    try:
        while piece := stream.read(CHUNK):
            budget.time()
            layer.feed(piece)
            yield from search.taken()
        layer.end()
    except ArchiveError as error:
        search.missed = error
    yield from search.taken()
    if search.missed:
        raise search.missed


class _Search:
    """What all layers of one search share."""

    def __init__(self, sought: Sequence[SoughtFile], budget: Budget) -> None:
        self.budget = budget
        self.missed: ArchiveError | None = None
        self.streams = 0
        """How many are being unpacked, in all layers."""
        self._marks: defaultdict[bytes, list[SoughtFile]] = defaultdict(list)
        self._lengths: defaultdict[bytes, set[int]] = defaultdict(set)
        for file in sorted(sought, key=lambda file: file.size):
            mark = bytes.fromhex(file.mark)
            self._marks[mark].append(file)
            self._lengths[mark[:_PREFIX]].add(len(mark))
        beginnings = [*BEGINNINGS, *UNREAD, *_expressions(sorted(self._lengths))]
        self.beginnings = re.compile(b"|".join(beginnings), re.DOTALL)
        self._found: dict[Digest, str] = {}
        self._new: list[Digest] = []

    def begun(self, data: bytes, at: int) -> list[SoughtFile]:
        """Return the sought files that `data` has the first 4 KiB of at `at`, smallest first."""
        lengths = self._lengths.get(data[at : at + _PREFIX])
        if lengths is None:
            return []
        files = [f for n in lengths for f in self._marks.get(data[at : at + n], ())]
        sizes = {min(file.size, _HEAD) for file in files}
        heads = {size: hashlib.sha256(data[at : at + size]).hexdigest() for size in sizes}
        begun = (file for file in files if file.head.hex == heads[min(file.size, _HEAD)])
        return sorted(begun, key=lambda file: file.size)

    def find(self, digest: Digest, where: str) -> None:
        if digest not in self._found:
            self._found[digest] = where
            self._new.append(digest)

    def miss(self, error: ArchiveError) -> None:
        """Keep why the search is not complete."""
        self.missed = self.missed or error

    def taken(self) -> Iterable[tuple[Digest, str]]:
        """Return what was found since the last call."""
        new, self._new = self._new, []
        return [(digest, self._found[digest]) for digest in new]


def _expressions(words: Sequence[bytes]) -> Iterator[bytes]:
    """Yield regular expressions that match the sorted `words`, one for each first byte.

    They are tried at every offset, and the time for one with ten thousand branches is too long.
    """
    for first, same in groupby(words, key=lambda word: word[:1]):
        rests = [word[1:] for word in same]
        more = b"(?:%s)" % b"|".join(_expressions(rests)) if rests[1:] else re.escape(rests[0])
        yield re.escape(first) + more


class _Layer:
    """The bytes of one stream, as they come: the input itself, or what was decoded from it."""

    def __init__(self, search: _Search, chain: tuple[str, ...]) -> None:
        self._search = search
        self._chain = chain
        self._at = 0
        """Offset of `_ahead` in the stream."""
        self._ahead = b""
        self._files: list[_Place] = []
        self._packed: list[PackedStream] = []
        self._frames: set[int] = set()
        """Where later frames of streams begin that are being read already."""
        self._texts = [TextRuns(e, partial(self._inner, e.name)) for e in ENCODINGS]

    def feed(self, piece: bytes) -> None:
        """Search the next bytes."""
        if self._chain:
            self._search.budget.bytes(len(piece))
        self._files = [file for file in self._files if file.feed(piece)]
        offset = self._at + len(self._ahead)
        count = len(self._packed)
        self._packed = [packed for packed in self._packed if packed.feed(piece, offset)]
        self._search.streams -= count - len(self._packed)
        self._look(self._ahead + piece, keep=_HEAD)
        for text in self._texts:
            text.feed(piece)

    def end(self) -> None:
        """Search what is left."""
        self._look(self._ahead, keep=0)
        for packed in self._packed:
            packed.end()
        self._search.streams -= len(self._packed)
        for text in self._texts:
            text.end()

    def _look(self, data: bytes, *, keep: int) -> None:
        """Open what begins in `data`, but for its last bytes, which are looked at again."""
        stop = len(data) - keep
        at = 0
        while at < stop and (match := self._search.beginnings.search(data, at)):
            at = match.start()
            if at >= stop:
                break
            self._open(data, at)
            at += 1
        for at, packing in lzma_streams(data, stop):
            self._unpack(packing, data, at)
        stop = max(stop, 0)
        self._ahead, self._at = data[stop:], self._at + stop

    def _open(self, data: bytes, at: int) -> None:
        offset = self._at + at
        if files := self._search.begun(data, at):
            place = _Place(self._search, files, self._where(offset))
            if place.feed(data[at:]):
                self._files.append(place)
            if len(self._files) > _OPEN:
                what = "too many places begin like a published file"
                self._search.miss(ArchiveLimitError(what, expected=f"at most {_OPEN}"))
                self._files.pop()
        if offset in self._frames:
            self._frames.remove(offset)
            return
        head = data[at : at + _MARK]
        if why := unread_member(head):
            what = f"a zip member {self._where(offset)} that cannot be unpacked"
            self._search.miss(UnsupportedArchiveError(what, got=why))
        for packing in packings(head):
            self._unpack(packing, data, at)

    def _unpack(self, packing: Packing, data: bytes, at: int) -> None:
        unusual = len(self._chain) >= _UNUSUAL and data[at : at + 1] not in {b"x", b"]"}
        if unusual and packing.name == "lzma":
            return
        if unusual and packing.name == "zlib" and not ends_as_zlib(data[at:]):
            return
        offset = self._at + at
        opened = partial(self._inner, f"{packing.name} at byte {offset}")
        packed = PackedStream(packing, self._frames, opened, self._search.miss)
        if not packed.begin(data[at:], offset):
            return
        if self._search.streams < _OPEN:
            self._packed.append(packed)
            self._search.streams += 1
        else:
            packed.end()
            what = "too many streams inside of each other"
            self._search.miss(ArchiveLimitError(what, expected=f"at most {_OPEN}"))

    def _where(self, offset: int) -> str:
        decoded = f" of what it decodes to as {' > '.join(self._chain)}" if self._chain else ""
        return f"at byte {offset}{decoded}"

    def _inner(self, name: str) -> ByteSink:
        chain = (*self._chain, name)
        return _Layer(self._search, chain) if len(chain) <= _DEPTH else _TooDeep()


class _TooDeep:
    """What was decoded too often to be decoded again."""

    def __init__(self) -> None:
        self._size = 0

    def feed(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size >= _SMALL:  # less is what chance makes of bytes that are no stream
            raise ArchiveTooDeepError(
                "encoded too often to be searched", expected=f"{_DEPTH} times"
            )

    def end(self) -> None:
        """Forget what was too short to be anything."""


class _Place:
    """A place that begins like sought files."""

    def __init__(self, search: _Search, files: list[SoughtFile], where: str) -> None:
        """Look for `files`, smallest first."""
        self._search = search
        self._files = files
        self._where = where
        self._size = 0
        self._hasher = hashlib.sha256()

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes; return whether more are wanted."""
        while self._files:
            file = self._files[0]
            taken = piece[: file.size - self._size]
            piece = piece[len(taken) :]
            self._hasher.update(taken)
            self._size += len(taken)
            if self._size < file.size:
                return True
            if self._hasher.hexdigest() == file.rest.hex:
                self._search.find(file.sha256, self._where)
            del self._files[0]
        return False
