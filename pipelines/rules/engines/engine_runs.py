"""What engines caught with two rule sets, and which samples changed, from the driver's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from builders.core.errors import InfrastructureError
from builders.core.frozen_model import FrozenModel

MOST_RESULT = 64 << 20
"""Bytes of the driver's result that are read."""


class EngineStatus(StrEnum):
    """Whether an engine ran."""

    RUN = "run"
    NOT_INSTALLED = "not-installed"
    NO_RULES = "no-rules"
    """Neither rule set has rules for it."""


class SideRun(FrozenModel):
    """What an engine did with one rule set: for each sample, what each rule did."""

    caught: dict[str, dict[str, str]] = Field(default_factory=dict)
    faults: tuple[str, ...] = ()


class DriverRun(FrozenModel):
    """What the driver says of one engine."""

    status: EngineStatus
    version: str = ""
    samples: tuple[str, ...] = ()
    old: SideRun = SideRun()
    new: SideRun = SideRun()


class SampleOutcome(StrEnum):
    """What became of a sample, worst first."""

    MISSED = "missed"
    """It was caught, and is not any more."""
    PASSED = "passed"
    """It was blocked, and is only reported."""
    CAUGHT = "caught"
    """It is caught or blocked now, and was not."""
    OTHER_RULES = "other-rules"
    """It is caught as before, by other rules."""


class SampleChange(FrozenModel):
    """A sample of which an engine says something else than before."""

    sample: str
    outcome: SampleOutcome
    gone: tuple[str, ...]
    """Rules that match no more, or block no more."""
    come: tuple[str, ...]


class EngineRun(FrozenModel):
    """What one engine did over all samples that it reads."""

    engine: str
    status: EngineStatus
    version: str = ""
    samples: int = 0
    caught_before: int = 0
    caught_after: int = 0
    changes: tuple[SampleChange, ...] = ()
    old_faults: tuple[str, ...] = ()
    new_faults: tuple[str, ...] = ()


_RESULT = TypeAdapter(dict[str, DriverRun])


def read_runs(data: bytes, samples: Mapping[str, str]) -> tuple[EngineRun, ...]:
    """Parse the driver's result; `samples` maps its names to those that users know.

    Raises `InfrastructureError` for a result that is none.
    """
    try:
        found = _RESULT.validate_json(data)
    except ValidationError as error:
        raise InfrastructureError(
            "what the engines found cannot be read", got=error.errors(include_url=False)[0]["msg"]
        ) from error
    return tuple(_run(name, one, samples) for name, one in found.items())


def _run(engine: str, run: DriverRun, samples: Mapping[str, str]) -> EngineRun:
    changes = [
        change
        for sample in run.samples
        if (change := _change(samples.get(sample, sample), *_sides(run, sample)))
    ]
    order = list(SampleOutcome)
    changes.sort(key=lambda change: (order.index(change.outcome), change.sample))
    return EngineRun(
        engine=engine,
        status=run.status,
        version=run.version,
        samples=len(run.samples),
        caught_before=sum(1 for caught in run.old.caught.values() if caught),
        caught_after=sum(1 for caught in run.new.caught.values() if caught),
        changes=tuple(changes),
        old_faults=run.old.faults,
        new_faults=run.new.faults,
    )


def _sides(run: DriverRun, sample: str) -> Sequence[dict[str, str]]:
    return [side.caught.get(sample, {}) for side in (run.old, run.new)]


def _change(sample: str, old: dict[str, str], new: dict[str, str]) -> SampleChange | None:
    if old == new:
        return None
    blocked = ["blocked" in side.values() for side in (old, new)]
    if old and not new:
        outcome = SampleOutcome.MISSED
    elif blocked[0] and not blocked[1]:
        outcome = SampleOutcome.PASSED
    elif (new and not old) or (blocked[1] and not blocked[0]):
        outcome = SampleOutcome.CAUGHT
    else:
        outcome = SampleOutcome.OTHER_RULES
    gone = tuple(sorted(rule for rule in old if old[rule] != new.get(rule)))
    come = tuple(sorted(rule for rule in new if new[rule] != old.get(rule)))
    return SampleChange(sample=sample, outcome=outcome, gone=gone, come=come)


def lost(runs: Iterable[EngineRun]) -> Iterator[SampleChange]:
    """Yield the samples that were caught or blocked, and are not any more."""
    worse = (SampleOutcome.MISSED, SampleOutcome.PASSED)
    yield from (change for run in runs for change in run.changes if change.outcome in worse)


def to_dict(runs: Iterable[EngineRun]) -> list[dict[str, Any]]:
    """Return runs for `--json`."""
    return [run.model_dump(mode="json") for run in runs]
