"""The files of releases: each is joined, and its parts are made, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from pydantic_core import to_json

from builders.core.errors import SamebitsError, StoreError
from pipelines.alarms.raised import release_alarms
from pipelines.audit.center_finding import ExclusionReason
from pipelines.consensus.release_consensus import (
    JoinedRelease,
    base_chains,
    join_release,
    join_releases,
    rules_for,
)
from pipelines.evidence.release_name import ReleaseName
from pipelines.nightly.record import LastingAlarm
from pipelines.portal.bundles import BundleMaker
from pipelines.portal.contents import RELEASE_PARTS, files_of
from pipelines.portal.dependencies import Dependencies, listed_digest
from pipelines.portal.digest_index import file_rows
from pipelines.portal.facts import ReleaseFacts
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.release_line import release_line
from pipelines.portal.site_state import KeptRelease
from pipelines.portal.site_writer import SiteWriter, files_in
from pipelines.storage.bounded import BoundedStore

_LOG = logging.getLogger("samebits")
_ROUNDS = 30
"""Budgets of a peer that building one generation may use up."""
_UNREAD = frozenset({ExclusionReason.UNREACHABLE, ExclusionReason.BEHIND})


DueRelease: TypeAlias = tuple[ReleaseName, str]
"""A release, and its files in the generation before, as a part of the site (`SiteWriter`)."""


@dataclass(frozen=True, kw_only=True)
class BuiltRelease:
    """One release whose files are written, or why they are not."""

    release: str
    kept: bytes | None = None
    """A `KeptRelease` as JSON, which takes little memory until all are made."""
    faults: tuple[str, ...] = ()


class ReleaseBuilder:
    """Joins releases, and writes their files."""

    def __init__(
        self, *, depends: Dependencies, writer: SiteWriter, number: int, now: datetime
    ) -> None:
        """Build for the generation `number`."""
        self._depends, self.writer, self._number, self._now = depends, writer, number, now
        view = depends.view
        self._bundles = BundleMaker(view.sources, view.policy.policy, depends.logs)
        self._rounds: dict[str, int] = {}

    def build(self, due: Iterable[DueRelease]) -> Iterator[BuiltRelease]:
        """Yield each release once its files are written; what is wrong with one costs no other.

        Raises `StoreError` for the center's own store, and `OSError`.
        """
        view, logs = self._depends.view, self._depends.logs
        chains = base_chains(view, logs)
        wanted = list(due)
        waits = join_releases(view, (name for name, _ in wanted), logs=logs, chains=chains)
        for (name, previous), wait in zip(wanted, waits, strict=True):
            try:
                joined = wait()
                while self._renewed(joined):
                    joined = join_release(view, name, logs=logs, chains=chains)
                yield self._built(joined, previous)
            except (StoreError, OSError):
                raise
            except Exception as error:  # noqa: BLE001  # whatever a peer shows costs one release
                if not isinstance(error, SamebitsError):
                    _LOG.warning("%s could not be shown", name, exc_info=True)
                yield BuiltRelease(release=str(name), faults=(f"{name}: {error}",))

    def _renewed(self, joined: JoinedRelease) -> bool:
        """Give the peers that are behind another budget; False when none is left for one."""
        behind = {e.center for e in joined.consensus.excluded if e.reason is ExclusionReason.BEHIND}
        renewed = False
        for source in self._depends.view.peers:
            store, spent = source.store, self._rounds.get(source.center, 0)
            if source.center in behind and isinstance(store, BoundedStore) and spent < _ROUNDS:
                store.budget.renew()
                self._rounds[source.center] = spent + 1
                renewed = True
        return renewed

    def _built(self, joined: JoinedRelease, previous: str) -> BuiltRelease:
        view, logs, release = self._depends.view, self._depends.logs, joined.read.release
        withheld = logs.once_withheld(view.center, str(release))
        raised = release_alarms(joined, rules_for(view, joined.recipe), withheld)
        listed = self._depends.listed(raised)
        facts = ReleaseFacts(
            joined=joined,
            line=release_line(joined),
            alarms=listed,
            view=view,
            logs=logs,
            bundles=self._bundles,
            now=self._now,
            previous=files_in(previous),
            folders=self._depends.folders,
        )
        parts = [part for contents in RELEASE_PARTS for part in contents(facts)]
        files = self.writer.make(files_of(parts), previous)
        unread = [e for e in joined.consensus.excluded if e.reason in _UNREAD]
        kept = KeptRelease(
            release=str(release),
            fixed=self._depends.fixed(release),
            marks=self._depends.marks(release),
            watched=facts.watched,
            acknowledged=listed_digest(listed),
            rests_on=tuple(
                sorted({one.base.base.release for one in joined.consensus.artefacts if one.base})
            ),
            settled=not unread
            and release not in self._bundles.waiting
            and all(p.settled for p in parts if isinstance(p, PortalPage)),
            joined=self._number,
            line=facts.line,
            rows=file_rows(joined.read, files_in(files)),
            alarms=tuple(map(LastingAlarm.of, raised)),
            files=files,
        )
        faults = tuple(f"{e.center} cannot be read: {e.detail}" for e in unread)
        return BuiltRelease(release=str(release), kept=to_json(kept), faults=faults)
