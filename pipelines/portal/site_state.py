"""What a generation of the site consists of, and what its pages were made from."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_core import to_json

from builders.core.frozen_model import FrozenModel
from pipelines.nightly.record import LastingAlarm
from pipelines.portal.release_line import ReleaseLine
from pipelines.portal.site_writer import files_in

Marks = dict[str, tuple[int, ...] | None]
"""Of each center, in numbers, what its log has about a release; None where it is not read."""


class KeptRelease(FrozenModel):
    """The pages of a release, and all that they depend on."""

    release: str
    fixed: str
    """One digest over policy, recipe, and the code that made the pages."""
    marks: Marks
    watched: dict[str, str]
    """By folder of the center's store, a digest over the names that were in it."""
    acknowledged: str
    """A digest over the alarms, and who acknowledges them."""
    rests_on: tuple[str, ...] = ()
    """Of an update: the releases that it is based on."""
    settled: bool
    """Whether all its pages are settled (`PortalPage.settled`)."""
    joined: int
    """The number of the generation in which it was last joined."""
    line: ReleaseLine
    rows: str = ""
    """What the index of files has of it: lines of SHA-256 and JSON."""
    alarms: tuple[LastingAlarm, ...] = ()
    files: str
    """Its files, as a part of the site (`SiteWriter`)."""


class SiteState(FrozenModel):
    """One generation."""

    schema_: Literal["samebits/portal-state/v4"] = Field(
        default="samebits/portal-state/v4", alias="schema"
    )
    number: int
    made: datetime
    files: str
    """The part of the site that belongs to no release."""
    common: str = ""
    """One digest over center, policy and code; empty where that is not known."""
    common_files: str = ""
    """The part that these alone have made."""
    releases: dict[str, KeptRelease] = Field(default_factory=dict)
    """By name."""
    log_size: int = 0
    """Leaves of the center's own log."""
    logged: tuple[str, ...] = ()
    """The releases that these leaves are about."""

    @property
    def parts(self) -> tuple[str, ...]:
        """All parts of the site."""
        return (self.files, self.common_files, *(one.files for one in self.releases.values()))

    def all_files(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its path."""
        return files_in(*self.parts)

    def to_json(self) -> bytes:
        """Return it as it is stored."""
        return to_json(self, by_alias=True)


def read_state(data: bytes) -> SiteState | None:
    """Read a generation; None where it was made by another version of samebits, or is damaged."""
    try:
        return SiteState.model_validate_json(data)
    except ValidationError:
        return None
