"""The readers that apply deltas in the jail, and the table of formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, BinaryIO

from pydantic import Field, TypeAdapter

from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Nothing, Reader, Scratch
from builders.recipe.update import DeltaName
from pipelines.judge.updates.bsdiff import BSDIFF
from pipelines.judge.updates.cdiff import CDIFF
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.ed_script import PDIFF
from pipelines.judge.updates.ostree_delta import OSTREE
from pipelines.judge.updates.rpm_delta import RPM_DELTA
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault, UpdateRefused
from pipelines.judge.updates.vcdiff import XDELTA3
from pipelines.judge.updates.zstd_patch import ZSTD

FORMATS: dict[DeltaName, DeltaFormat] = {
    DeltaName.BSDIFF: BSDIFF,
    DeltaName.CDIFF: CDIFF,
    DeltaName.OSTREE: OSTREE,
    DeltaName.PDIFF: PDIFF,
    DeltaName.RPM: RPM_DELTA,
    DeltaName.XDELTA3: XDELTA3,
    DeltaName.ZSTD: ZSTD,
}
MAX_RESULT = 4 << 30
"""Bytes that a delta can make, whatever its target has."""
_LIMITS = JailLimits(seconds=120, answer=64 << 10, scratch_files=4, scratch=MAX_RESULT)
_Answer = Nothing | UpdateRefused


class ApplyRequest(FrozenModel):
    """What a reader is asked to do with its files."""

    format: DeltaName
    size: Annotated[int, Field(ge=0)]
    """Bytes that it may write."""


def _apply(files: Sequence[BinaryIO], asked: ApplyRequest, scratch: Scratch) -> _Answer:
    base, delta, out = _from_their_start(files)
    limits = DeltaLimits(size=asked.size, scratch=scratch)
    return _written(lambda known: known.apply(base, delta, out, limits), out, asked)


def _members(files: Sequence[BinaryIO], asked: ApplyRequest, scratch: Scratch) -> _Answer:
    target, out = _from_their_start(files)
    limits = DeltaLimits(size=asked.size, scratch=scratch)

    def write(known: DeltaFormat) -> None:
        if known.members is None:
            what = f"files of format {asked.format} have no members"
            raise UpdateError(UpdateFault.UNSUPPORTED, what)
        known.members(target, out, limits)

    return _written(write, out, asked)


def _from_their_start(files: Sequence[BinaryIO]) -> Sequence[BinaryIO]:
    for file in files:
        file.seek(0)
    return files


def _written(write: Callable[[DeltaFormat], None], out: BinaryIO, asked: ApplyRequest) -> _Answer:
    known = FORMATS.get(asked.format)
    if known is None:
        detail = f"no applier for {asked.format}"
        return UpdateRefused(fault=UpdateFault.UNSUPPORTED, detail=detail)
    try:
        write(known)
    except UpdateError as error:
        return error.refused
    out.flush()
    return Nothing()


APPLY = Reader(
    name="pipelines.judge.updates.appliers:APPLY",
    read=_apply,
    parameters=ApplyRequest,
    result=TypeAdapter[_Answer](_Answer),
    limits=_LIMITS,
)
"""Applies a delta to a base, and writes what it gives to an output."""
MEMBERS = Reader(
    name="pipelines.judge.updates.appliers:MEMBERS",
    read=_members,
    parameters=ApplyRequest,
    result=TypeAdapter[_Answer](_Answer),
    limits=_LIMITS,
)
"""Writes the members of a full file to an output; is never given a delta."""
