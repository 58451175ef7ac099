"""What the parts of the portal are made from: of one release, and of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from builders.core.digest import Digest
from pipelines.alarms.alarm import ListedAlarm
from pipelines.audit.center_finding import Excluded
from pipelines.audit.log_index import LogIndex
from pipelines.consensus.release_consensus import ConsensusView, JoinedRelease, rules_for
from pipelines.evidence.release_name import ReleaseName
from pipelines.policy import ConsensusRules, SignedPolicy
from pipelines.portal.bundles import BundleMaker
from pipelines.portal.release_line import ReleaseLine
from pipelines.portal.site_changes import Changes
from pipelines.portal.site_state import KeptRelease

Folders = Mapping[str, tuple[str, ...]]
"""The names of records by the folder that they are in, which ends with a slash."""


@dataclass(frozen=True, kw_only=True)
class ReleaseFacts:
    """One release that was joined."""

    joined: JoinedRelease
    line: ReleaseLine
    alarms: tuple[ListedAlarm, ...]
    """Its alarms, from every run, also those that are acknowledged."""
    view: ConsensusView
    logs: LogIndex
    bundles: BundleMaker
    now: datetime
    """UTC; what a page shows of it makes that page unsettled."""
    previous: Mapping[str, str]
    """The files of this release in the generation before: SHA-256 by path."""
    folders: Folders
    watched: dict[str, str] = field(default_factory=dict)

    @property
    def release(self) -> ReleaseName:
        """Its name."""
        return self.joined.read.release

    @property
    def rules(self) -> ConsensusRules:
        """The rules of the policy for its kind."""
        return rules_for(self.view, self.joined.recipe)

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the records in a folder of the center's store, and watch that folder.

        The release is made again when one is added. The folder is below `public/reviews/` or
        `public/comments/`.
        """
        found = self.folders.get(folder, ())
        self.watched[folder] = names_digest(found)
        return found


@dataclass(frozen=True, kw_only=True)
class SiteFacts:
    """All releases, of which most were joined for an earlier generation."""

    view: ConsensusView
    logs: LogIndex
    now: datetime
    """UTC."""
    releases: tuple[KeptRelease, ...]
    """In order of their names."""
    changes: Changes
    """What is other than in the generation before."""
    alarms: tuple[ListedAlarm, ...]
    """Of all releases and logs, the gravest first."""
    excluded: tuple[Excluded, ...]
    """Acknowledgements that do not count."""
    faults: tuple[str, ...]
    """Releases and logs that could not be looked at, with the reason."""
    previous: Mapping[str, str]
    """The files of the generation before that belong to no release: SHA-256 by path."""
    earlier: tuple[SignedPolicy, ...]
    """The policies that the generation before had, oldest first."""

    @property
    def lines(self) -> tuple[ReleaseLine, ...]:
        """The releases in short."""
        return tuple(one.line for one in self.releases)


@lru_cache
def names_digest(names: tuple[str, ...]) -> str:
    """Return one digest over names of records."""
    return Digest.of("\n".join(names).encode()).hex
