"""The first page: what is open, and how the releases stand."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from pipelines.portal.facts import SiteFacts
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.standing import Standing


class OverviewPage(PortalPage):
    """The first page."""

    TEMPLATE: ClassVar[str] = "overview.html.j2"

    schema_: Literal["samebits/portal/overview/v1"] = Field(
        default="samebits/portal/overview/v1", alias="schema"
    )
    made: datetime
    releases: int
    standings: dict[Standing, int]
    open_alarms: int

    @property
    def path(self) -> str:
        """The root of the site."""
        return ""


def overview_page(facts: SiteFacts) -> OverviewPage:
    """Return the first page."""
    counted = Counter(line.standing for line in facts.lines)
    return OverviewPage(
        made=facts.now,
        releases=len(facts.releases),
        standings={standing: counted[standing] for standing in Standing},
        open_alarms=sum(one.is_open for one in facts.alarms),
    )
