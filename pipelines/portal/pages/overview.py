"""The first page: what needs attention, how many releases have which standing, the last night.

It lists no more than a page can carry, however many releases there are: the others are one link
away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from builders.core.frozen_model import FrozenModel
from pipelines.alarms.alarm import ListedAlarm
from pipelines.portal.counts import (
    CountedGroup,
    Counts,
    TrendPoint,
    counts_of,
    groups,
    regions,
    trend,
)
from pipelines.portal.paths import center_path, vendor_path
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.release_line import CenterRun, ReleaseLine
from pipelines.portal.rows import AlarmRow, ReleaseRow, newest_first
from pipelines.portal.standing import Standing, standing_of_verdict

SHOWN = 15
"""Alarms and releases that are listed; more are counted."""
VENDORS, FAILURES = 40, 5
"""Vendors that are listed, and failures of each last night."""
NIGHT = timedelta(hours=24)
"""The runs of a center that began so long before its newest one are its last night."""
_FAILED = (Standing.SUSPECT, Standing.DIFFERENT)


class VendorRow(CountedGroup):
    """The releases of a vendor."""

    path: str


class NightRow(FrozenModel):
    """What a center found in its last night."""

    center: str
    path: str
    began: AwareDatetime
    """When its first run began, UTC."""
    counts: Counts
    """Of the newest run of each release that it ran in that night."""
    failed: tuple[ReleaseRow, ...]


class OverviewPage(PortalPage):
    """The first page."""

    TEMPLATE: ClassVar[str] = "overview.html.j2"
    schema_: Annotated[Literal["samebits/portal/overview/v1"], Field(alias="schema")] = (
        "samebits/portal/overview/v1"
    )
    made: AwareDatetime
    counts: Counts
    alarms: tuple[AlarmRow, ...]
    """Open ones, the gravest first."""
    open_alarms: int
    attention: tuple[ReleaseRow, ...]
    """Releases that are suspect or different, the newest first."""
    nights: tuple[NightRow, ...]
    vendors: tuple[VendorRow, ...]
    """The first ones, those of which most has failed first."""
    all_vendors: int
    kinds: tuple[CountedGroup, ...]
    regions: tuple[CountedGroup, ...]
    """By what the centers of a region found."""
    trend: tuple[TrendPoint, ...]

    @property
    def path(self) -> str:
        """Where it is."""
        return ""


def overview_page(
    lines: Sequence[ReleaseLine], alarms: Iterable[ListedAlarm], now: datetime
) -> OverviewPage:
    """Return the first page; `alarms` come gravest first, `now` is UTC."""
    listed = [one for one in alarms if one.is_open]
    vendors = vendor_rows(lines)
    failed = [line for line in lines if line.standing in _FAILED]
    return OverviewPage(
        made=now.replace(microsecond=0),
        counts=counts_of(lines),
        alarms=tuple(AlarmRow.of(one) for one in listed[:SHOWN]),
        open_alarms=len(listed),
        attention=tuple(ReleaseRow.of(line) for line in newest_first(failed)[:SHOWN]),
        nights=tuple(_nights(lines)),
        vendors=vendors[:VENDORS],
        all_vendors=len(vendors),
        kinds=groups(lines, lambda line: str(line.kind or "unknown")),
        regions=regions(lines),
        trend=trend(lines, now.date()),
    )


def vendor_rows(lines: Iterable[ReleaseLine]) -> tuple[VendorRow, ...]:
    """Return a row for each vendor: first where most has failed, then by name."""
    found = groups(lines, lambda line: line.vendor)
    return tuple(
        VendorRow(**one.only("name", "counts"), path=vendor_path(one.name)) for one in found
    )


def _nights(lines: Iterable[ReleaseLine]) -> Iterator[NightRow]:
    """Yield the last night of each center, by center."""
    by_center: dict[str, list[tuple[datetime, CenterRun, ReleaseLine]]] = defaultdict(list)
    for line in lines:
        for run in line.runs:
            if start := run.started:
                by_center[run.center].append((start, run, line))
    for center, found in sorted(by_center.items()):
        last = max(start for start, _, _ in found)
        night = [one for one in found if last - one[0] < NIGHT]
        standings = [(standing_of_verdict(run.verdict), line) for _, run, line in night]
        failed = newest_first(line for standing, line in standings if standing in _FAILED)
        yield NightRow(
            center=center,
            path=center_path(center),
            began=min(start for start, _, _ in night),
            counts=Counts.of(standing for standing, _ in standings),
            failed=tuple(ReleaseRow.of(line) for line in failed[:FAILURES]),
        )
