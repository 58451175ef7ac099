"""Plans for signed zip archives: our entries, and the signature files of the shipped archive."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from itertools import product
from typing import BinaryIO, Literal

from pipelines.judge.signatures.raw_zip import LOCAL_SIZE, RawZip, ZipEntry, shown
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault
from pipelines.judge.signatures.splice import Own, Piece, SplicePlan, Taken
from pipelines.judge.signatures.zip_pieces import (
    Aligned,
    Directory,
    Dropped,
    End,
    Padding,
    ZipError,
    aligned_extra,
)

_ALIGNMENTS: tuple[Literal[4, 4096, 8192, 16384], ...] = (4, 4096, 8192, 16384)
_PAGE = 4096


@dataclass(frozen=True, kw_only=True)
class SignatureFiles:
    """Which entries of an archive are its signature."""

    taken: Callable[[bytes], bool]
    """Says it of a name."""
    replaced: Container[bytes] = ()
    """Names of those that an archive without a signature may have too."""


def plan_zip(
    shipped: BinaryIO,
    theirs: RawZip,
    ours: RawZip,
    files: SignatureFiles,
    *,
    block: int | None = None,
) -> SplicePlan:
    """Return how our archive gets the signature files of the shipped one; `shipped` is its file.

    `block` is where a signing block begins, which ends where the directory begins.
    Raises `BadSignatureError`.
    """
    signed = [one.name for one in ours.entries if files.taken(one.name)]
    if any(name not in files.replaced for name in signed):
        what = f"the rebuilt file has {_names(signed)}"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    if ours.local_end != ours.directory:
        what = f"{ours.directory - ours.local_end} bytes of the rebuilt file after its last entry"
        raise BadSignatureError(SignatureFault.BETWEEN_ENTRIES, what)
    pieces: list[Piece] = []
    at = own = 0
    for entry, one in _paired(theirs.by_place, ours.by_place, files):
        if one and one.start > own:
            pieces.append(Own(offset=own, length=one.start - own))
            at += one.start - own
        if entry:
            _require(at, entry.start, entry)
        if entry and one:
            pieces += _local(entry, one)
            at += entry.data - entry.start + one.end - one.data
            _require(at, entry.end, entry)
        elif entry:
            length = entry.end - entry.start
            pieces.append(Taken(offset=at, length=length, why="signature-file"))
            at = entry.end
        elif one:
            pieces.append(Dropped(offset=one.start, length=one.end - one.start))
        own = one.end if one else own
    pieces += _before_directory(shipped, theirs, at, block)
    pieces += _directory(theirs, ours, files)
    pieces.append(End(offset=ours.end))
    return SplicePlan(pieces=tuple(_merged(pieces)))


def _paired(
    theirs: list[ZipEntry], ours: list[ZipEntry], files: SignatureFiles
) -> Iterator[tuple[ZipEntry, ZipEntry | None] | tuple[None, ZipEntry]]:
    """Yield entries with ours; of signature files there is one side alone."""
    left = list(reversed(ours))
    for entry in theirs:
        if files.taken(entry.name):
            yield entry, None
            continue
        while left and left[-1].name in files.replaced:
            yield None, left.pop()
        if not left or left[-1].name != entry.name:
            what = f"the shipped file has {_names([entry.name])} where ours has "
            what += _names([left[-1].name]) if left else "no more entries"
            raise BadSignatureError(SignatureFault.LAYOUT, what)
        yield entry, left.pop()
    for one in reversed(left):
        if one.name not in files.replaced:
            what = f"the shipped file has no {_names([one.name])}, which ours has"
            raise BadSignatureError(SignatureFault.LAYOUT, what)
        yield None, one


def _local(entry: ZipEntry, one: ZipEntry) -> Iterator[Piece]:
    """Yield the local record of an entry: ours, or ours with alignment padding made anew."""
    if one.extra == entry.extra:
        yield Own(offset=one.start, length=one.end - one.start)
        return
    place = entry.start + LOCAL_SIZE + len(entry.name)
    for stated, alignment in product((True, False), _ALIGNMENTS):
        try:
            made = aligned_extra(one.extra, place, alignment, stated=stated)
        except ZipError:
            continue
        if made == entry.extra:
            yield Aligned(
                offset=one.start,
                length=one.data - one.start,
                alignment=alignment,
                stated=stated,
            )
            if one.end > one.data:
                yield Own(offset=one.data, length=one.end - one.data)
            return
    what = f"{_names([entry.name])} has an extra field that no alignment gives"
    raise BadSignatureError(SignatureFault.LAYOUT, what)


def _before_directory(
    shipped: BinaryIO, theirs: RawZip, at: int, block: int | None
) -> Iterator[Piece]:
    start = theirs.directory if block is None else block
    shipped.seek(theirs.local_end)
    gap = shipped.read(start - theirs.local_end)
    if start != at and (block is None or any(gap) or len(gap) != -at % _PAGE):
        what = f"{len(gap)} bytes of the shipped file after its last entry"
        raise BadSignatureError(SignatureFault.BETWEEN_ENTRIES, what)
    if start != at:
        yield Padding(length=len(gap))
    if block is not None:
        yield Taken(offset=block, length=theirs.directory - block, why="signing-block")


def _directory(theirs: RawZip, ours: RawZip, files: SignatureFiles) -> Iterator[Piece]:
    at = theirs.directory
    for entry, one in _paired(list(theirs.entries), list(ours.entries), files):
        length = one.record_end - one.record if one else 0
        if entry and one:
            yield Directory(offset=one.record, length=length)
            at += length
        elif entry:
            _require(at, entry.record, entry)
            length = entry.record_end - at
            yield Taken(offset=at, length=length, why="directory-record")
            at += length
        elif one:
            yield Dropped(offset=one.record, length=length)


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces, with those of a kind as one: they follow each other in our file too."""
    made = pieces[:1]
    for piece in pieces[1:]:
        match made[-1], piece:
            case (Own() as last, Own() as more) | (Directory() as last, Directory() as more):
                made[-1] = last.model_copy(update={"length": last.length + more.length})
            case _:
                made.append(piece)
    return made


def _require(at: int, expected: int, entry: ZipEntry) -> None:
    if at != expected:
        what = f"{_names([entry.name])}: at {expected} in the shipped file, {at} in ours"
        raise BadSignatureError(SignatureFault.UNLIKE, what)


def _names(names: list[bytes]) -> str:
    return ", ".join(map(shown, names[:2]))
