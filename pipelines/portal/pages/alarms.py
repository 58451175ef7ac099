"""All alarms: the open ones first, then those that an operator has acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipelines.alarms.alarm import ListedAlarm
from pipelines.audit.center_finding import Excluded
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.rows import AlarmRow, NotCountedRow
from pipelines.portal.shown_text import cut_text

SHOWN = 500
"""Alarms of each kind that are listed; more are counted."""


class AlarmsPage(PortalPage):
    """All alarms."""

    TEMPLATE: ClassVar[str] = "alarms.html.j2"
    schema_: Annotated[Literal["samebits/portal/alarms/v1"], Field(alias="schema")] = (
        "samebits/portal/alarms/v1"
    )
    open: tuple[AlarmRow, ...]
    """The gravest first."""
    all_open: int
    acknowledged: tuple[AlarmRow, ...]
    all_acknowledged: int
    not_counted: tuple[NotCountedRow, ...]
    """Acknowledgements that do not count."""
    all_not_counted: int
    faults: tuple[str, ...]
    """Releases and centers that could not be looked at."""
    all_faults: int

    @property
    def path(self) -> str:
        """Where it is."""
        return "alarms/"


def alarms_page(
    alarms: Sequence[ListedAlarm], excluded: Iterable[Excluded], faults: tuple[str, ...]
) -> AlarmsPage:
    """Return the page of all alarms, which come gravest first."""
    is_open = [one for one in alarms if one.is_open]
    known = [one for one in alarms if not one.is_open]
    records = [*excluded]
    return AlarmsPage(
        open=tuple(AlarmRow.of(one) for one in is_open[:SHOWN]),
        all_open=len(is_open),
        acknowledged=tuple(AlarmRow.of(one) for one in known[:SHOWN]),
        all_acknowledged=len(known),
        not_counted=tuple(NotCountedRow.of(one) for one in records[:SHOWN]),
        all_not_counted=len(records),
        faults=tuple(map(cut_text, faults[:SHOWN])),
        all_faults=len(faults),
    )
