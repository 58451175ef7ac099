"""A rebuild in a moved environment, as a value: what was moved, and how it went.

It tells how firm a verdict stands, and is never part of one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from builders.build.result import OutputKind, RebuildResult
from builders.build.robustness import KeptFactor, VariedFactor
from pipelines.evidence.report import Record


class Robustness(StrEnum):
    """What a second rebuild in a moved environment showed."""

    SAME = "same"
    DIFFERS = "differs"
    FAILED = "failed"
    """It left nothing to compare."""

    @classmethod
    def of(cls, *, built: bool, same: bool) -> Robustness:
        """Return what it showed, by whether it left all artefacts, the same ones."""
        if not built:
            return cls.FAILED
        return cls.SAME if same else cls.DIFFERS


def _whole_second(moment: datetime) -> datetime:
    if moment.utcoffset() or moment.microsecond:
        message = "expected whole seconds in UTC"
        raise ValueError(message)
    return moment.replace(tzinfo=UTC)


class MovedRebuild(Record):
    """The second rebuild of a run: it is no attempt of that run, and judged by nobody."""

    moved: tuple[VariedFactor, ...]
    kept: tuple[KeptFactor, ...]
    rebuild: RebuildResult
    tested_on: Annotated[AwareDatetime, AfterValidator(_whole_second)]
    """When it had ended: UTC, whole seconds."""


def changed(judged: RebuildResult, again: RebuildResult) -> tuple[str, ...]:
    """Return the names of the artefacts that two rebuilds did not leave alike, sorted."""
    one, two = (
        {o.name: o.sha256 for o in made.outputs if o.part is OutputKind.ARTEFACT}
        for made in (judged, again)
    )
    return tuple(sorted(name for name in one | two if one.get(name) != two.get(name)))
