"""Building the portal: what has changed is joined and rendered, the rest is as it was."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from builders.core.errors import NotFoundError, SamebitsError
from pipelines.alarms.listing import listed_alarms, logged_releases, recipe_releases
from pipelines.consensus.release_consensus import ConsensusView
from pipelines.evidence.release_name import ReleaseName
from pipelines.nightly.record import LastingAlarm, last_public_night
from pipelines.policy import SignedPolicy
from pipelines.portal.contents import COMMON_PARTS, SITE_PARTS, Part, files_of
from pipelines.portal.dependencies import Dependencies
from pipelines.portal.facts import SiteFacts
from pipelines.portal.policy_chain import CHAIN, read_chain
from pipelines.portal.release_builder import DueRelease, ReleaseBuilder
from pipelines.portal.release_line import seen_at
from pipelines.portal.release_workers import (
    OtherProcess,
    build_releases,
    get_ready,
    other_process,
    read_logs_of_all,
)
from pipelines.portal.site_changes import Changes
from pipelines.portal.site_folder import SiteFolder
from pipelines.portal.site_state import KeptRelease, SiteState
from pipelines.portal.site_store import SiteStore
from pipelines.portal.site_writer import SiteWriter, files_in
from pipelines.storage.opening import StoreAddress, open_store
from pipelines.verify.session import Session

Count = Callable[[int, int], None]
"""Is told how many releases are made, of how many."""
MANY = 1000
"""Releases that were made anew from which on the next generation is prepared."""


@dataclass(frozen=True, kw_only=True)
class BuiltSite:
    """One generation that was built."""

    place: StoreAddress
    number: int
    releases: int
    made: int
    """How many of them were joined and rendered; the others had not changed."""
    files: int
    faults: tuple[str, ...]
    """Releases and logs that could not be looked at, with the reason."""

    def to_dict(self) -> dict[str, object]:
        """Return it for `--json`."""
        return {
            "place": str(self.place),
            "generation": self.number,
            "releases": self.releases,
            "made": self.made,
            "files": self.files,
            "faults": list(self.faults),
        }

    def __str__(self) -> str:
        """Return it in one line."""
        return (
            f"generation {self.number} in {self.place}: {self.releases} releases, "
            f"{self.made} of them made anew, {self.files} files, {len(self.faults)} faults"
        )


def build_portal(
    session: Session,
    place: StoreAddress,
    *,
    now: datetime | None = None,
    anew: bool = False,
    count: Count = lambda _done, _total: None,
) -> BuiltSite:
    """Build the next generation of the portal, as a center sees the releases.

    `place` is a folder, or a store in S3 for which the folder is below the center's home. `now` is
    UTC. With `anew` everything is made again. Of the center's own store only `public/` is read.
    Raises `UsageError` for a folder of something else, `StoreError` for the center's own store and
    for that of the portal, `CenterPolicyError`.
    """
    now = now or datetime.now(UTC)
    site = SiteFolder(portal_folder(session, place))
    with site.locked():
        built = _build(session, site, now, count, anew=anew)
        if not isinstance(place, Path):
            SiteStore(open_store(place)).publish(site)
    return replace(built, place=place)


def portal_folder(session: Session, place: StoreAddress) -> Path:
    """Return where a portal is built that is served from `place`."""
    return place if isinstance(place, Path) else session.center.home / "portal"


@contextmanager
def _kept(site: SiteFolder, *, anew: bool) -> Iterator[SiteState | None]:
    """Yield the newest generation, which the garbage collector leaves alone until the end.

    It would look through thousands of releases again and again, and none of them is garbage.
    """
    gc.disable()
    try:
        before = None if anew else site.state()
        gc.freeze()
    finally:
        gc.enable()
    try:
        yield before
    finally:
        gc.unfreeze()


def _build(
    session: Session, site: SiteFolder, now: datetime, count: Count, *, anew: bool
) -> BuiltSite:
    view, number = replace(session.consensus_view(now), public_only=True), site.next_number()
    named = frozenset(recipe_releases(view))
    other = OtherProcess(
        center=session.center,
        now=now,
        number=number,
        folder=site.building,
        current=site.current.resolve(),
    )
    with other_process(other, len(named)) as pool:
        if not site.current.exists():  # much of the logs may be new, too
            read_logs_of_all(view, pool)
        depends = Dependencies.now(view)
        get_ready(pool)
        with _kept(site, anew=anew) as before:
            return _build_after(before, site, depends, named, number, now, pool, count)


def _build_after(
    before: SiteState | None,
    site: SiteFolder,
    depends: Dependencies,
    named: Iterable[ReleaseName],
    number: int,
    now: datetime,
    pool: ProcessPoolExecutor | None,
    count: Count,
) -> BuiltSite:
    """Build the generation `number` after the one `before`; recipes are `named` so."""
    writer = site.begin(before)
    kept = before.releases if before else {}
    logged = LoggedNames.now(depends, before)
    names = {str(name): name for name in named}
    names |= {name: ReleaseName.parse(name) for name in logged.names if name not in names}
    due: list[DueRelease] = [
        (names[name], kept[name].files if name in kept else "")
        # In the order of the log, of which a bundle of leaves is so read once.
        for name in sorted(depends.due(names, kept), key=lambda name: depends.place(names[name]))
    ]
    builder = ReleaseBuilder(depends=depends, writer=writer, number=number, now=now)
    built: dict[str, bytes] = {}
    faults: list[str] = []
    for done, one in enumerate(build_releases(builder, due, pool)):
        count(done, len(due))
        if one.kept is not None:
            built[one.release] = one.kept
        faults += one.faults
    anew = before is None or before.common != depends.common
    made: dict[str, KeptRelease] = {}
    for name in [*built]:  # where all are made anew, each takes the place of the one before it
        old = kept.pop(name, None) if anew else kept.get(name)
        made[name] = _made(built.pop(name), old, now)
        writer.add(made[name].files, old.files if old else "")
    releases = _with_unchanged(writer, made, {n: kept[n] for n in names if n in kept})
    facts = _facts(
        depends,
        releases=tuple(releases.values()),
        changes=Changes.since(before, depends.common, releases),
        faults=faults,
        before=before,
        earlier=_earlier(site),
        now=now,
    )
    state = SiteState(
        number=number,
        made=now,
        files=_written(SITE_PARTS, facts, writer, before.files if before else ""),
        common=depends.common,
        common_files=_common_files(facts, writer, before),
        releases=releases,
        log_size=logged.size,
        logged=logged.names,
    )
    site.finish(writer, state)
    if before is not None and len(due) >= MANY:
        site.prepare_next(state)
    return BuiltSite(
        place=site.root,
        number=number,
        releases=len(releases),
        made=len(due),
        files=sum(1 + part.count("\n") for part in filter(None, state.parts)),
        faults=facts.faults,
    )


@dataclass(frozen=True)
class LoggedNames:
    """The releases that a center's own log is about."""

    size: int
    names: tuple[str, ...]

    @classmethod
    def now(cls, depends: Dependencies, before: SiteState | None) -> LoggedNames:
        """Read what the log has more than in the generation before."""
        start, known = (before.log_size, before.logged) if before else (0, ())
        try:
            reader = depends.logs.reader(depends.view.center)
            size = reader.size if reader else 0
            if size < start:  # another log, or one that was restored
                start, known = 0, ()
            new = [*logged_releases(depends.view, depends.logs, start)]
        except SamebitsError:  # no log, or one that is not believed now
            size, new = start, []
        return cls(size, tuple(sorted({*known, *map(str, new)})))


def _made(data: bytes, earlier: KeptRelease | None, now: datetime) -> KeptRelease:
    """Return a release that was made; its steps are no later than when they were first seen."""
    made = KeptRelease.model_validate_json(data)
    line = seen_at(made.line, earlier.line if earlier else None, now)
    return made.model_copy(update={"line": line})


def _with_unchanged(
    writer: SiteWriter, made: Mapping[str, KeptRelease], kept: Mapping[str, KeptRelease]
) -> dict[str, KeptRelease]:
    """Return all releases in order; those not made stay, also where they cannot be read now."""
    for name in kept.keys() - made.keys():
        writer.keep(kept[name].files)
    return dict(sorted({**kept, **made}.items()))


def _facts(
    depends: Dependencies,
    *,
    releases: tuple[KeptRelease, ...],
    changes: Changes,
    faults: list[str],
    before: SiteState | None,
    earlier: tuple[SignedPolicy, ...],
    now: datetime,
) -> SiteFacts:
    view, logs = depends.view, depends.logs
    raised = (alarm.alarm() for one in releases for alarm in one.alarms)
    told = (alarm.alarm() for alarm in _lasting(view))
    listed = listed_alarms(view, logs, raised, told=told, faults=faults)
    return SiteFacts(
        view=view,
        logs=logs,
        now=now,
        releases=releases,
        changes=changes,
        alarms=listed.alarms,
        excluded=listed.excluded,
        faults=listed.faults,
        previous=files_in(before.files) if before else {},
        earlier=earlier,
    )


def _earlier(site: SiteFolder) -> tuple[SignedPolicy, ...]:
    """Return the policies that the newest generation has, also where it is made anew."""
    try:
        return read_chain(site.read(CHAIN))
    except NotFoundError:
        return ()


def _lasting(view: ConsensusView) -> tuple[LastingAlarm, ...]:
    """Return the alarms that the last night of the center told: they are listed until the end."""
    night = last_public_night(view.store, view.center)
    return night.lasting if night else ()


def _common_files(facts: SiteFacts, writer: SiteWriter, before: SiteState | None) -> str:
    """Return the part of the site that center, policy and code make."""
    if before is None or not facts.changes.common:
        return _written(COMMON_PARTS, facts, writer, before.common_files if before else "")
    writer.keep(before.common_files)
    return before.common_files


def _written(
    contents: Iterable[Callable[[SiteFacts], Iterable[Part]]],
    facts: SiteFacts,
    writer: SiteWriter,
    before: str,
) -> str:
    """Write what belongs to no release, and return it as a part of the site; it was `before`."""
    return writer.make((file for one in contents for file in files_of(one(facts))), before)
