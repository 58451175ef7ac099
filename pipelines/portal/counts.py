"""How many releases have which standing: of all, by group, and over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from builders.core.frozen_model import FrozenModel
from pipelines.portal.release_line import ReleaseLine
from pipelines.portal.standing import Standing, standing_of_verdict

POINTS = 12
"""Times at which releases are counted, to show a trend."""
_DAYS = (1, 7, 30)
"""Days between two of them: the fewest that reach back to the first run, or the most."""


class Counts(FrozenModel):
    """Releases by their standing."""

    confirmed: int = 0
    different: int = 0
    suspect: int = 0
    unchecked: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.confirmed + self.different + self.suspect + self.unchecked

    @property
    def failed(self) -> int:
        """Those that are different or suspect."""
        return self.different + self.suspect

    @classmethod
    def of(cls, found: Iterable[Standing]) -> Counts:
        """Count standings."""
        return cls(**{str(standing): count for standing, count in Counter(found).items()})


class CountedGroup(FrozenModel):
    """The releases that have something in common."""

    name: str
    counts: Counts


class TrendPoint(FrozenModel):
    """How many releases had which standing at the end of a day, UTC."""

    on: date
    counts: Counts


def counts_of(lines: Iterable[ReleaseLine]) -> Counts:
    """Count releases."""
    return Counts.of(line.standing for line in lines)


def groups(
    lines: Iterable[ReleaseLine], name: Callable[[ReleaseLine], str]
) -> tuple[CountedGroup, ...]:
    """Count releases by a name of theirs: first where most has failed, then by name."""
    found: dict[str, list[Standing]] = defaultdict(list)
    for line in lines:
        found[name(line)].append(line.standing)
    return _sorted(found)


def regions(lines: Iterable[ReleaseLine]) -> tuple[CountedGroup, ...]:
    """Count what the centers of each region found in their newest run of a release.

    Of several centers of one region the newest run counts.
    """
    found: dict[str, list[Standing]] = defaultdict(list)
    for line in lines:
        newest = {run.region: run for run in sorted(line.runs, key=lambda run: run.run)}
        for region, run in newest.items():
            found[region].append(standing_of_verdict(run.verdict))
    return _sorted(found)


def _sorted(found: dict[str, list[Standing]]) -> tuple[CountedGroup, ...]:
    made = (
        CountedGroup(name=name, counts=Counts.of(standings)) for name, standings in found.items()
    )
    return tuple(sorted(made, key=lambda one: (-one.counts.suspect, -one.counts.failed, one.name)))


def trend(lines: Iterable[ReleaseLine], today: date) -> tuple[TrendPoint, ...]:
    """Count releases at the ends of days up to `today`, oldest first; none before the first run."""
    lines = list(lines)
    first = min((line.steps[0].at for line in lines if line.steps), default=None)
    if first is None:
        return ()
    span = (today - first.date()).days
    days = next((days for days in _DAYS if days * (POINTS - 1) >= span), _DAYS[-1])
    dates = [today - timedelta(days=days * back) for back in reversed(range(POINTS))]
    ends = [datetime.combine(on + timedelta(days=1), time(), tzinfo=UTC) for on in dates]
    found: list[list[Standing]] = [[] for _ in ends]
    for line in lines:
        for number, standing in _standings(line, ends):
            found[number].append(standing)
    points = zip(dates, found, strict=True)
    return tuple(TrendPoint(on=on, counts=Counts.of(one)) for on, one in points if one)


def _standings(line: ReleaseLine, ends: list[datetime]) -> Iterator[tuple[int, Standing]]:
    """Yield the standing that a release had at each of those times, once it had one."""
    steps, place = line.steps, 0
    for number, end in enumerate(ends):
        while place < len(steps) and steps[place].at < end:
            place += 1
        if place:
            yield number, steps[place - 1].standing
