"""A robustness rebuild as a value: which factors of the environment were moved, and how it went.

It shows how robust a build is, and is never part of a verdict.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from builders.core.frozen_model import FrozenModel
from builders.rebuild.rebuild_result import OutputKind, RebuildResult
from builders.rebuild.robustness_factors import KeptFactor, VariedFactor


class Robustness(StrEnum):
    """What a second rebuild with moved factors showed."""

    SAME = "same"
    DIFFERS = "differs"
    FAILED = "failed"
    """It left nothing to compare."""

    @classmethod
    def of(cls, *, built: bool, same: bool) -> Robustness:
        """Return the result of a rebuild that left, or did not leave, all the same artefacts."""
        if not built:
            return cls.FAILED
        return cls.SAME if same else cls.DIFFERS


def _whole_second(moment: datetime) -> datetime:
    if moment.utcoffset() or moment.microsecond:
        raise ValueError("expected whole seconds in UTC")
    return moment.replace(tzinfo=UTC)


class RobustnessRebuild(FrozenModel):
    """The second rebuild of a run; it is not one of the run's attempts, and is not judged."""

    moved: tuple[VariedFactor, ...]
    kept: tuple[KeptFactor, ...]
    rebuild: RebuildResult
    tested_on: Annotated[AwareDatetime, AfterValidator(_whole_second)]
    """When it had ended: UTC, whole seconds."""


def changed_artefacts(judged: RebuildResult, again: RebuildResult) -> tuple[str, ...]:
    """Return the names of the artefacts that differ between two rebuilds, sorted."""
    one, two = (
        {o.name: o.sha256 for o in rebuild.outputs if o.part is OutputKind.ARTEFACT}
        for rebuild in (judged, again)
    )
    return tuple(sorted(name for name in one | two if one.get(name) != two.get(name)))
