"""Splice plans: a file made of our bytes, in order, and of few others that are all listed.

A plan comes from the parser jail and is not trusted. Applying it uses every byte of ours once and
in order, but for a few that others replace, so no plan can pass a copy of the shipped file off as
ours. Others stand only where `left_out` finds a field of a signature in our file, or after its
end, and `filled` looks at them in the file that was made. Of a zip archive, nothing is derived by
who plans: see `zip_pieces`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, BinaryIO, Literal

from pydantic import Field

from builders.core.digest import CHUNK, Digest
from builders.core.frozen_model import FrozenModel
from builders.packing import GzipPacking, XzPacking
from pipelines.judge.signatures.filled import NO_CHECKSUM, Checksum, FilledGap
from pipelines.judge.signatures.left_out import Places
from pipelines.judge.signatures.side_by_side import side_by_side
from pipelines.judge.signatures.verity import hash_tree
from pipelines.judge.signatures.zip_pieces import (
    Aligned,
    Directory,
    Dropped,
    End,
    Padding,
    ZipError,
    ZipLimits,
    ZipMaker,
    ZipPiece,
)

Offset = Annotated[int, Field(ge=0, le=1 << 62)]
Length = Annotated[int, Field(ge=1, le=1 << 62)]
Why = Annotated[str, Field(pattern="^[a-z][a-z-]{0,39}$")]


class Own(FrozenModel):
    """Bytes of the rebuilt file."""

    source: Literal["own"] = "own"
    offset: Offset
    length: Length


class Taken(FrozenModel):
    """Bytes of the shipped file, at the same offset in the file that is made."""

    source: Literal["taken"] = "taken"
    offset: Offset
    length: Length
    why: Why


class Derived(FrozenModel):
    """Bytes that follow from all others, such as a checksum."""

    source: Literal["derived"] = "derived"
    data: Annotated[str, Field(pattern="^([0-9a-f]{2})+$", max_length=1 << 20)]


class HashTree(FrozenModel):
    """The dm-verity hash tree over the first bytes of the rebuilt file, made here."""

    source: Literal["hash-tree"] = "hash-tree"
    length: Length
    salt: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


Piece = Annotated[
    Own | Taken | Derived | HashTree | Aligned | Directory | Dropped | Padding | End,
    Field(discriminator="source"),
]


Pieces = Annotated[tuple[Piece, ...], Field(max_length=100_000)]


class PackedPlan(FrozenModel):
    """What is compressed in a file: pieces of the unpacked files, and how they are packed again."""

    begin: Annotated[int, Field(ge=0, le=4096)] = 0
    """Where the compressed stream begins in the rebuilt file, which it ends."""
    pieces: Pieces
    packing: Annotated[GzipPacking | XzPacking, Field(discriminator="format")]


class SplicePlan(FrozenModel):
    """The pieces of a file, from its first byte to its last."""

    pieces: Pieces
    inside: PackedPlan | None = None
    """Where this is given, our bytes are the rebuilt file with this in place of its stream."""


@dataclass(frozen=True, kw_only=True)
class SpliceLimits:
    """How much of a file may be other than our bytes, in bytes."""

    replaced: int
    """Bytes of ours that are left out."""
    derived: int
    taken: int
    places: Callable[[BinaryIO], Places] = lambda _: ()
    """Ranges of our file in place of which, or for an empty one where, there may be others."""
    within: bool = False
    """Whether others may stand for parts of a range."""
    fits: Callable[[BinaryIO, BinaryIO, Sequence[FilledGap]], bool] | None = None
    """Says of our file and the one that was made whether others are what a signature needs."""
    checksum: Callable[[BinaryIO], Checksum | None] = lambda _: NO_CHECKSUM
    """Of the file that was made, of which a plan does not say it; None where it has no place."""
    checksum_is_digest: bool = False
    """Whether a thread that makes it leaves the interpreter to the others; adding up does not."""
    zip: ZipLimits | None = None
    """Of a zip archive; the pieces of one are refused in other files."""
    inside: SpliceLimits | None = None
    """Of what is compressed in the file; None if nothing is."""


class Spliced(FrozenModel):
    """The file that a plan made."""

    sha256: Digest
    size: int
    taken: tuple[Taken, ...]


class SpliceError(ValueError):
    """A plan that does not keep to the limits, or does not fit the files."""


def splice(
    plan: SplicePlan,
    own: BinaryIO,
    shipped: BinaryIO,
    out: BinaryIO | None,
    limits: SpliceLimits,
) -> Spliced:
    """Make the file that a plan says, and write it to `out`, if that is given.

    Raises `SpliceError`, then `out` is of no use. What it makes counts after `check_fit`, and if it
    has the right checksum.
    """
    _check(plan, own, limits)
    maker = ZipMaker(own=own, shipped=shipped, limits=limits.zip) if limits.zip else None
    digest, size = hashlib.sha256(), 0
    with side_by_side() as started:
        trees = [started(partial(_tree, p), own) for p in plan.pieces if isinstance(p, HashTree)]
        try:
            for piece in plan.pieces:
                if isinstance(piece, Taken) and piece.offset != size:
                    what = f"bytes taken from offset {piece.offset} would move to {size}"
                    raise SpliceError(what)
                for data in (
                    [trees.pop()()]
                    if isinstance(piece, HashTree)
                    else _bytes(piece, own, shipped, maker, size)
                ):
                    if out is not None:
                        out.write(data)
                    digest.update(data)
                    size += len(data)
            if maker:
                maker.finish()
        except ZipError as error:
            raise SpliceError(str(error)) from error
    if out is not None:
        out.flush()
    return Spliced(
        sha256=Digest(digest.hexdigest()),
        size=size,
        taken=tuple(piece for piece in plan.pieces if isinstance(piece, Taken)),
    )


def check_fit(plan: SplicePlan, own: BinaryIO, made: BinaryIO, limits: SpliceLimits) -> None:
    """Require that others stand for a signature in the file `made`, which `splice` has made.

    Another file of the same bytes will do. Raises `SpliceError`.
    """
    if limits.fits is None:
        return
    gaps = tuple(_gaps(plan, own.seek(0, 2), made.seek(0, 2)))
    if not limits.fits(own, made, gaps):
        raise SpliceError("others in a place of a signature that are none, or of another length")


def _check(plan: SplicePlan, own: BinaryIO, limits: SpliceLimits) -> None:
    replaced = _left_out(plan, own, limits)
    derived = sum(len(piece.data) // 2 for piece in plan.pieces if isinstance(piece, Derived))
    taken = sum(piece.length for piece in plan.pieces if isinstance(piece, Taken))
    trees = sum(isinstance(piece, HashTree) for piece in plan.pieces)
    for what, found, most in (
        ("bytes of ours that are left out", replaced, limits.replaced),
        ("derived bytes", derived, limits.derived),
        ("bytes taken from the shipped file", taken, limits.taken),
        ("hash trees", trees, 0 if limits.zip else 1),
    ):
        if found > most:
            raise SpliceError(f"{found} {what}, at most {most}")


def _left_out(plan: SplicePlan, own: BinaryIO, limits: SpliceLimits) -> int:
    """Return how many bytes of ours are left out, all of them in places of a signature."""
    size = own.seek(0, 2)
    places = None if limits.zip else (*limits.places(own), (size, size))
    at = found = 0
    others = False
    for piece in plan.pieces:
        if isinstance(piece, Taken | Derived | HashTree | Padding):
            others = True
            continue
        if piece.offset < at:
            raise SpliceError("our bytes would be used twice or out of order")
        _check_gap(at, piece.offset, places, others=others, within=limits.within)
        found += piece.offset - at
        at, others = piece.offset + piece.length, False
    if at > size:
        raise SpliceError(f"it uses {at} bytes of ours, of {size}")
    _check_gap(at, size, places, others=others, within=limits.within)
    return found + size - at


def _check_gap(begin: int, end: int, places: Places | None, *, others: bool, within: bool) -> None:
    """Require a place of a signature where bytes of ours are left out, or others stand.

    Pieces of zip archives have no such places: `zip_pieces` checks each of them.
    """
    if places is None or not (others or begin < end) or (begin, end) in places:
        return
    if not (within and any(first <= begin and end <= last for first, last in places)):
        what = "left out" if begin < end else "followed by others"
        raise SpliceError(f"our bytes {begin} to {end} would be {what}, in no place of a signature")


def _gaps(plan: SplicePlan, own: int, size: int) -> Iterator[FilledGap]:
    """Yield where others stand in the file that was made; `own` and `size` are lengths of both."""
    at = put = stand = 0
    for piece in plan.pieces:
        match piece:
            case Own():
                if piece.offset > at or stand > put:
                    yield FilledGap(begin=at, end=piece.offset, at=put, length=stand - put)
                at, stand = piece.offset + piece.length, stand + piece.length
                put = stand
            case Taken():
                stand += piece.length
            case Derived():
                stand += len(piece.data) // 2
            case _:
                raise SpliceError("a piece whose length its plan does not say")
    if own > at or size > put:
        yield FilledGap(begin=at, end=own, at=put, length=size - put)


def _bytes(
    piece: Own | Taken | Derived | ZipPiece,
    own: BinaryIO,
    shipped: BinaryIO,
    maker: ZipMaker | None,
    at: int,
) -> Iterator[bytes]:
    if not isinstance(piece, Own | Taken):
        yield _made(piece, maker, at)
        return
    if maker and isinstance(piece, Own):
        maker.keep(piece.offset, piece.length, at)
    elif maker:
        maker.take(piece.offset, piece.length)
    file = own if isinstance(piece, Own) else shipped
    file.seek(piece.offset)
    left = piece.length
    while left:
        data = file.read(min(CHUNK, left))
        if not data:
            raise SpliceError("a file ends before a piece of it does")
        yield data
        left -= len(data)


def _made(piece: Derived | ZipPiece, maker: ZipMaker | None, at: int) -> bytes:
    """Return bytes that follow from others."""
    if isinstance(piece, Derived):
        return bytes.fromhex(piece.data)
    if maker is None:
        raise SpliceError("a piece of a zip archive")
    return maker.make(piece, at)


def _tree(piece: HashTree, own: BinaryIO) -> bytes:
    try:
        return hash_tree(own, piece.length, bytes.fromhex(piece.salt)).tree
    except ValueError as error:
        raise SpliceError(f"a hash tree over {error}") from error
