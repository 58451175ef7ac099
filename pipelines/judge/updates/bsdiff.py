"""Deltas of bsdiff 4 (BSDIFF40): a header and three bzip2 streams.

The first stream has steps of three numbers: how many bytes of the base are added to bytes of the
second stream, how many bytes of the third follow, and how far the position in the base then moves.
Source: bspatch.c of bsdiff 4.3. Stricter than that: nothing is read outside of the base, and all
three streams are used up.
"""

from __future__ import annotations

from typing import BinaryIO

from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.delta_io import (
    Base,
    BoundedOutput,
    DeltaBytes,
    PackedPart,
    byte_sums,
    unreadable,
    unsupported,
)
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_MAGIC = b"BSDIFF40"
_OTHERS = (b"ENDSLEY/BSDIFF43", b"BSDF2", b"BSDIFN40")
_HEADER = 32
_SIGN = 1 << 63


def _number(data: bytes) -> int:
    """Return a number of 8 bytes: the magnitude, and a sign in the highest bit."""
    value = int.from_bytes(data, "little")
    return _SIGN - value if value & _SIGN else value


def apply(base_file: BinaryIO, delta: BinaryIO, out_file: BinaryIO, limits: DeltaLimits) -> None:
    """Write the target to `out_file`; raises `UpdateError`."""
    end = delta.seek(0, 2)
    delta.seek(0)
    header = delta.read(_HEADER)
    if header.startswith(_OTHERS):
        raise unsupported(f"a variant of bsdiff: {header[:8]!r}")
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise unreadable("no header of bsdiff 4")
    control_size, differences_size, size = (_number(header[n : n + 8]) for n in (8, 16, 24))
    control_end = _HEADER + control_size
    differences_end = control_end + differences_size
    if control_size < 0 or differences_size < 0 or differences_end > end:
        what = f"streams of {control_size} and {differences_size} bytes in a file of {end}"
        raise UpdateError(UpdateFault.LENGTH, what)
    if size != limits.size:
        fault = UpdateFault.UNBOUNDED if size > limits.size else UpdateFault.LENGTH
        raise UpdateError(fault, f"{size} bytes, and the target has {limits.size}")
    control = PackedPart(delta, _HEADER, control_end, "bzip2")
    differences = PackedPart(delta, control_end, differences_end, "bzip2")
    extra = PackedPart(delta, differences_end, end, "bzip2")
    out = BoundedOutput(out_file, limits.size)
    patch(Base(base_file), control, differences, extra, out)
    for part in (control, differences, extra):
        part.finish()


def patch(
    base: Base, control: DeltaBytes, differences: DeltaBytes, extra: DeltaBytes, out: BoundedOutput
) -> None:
    """Write all that an output still takes, as the steps say; raises `UpdateError`."""
    at, idle = 0, False
    while out.left:
        step = control.exactly(24)
        count, more, skip = (_number(step[n : n + 8]) for n in (0, 8, 16))
        if count < 0 or more < 0:
            raise unreadable(f"a step of {count} and {more} bytes")
        if idle and not count + more:
            raise UpdateError(UpdateFault.UNBOUNDED, "steps that make nothing")
        idle = not count + more
        out.require(count + more)
        for data in base.pieces(at, count):
            out.write(byte_sums(differences.exactly(len(data)), data))
        for data in extra.pieces(more):
            out.write(data)
        at += count + skip


BSDIFF = DeltaFormat(apply=apply)
