"""The page of a release: where it stands, and what each center found."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.portal.facts import ReleaseFacts
from pipelines.portal.paths import release_path
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.release_line import ReleaseLine


class ReleasePage(PortalPage):
    """The page of a release."""

    TEMPLATE: ClassVar[str] = "release.html.j2"

    schema_: Literal["samebits/portal/release/v1"] = Field(
        default="samebits/portal/release/v1", alias="schema"
    )
    line: ReleaseLine

    @property
    def path(self) -> str:
        """The folder of the release."""
        return release_path(self.line.release)


def release_page(facts: ReleaseFacts) -> ReleasePage:
    """Return the page of a release."""
    return ReleasePage(line=facts.line)
