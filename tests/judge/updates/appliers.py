"""Applies deltas in this process."""

from __future__ import annotations

import io
import tempfile

from builders.recipe.update import DeltaName
from pipelines.judge.updates.appliers import FORMATS
from pipelines.judge.updates.delta_format import DeltaLimits
from pipelines.judge.updates.update_fault import UpdateError, UpdateRefused


def applied(name: DeltaName, base: bytes, delta: bytes, size: int) -> bytes | UpdateRefused:
    """Return what a delta makes of a base, or why it is refused."""
    out, files = io.BytesIO(), (io.BytesIO(base), io.BytesIO(delta))
    for file in files:
        file.seek(1)
    limits = DeltaLimits(size=size, scratch=tempfile.TemporaryFile)
    try:
        FORMATS[name].apply(*files, out, limits)
    except UpdateError as error:
        return error.refused
    return out.getvalue()
