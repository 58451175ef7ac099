"""What several pages list: releases and alarms, with the paths of their pages."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from pydantic import AwareDatetime

from builders.core.enums import Kind
from builders.core.errors import UsageError
from builders.core.frozen_model import FrozenModel
from pipelines.alarms.alarm import ListedAlarm, ranges_of
from pipelines.alarms.cause import AlarmCause
from pipelines.audit.center_finding import Excluded
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.acknowledgement import LeafRange
from pipelines.portal.paths import center_path, release_path
from pipelines.portal.release_line import ReleaseLine
from pipelines.portal.run_times import began
from pipelines.portal.shown_text import cut_text
from pipelines.portal.standing import Standing

_NEVER = datetime.min.replace(tzinfo=UTC)


class ReleaseRow(FrozenModel):
    """One release in a list."""

    release: str
    version: str
    path: str
    kind: Kind | None
    standing: Standing
    since: AwareDatetime | None
    matched: tuple[str, ...]
    dissenting: tuple[str, ...]

    @classmethod
    def of(cls, line: ReleaseLine) -> ReleaseRow:
        """Return the row of a release."""
        return cls(
            release=str(line.release),
            path=release_path(line.release),
            since=line.since,
            **line.only("version", "kind", "standing", "matched", "dissenting"),
        )


class AcknowledgementRow(FrozenModel):
    """Who knows of an alarm, and why that is enough."""

    operator: str
    reason: str
    on: AwareDatetime


class AlarmRow(FrozenModel):
    """One alarm in a list."""

    cause: AlarmCause
    about: str
    """A release, or a center."""
    path: str
    center: str
    text: str
    open: bool
    since: AwareDatetime | None
    """When the first run began that shows it; None where no run does."""
    leaves: tuple[LeafRange, ...]
    record: str
    acknowledged: tuple[AcknowledgementRow, ...]
    not_counted: tuple[str, ...]

    @classmethod
    def of(cls, listed: ListedAlarm) -> AlarmRow:
        """Return the row of an alarm."""
        alarm = listed.alarm
        return cls(
            cause=alarm.cause,
            about=alarm.about,
            path=_path(alarm.release, alarm.center),
            center=alarm.center,
            text=cut_text(alarm.text),
            open=listed.is_open,
            since=began(alarm.since),
            leaves=ranges_of(alarm.leaves),
            record=alarm.record,
            acknowledged=tuple(
                AcknowledgementRow(
                    operator=one.content.operator,
                    reason=one.content.reason,
                    on=one.content.acknowledged_on,
                )
                for one in listed.by
            ),
            not_counted=listed.objections,
        )


class NotCountedRow(FrozenModel):
    """What does not count, and why."""

    center: str
    reason: str
    detail: str
    record: str

    @classmethod
    def of(cls, excluded: Excluded) -> NotCountedRow:
        """Return the row of something excluded."""
        return cls(
            center=excluded.center,
            reason=str(excluded.reason),
            detail=cut_text(excluded.detail),
            record=excluded.record,
        )


def newest_first(lines: Iterable[ReleaseLine]) -> list[ReleaseLine]:
    """Return releases in the order of the runs that brought their standing, the newest first."""
    by_name = sorted(lines, key=lambda line: str(line.release))
    return sorted(by_name, key=lambda line: line.since or _NEVER, reverse=True)


def _path(release: str | None, center: str) -> str:
    if release is not None:
        with suppress(UsageError):
            return release_path(ReleaseName.parse(release))
    return center_path(center)
