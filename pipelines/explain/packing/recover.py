"""The packing of a shipped file, where a rebuilt one has the same contents in another envelope.

The parameters found are those that a recipe declares as `packing`. They are named only if the
rebuilt file, packed again by them, is the shipped file, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, BinaryIO, cast, get_args

from pydantic import Field, TypeAdapter

from builders.archives import ArchiveError, ArchiveLimits, Scratch, members
from builders.archives.walk import archive_format
from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import Jail, JailLimits, Reader
from builders.packing.compress import PackingError
from builders.packing.parameters import (
    ArPacking,
    DeflateEncoder,
    GzipPacking,
    MemberOrder,
    Packing,
    Rest,
    TarPacking,
    XzPacking,
    ZipPacking,
    declared,
)
from builders.packing.repack import ar_members, repacked, unpacked
from builders.packing.tar_order import piece, tar_members
from builders.packing.zip_layout import LIMITS
from pipelines.explain.packing.layout_search import member_order, zip_encoder, zip_packings
from pipelines.judge.packing.compressed_files import (
    Deadline,
    UnknownPackingError,
    read_content,
    read_gzip,
    read_xz,
    xz_packings,
)

SECONDS = 60.0
"""Of a search, at most."""
_SECONDS_OURS = 3.0
"""Of saying how the rebuilt file is packed."""
_GRACE = 10.0
_HEAD = 512
TIME_BITS = 32
_CHARACTER = 7.0
"""Bits of one character of a name."""


class PackingFinding(FrozenModel):
    """Whether two files have the same contents, and how each of them is packed.

    Contents are members with their modes, times and owners, in any order.

    - `packing`: that of the shipped file, if it makes the rebuilt file into it exactly.
    - `bits`: how much of the shipped file these parameters carry at most.
    - `theirs`, `ours`: with a packing, that of each file in words; None where it is not known.
    - `why_not`: why there is no `packing`, if the contents are the same.
    """

    same_contents: bool
    packing: Packing | None = None
    bits: float = 0
    theirs: str | None = None
    ours: str | None = None
    why_not: str | None = None

    @property
    def declared(self) -> str:
        """Return the packing as a recipe declares it, in JSON; empty if there is none."""
        return "" if self.packing is None else json.dumps(declared(self.packing))

    def __str__(self) -> str:
        """Return the finding in one sentence."""
        if not self.same_contents:
            return "other contents"
        if self.packing is None:
            return f"the same contents; no packing gives the shipped file: {self.why_not}"
        ours = self.ours or "another packing"
        return f"the same contents, {self.theirs} shipped, {ours} rebuilt"


class Search(FrozenModel):
    """How long to search."""

    seconds: Annotated[float, Field(gt=0)]


def recover_packing(
    jail: Jail, shipped: BinaryIO, rebuilt: BinaryIO, *, seconds: float = SECONDS
) -> PackingFinding:
    """Search the packing of a shipped file within `seconds`; raises as `Jail.run` does."""
    most = 3 * seconds + _GRACE  # both files are listed first, each as long as it is searched
    return jail.run(PACKING, [shipped, rebuilt], Search(seconds=seconds), seconds=most)


def _recover(files: Sequence[BinaryIO], given: Search, scratch: Scratch) -> PackingFinding:
    theirs, ours = files
    deadline = Deadline(given.seconds)
    limits = replace(LIMITS, seconds=given.seconds)
    listed = [_contents(file, limits, scratch) for file in files]
    if not listed[0] or listed[0] != listed[1]:
        return PackingFinding(same_contents=False)
    why_not = "no parameters that are tried make the rebuilt file into it"
    try:
        for packing in _packings(theirs, ours, deadline, scratch):
            made = deadline.watched(repacked(ours, packing, scratch))
            if _digest(made) == _digest(piece(theirs, 0, theirs.seek(0, 2))):
                return PackingFinding(
                    same_contents=True,
                    packing=packing,
                    bits=packing_bits(packing, len(listed[0])),
                    theirs=str(packing),
                    ours=_alone(ours, packing, Deadline(_SECONDS_OURS), scratch),
                )
    except UnknownPackingError as error:
        why_not = str(error)
    except (ArchiveError, PackingError) as error:
        why_not = f"it is not packed again here: {error}"
    return PackingFinding(same_contents=True, why_not=why_not)


def _contents(file: BinaryIO, limits: ArchiveLimits, scratch: Scratch) -> list[tuple[str, ...]]:
    """Return the members of an archive, or of a compressed file, without their order."""
    try:
        file.seek(0)
        rows = [
            (
                *(member.path, member.kind, str(member.sha256), str(member.target)),
                *(str(member.mode), str(member.mtime), str(member.owner)),
            )
            for member in members(file, limits, scratch=scratch)
            if not member.container
        ]
    except ArchiveError:
        return []
    return sorted(rows)


def _packings(
    theirs: BinaryIO, ours: BinaryIO, deadline: Deadline, scratch: Scratch
) -> Iterator[Packing]:
    """Yield what may make a rebuilt file into the shipped one; raises `UnknownPackingError`."""
    match _format(theirs), _format(ours):
        case (("gzip" | "xz"), _):
            yield from _stream_packings(theirs, ours, deadline, scratch)
        case "zip", "zip":
            yield from zip_packings(theirs, ours, deadline)
        case "tar", "tar":
            if order := _tar_order(theirs, ours):
                yield TarPacking(format="tar", order=order)
        case "ar", "ar":
            yield _ar_packing(theirs, ours, deadline, scratch)
        case shipped, rebuilt:
            raise UnknownPackingError(f"{shipped} shipped and {rebuilt} rebuilt are not searched")


def _stream_packings(
    theirs: BinaryIO, ours: BinaryIO, deadline: Deadline, scratch: Scratch
) -> Iterator[GzipPacking | XzPacking]:
    with scratch() as shipped, scratch() as rebuilt:
        content = cast("BinaryIO", shipped)
        read_content(unpacked(theirs), content)
        read_content(unpacked(ours), cast("BinaryIO", rebuilt))
        inside = None
        if _format(content) == "tar" and (order := _tar_order(content, cast("BinaryIO", rebuilt))):
            inside = TarPacking(format="tar", order=order)
        if _format(theirs) == "xz":
            for packing in xz_packings(theirs, content, deadline):
                yield packing.model_copy(update={"content": inside})
        else:
            yield read_gzip(theirs, content, deadline).model_copy(update={"content": inside})


def _stream_alone(file: BinaryIO, content: BinaryIO, deadline: Deadline) -> GzipPacking | XzPacking:
    read = read_gzip if _format(file) == "gzip" else read_xz
    return read(file, content, deadline)


def _tar_order(theirs: BinaryIO, ours: BinaryIO) -> MemberOrder | None:
    listed = (tar_members(file).members for file in (theirs, ours))
    return member_order(*([member.path for member in found] for found in listed))


def _ar_packing(
    theirs: BinaryIO, ours: BinaryIO, deadline: Deadline, scratch: Scratch
) -> ArPacking:
    shipped, rebuilt = ar_members(theirs), ar_members(ours)
    if [member.name for member in shipped] != [member.name for member in rebuilt]:
        raise UnknownPackingError("its members are others, or in another order")
    found: dict[str, GzipPacking | XzPacking] = {}
    for pair in zip(shipped, rebuilt, strict=True):
        with scratch() as first, scratch() as second:
            both = [cast("BinaryIO", file) for file in (first, second)]
            for copy, file, member in zip(both, (theirs, ours), pair, strict=True):
                copy.writelines(piece(file, member.start, member.start + member.size))
            if _digest(piece(both[0], 0, pair[0].size)) == _digest(piece(both[1], 0, pair[1].size)):
                continue
            if _format(both[0]) not in {"gzip", "xz"}:
                raise UnknownPackingError(f"its member {pair[0].name} is not compressed")
            try:
                likely = next(_stream_packings(both[0], both[1], deadline, scratch), None)
            except UnknownPackingError as error:
                raise UnknownPackingError(f"{pair[0].name}: {error}") from error
            if likely is None:
                raise UnknownPackingError(f"{pair[0].name}: no preset of xz gives it")
            found[pair[0].name] = likely
    if not found:
        raise UnknownPackingError("its members are equal, and their headers are not")
    return ArPacking(members=found)


def _alone(file: BinaryIO, like: Packing, deadline: Deadline, scratch: Scratch) -> str | None:
    """Return how a file is packed by itself, as far as it is known."""
    try:
        match like:
            case GzipPacking() | XzPacking():
                if _format(file) not in {"gzip", "xz"}:
                    return f"{_format(file) or 'no archive'}, not compressed"
                with scratch() as content:
                    read_content(unpacked(file), cast("BinaryIO", content))
                    return str(_stream_alone(file, cast("BinaryIO", content), deadline))
            case ZipPacking(encoder=DeflateEncoder()):
                return f"zip deflate {zip_encoder(file, deadline)}"
            case ArPacking(members=packings):
                parts = []
                for member in ar_members(file):
                    if inside := packings.get(member.name):
                        with scratch() as copy:
                            at = member.start
                            copy.writelines(piece(file, at, at + member.size))
                            told = _alone(cast("BinaryIO", copy), inside, deadline, scratch)
                        parts.append(f"{member.name} {told}")
                return "; ".join(parts)
            case _:
                return "another order or alignment"
    except (UnknownPackingError, ArchiveError, PackingError):
        return None


def _digest(pieces: Iterator[bytes]) -> bytes:
    hasher = hashlib.sha256()
    for data in pieces:
        hasher.update(data)
    return hasher.digest()


def _format(file: BinaryIO) -> str | None:
    file.seek(0)
    return archive_format(file.read(_HEAD))


def packing_bits(packing: Packing, members: int) -> float:
    """Return how much of a file these parameters carry at most, of so many members."""
    return round(_bits(packing, max(2, members)), 1)


def _bits(packing: Packing | None, members: int) -> float:
    match packing:
        case None:
            return 0
        case GzipPacking():
            found = _encoder_bits(packing.encoder) + 8 + _CHARACTER * len(packing.name or "")
            found += TIME_BITS if packing.mtime else 0
            found += 0 if packing.xfl is None else 8
            return found + _bits(packing.content, members)
        case XzPacking():
            found = math.log2(20) + 2 + 1
            found += 0 if packing.dictionary is None else 5
            found += 0 if packing.block_size is None else math.log2(packing.block_size)
            return found + _bits(packing.content, members)
        case ZipPacking():
            found = _encoder_bits(packing.encoder) if packing.encoder else 0
            found += _order_bits(packing.order, members) if packing.order else 0
            return found + (6 if packing.alignment else 0)
        case TarPacking():
            return _order_bits(packing.order, members)
        case ArPacking():
            return sum(_bits(inside, members) for inside in packing.members.values())


def _encoder_bits(encoder: DeflateEncoder) -> float:
    tuned = math.log2(9 * 5) if (encoder.memory_level, encoder.strategy) != (8, "default") else 0
    return 2 + math.log2(10 if encoder.library == "zlib" else 100) + tuned


def _order_bits(order: MemberOrder, members: int) -> float:
    named = len(order.first) + len(order.last)
    return math.log2(len(get_args(Rest))) + named * math.log2(members)


PACKING = Reader(
    name="pipelines.explain.packing.recover:PACKING",
    read=_recover,
    parameters=Search,
    result=TypeAdapter(PackingFinding),
    limits=JailLimits(
        seconds=10 * SECONDS,
        answer=1 << 20,
        memory=1 << 30,
        scratch_files=8,
        scratch=4 << 30,
    ),
)
"""Searches the packing of a shipped file."""
