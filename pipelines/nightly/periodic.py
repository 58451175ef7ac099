"""What a center does beside its rebuilds: witness its peers, join findings, publish a heartbeat.

Plain functions over a session; flows, commands and nights call them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import tee

from builders.core.errors import SamebitsError, StoreConflictError, UsageError
from builders.rebuild.reap import ReapReport, reap
from pipelines.alarms.alarm import Alarm
from pipelines.alarms.raised import release_alarms
from pipelines.audit.center_finding import ExclusionReason
from pipelines.center.keys import public_keys
from pipelines.center.logs import collect_cosignatures, witness_peers
from pipelines.consensus import ReleaseConsensus
from pipelines.consensus.release_consensus import (
    ConsensusView,
    JoinedRelease,
    base_chains,
    join_release,
    join_releases,
    read_logs,
    rules_for,
)
from pipelines.consensus.summaries import (
    publish_crosschecks,
    publish_summary,
    summarizer_of,
    summary_prefix,
)
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.statements.log_status import HeartbeatStatement, Work
from pipelines.log.witness import WitnessResult
from pipelines.nightly.lost_runs import publish_lost
from pipelines.nightly.missing_statements import report_missing
from pipelines.nightly.settled import SettledReleases
from pipelines.signer.orders import status_signer
from pipelines.storage.bounded import PeerBudget
from pipelines.verify.interrupted import complete_interrupted, interrupted_runs
from pipelines.verify.session import Session

_LOG = logging.getLogger("samebits")
_TRIES = 5
_ROUNDS = 30
"""Rounds of one joining in which peers that are behind are read on."""


@dataclass(frozen=True, kw_only=True)
class JoinSummary:
    """What came of joining releases: those joined, and those that could not be, with the reason."""

    joined: tuple[ReleaseConsensus, ...]
    failed: tuple[tuple[str, str], ...]
    raised: tuple[Alarm, ...] = ()
    """The alarms of the releases joined, from every run of theirs; also those acknowledged."""
    unchanged: int = 0
    """How many were not joined, since nothing that they depend on has changed."""

    @property
    def behind(self) -> dict[ReleaseName, frozenset[str]]:
        """The releases of which peers have more than could be read, with these peers."""
        found = {
            one.release: frozenset(
                e.center for e in one.excluded if e.reason is ExclusionReason.BEHIND
            )
            for one in self.joined
        }
        return {release: centers for release, centers in found.items() if centers}

    def __str__(self) -> str:
        """Return one line."""
        counts = {
            "joined": len(self.joined),
            "unchanged": self.unchanged,
            "behind": len(self.behind),
            "failed": len(self.failed),
        }
        return ", ".join(f"{count} {word}" for word, count in counts.items())


def witness_round(session: Session) -> tuple[tuple[str, WitnessResult], ...]:
    """Log what waits, cosign the peers' logs, and take in what they have cosigned of ours.

    Returns what was seen of each peer, by its id. Raises `PolicyError` for a peer that the policy
    does not know, `LogError` for an own log that is not whole, `StoreError` for the own store.
    """
    center, policy, book = session.center, session.policy(datetime.now(UTC)), session.logbook()
    book.settle()
    seen = tuple(witness_peers(center, policy, session.store))
    if book.log.checkpoint() is not None:
        collect_cosignatures(center, policy, book.log)
    return seen


def join_round(
    session: Session,
    names: Iterable[str],
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> JoinSummary:
    """Join the findings of all centers on the releases `names`; sign and log a summary of each.

    What other centers do not show of what their logs have is reported, signed by our witness. Of
    own runs whose outputs are lost the seals are published.

    A release is left out while nothing that it depends on has changed. What is wrong with one costs
    no other its turn. Those of which a peer is behind are joined again with a new budget, as long
    as there is progress. `clock` gives the time in UTC; it is asked for every release, since a
    signer takes no summary of another moment than its own. Raises `CenterPolicyError`.
    """
    found = _round(session, [ReleaseName.parse(name) for name in names], clock)
    for _ in range(_ROUNDS):
        behind, kept = found.behind, session.kept_logs.size
        if not behind:
            break
        late = [session.peer_stores[peer].budget for peer in frozenset().union(*behind.values())]
        for budget in late:
            budget.renew()
        later = _round(session, list(behind), clock, late)
        again = {one.release for one in later.joined}
        told = {str(release) for release in again}
        found = replace(
            found,
            joined=(*(one for one in found.joined if one.release not in again), *later.joined),
            failed=(*found.failed, *later.failed),
            raised=(*(a for a in found.raised if a.release not in told), *later.raised),
        )
        if len(found.behind) == len(behind) and session.kept_logs.size == kept:
            break
    try:
        now = clock()
        report_missing(session, session.consensus_view(now), found.joined, now)
    except SamebitsError as error:
        _LOG.warning("what is missing in other logs is not reported: %s", error)
    return found


def _round(
    session: Session,
    names: Sequence[ReleaseName],
    clock: Callable[[], datetime],
    late: Sequence[PeerBudget] = (),
) -> JoinSummary:
    """Join releases within one budget for each peer, until those of all `late` ones are used up."""
    view = session.consensus_view(clock())
    logs = read_logs(view, names)
    chains = base_chains(view, logs)
    joined, failed, raised, due = [], [], list[Alarm](), 0
    path = session.center.home / "cache" / "settled.sqlite"
    with closing(SettledReleases(path, view, logs)) as settled:
        states, wanted = tee(settled.due(names))
        joins = join_releases(view, (name for name, _ in wanted), logs=logs, chains=chains)
        for join, (name, state) in zip(joins, states, strict=False):  # joins are begun first
            if late and all(budget.is_used_up for budget in late):
                break
            due += 1
            try:
                found = _joined(session, view, join, name, clock)
                withheld = logs.once_withheld(view.center, str(name))
                alarms = release_alarms(found, rules_for(view, found.recipe), withheld)
            except Exception as error:  # noqa: BLE001  # whatever a peer shows costs one release
                unknown = not isinstance(error, SamebitsError | OSError)
                _LOG.warning("%s could not be joined: %s", name, error, exc_info=unknown)
                failed.append((str(name), str(error)))
            else:
                settled.keep(found, alarms, state, clock())
                raised += alarms
                joined.append(found.consensus)
    try:
        publish_lost(session, joined, logs)
    except SamebitsError as error:
        _LOG.warning("the seals of lost runs are not published: %s", error)
    return JoinSummary(
        joined=tuple(joined),
        failed=tuple(failed),
        raised=tuple(raised),
        unchanged=len(names) - due,
    )


def _joined(
    session: Session,
    view: ConsensusView,
    join: Callable[[], JoinedRelease],
    name: ReleaseName,
    clock: Callable[[], datetime],
) -> JoinedRelease:
    """Join one release and publish what came of it.

    A peer may speak between the joining and the signer's own; then it is joined again.
    """
    for _ in range(_TRIES):
        found = join()
        try:
            publish_joined(session, view, found, clock())
        except RefusedError as error:
            if error.check != "summary":
                raise
            join = partial(join_release, view, name)
        else:
            return found
    raise StoreConflictError(
        "the centers do not stop speaking of it",
        got=f"{_TRIES} tries",
        expected="a moment in which nothing new is said",
        todo="Join it again later: `samebits consensus RELEASE --publish`",
    )


def publish_joined(
    session: Session, view: ConsensusView, joined: JoinedRelease, now: datetime
) -> tuple[str, ...]:
    """Sign, store and log cross-checks of the peers' work, and a summary of each artefact.

    Returns the names of the records.
    """
    book, sign = session.logbook(), status_signer(session.signer)
    release = joined.read.release
    made = list(
        publish_crosschecks(
            view.store, joined.read.proofs, sign=sign, now=now, storing=book.storing
        )
    )
    summarizer = summarizer_of(view, joined, now)
    for found in joined.consensus.artefacts:
        folder = summary_prefix(release, found.subject, view.center)
        with book.storing(folder):
            one = publish_summary(
                view.store,
                folder,
                partial(summarizer.summary, found, now=now),
                sign=sign,
                keys=[public_keys(session.center)["statements"], *view.former_keys],
            )
        made += [one] if one else []
    book.settle(*made)
    return tuple(made)


def publish_own_heartbeat(
    session: Session, work: Work | None = None
) -> tuple[str, HeartbeatStatement]:
    """Sign, store and log a heartbeat of the center; returns the name of its record, and it."""
    sign = status_signer(session.signer)
    return session.logbook().publish_heartbeat(sign, datetime.now(UTC), work)


def join_everything(session: Session) -> JoinSummary:
    """Join every release of which the center has a recipe; raises as `join_round` does."""
    folder = session.center.recipes / "releases"
    # Their names say which releases they are of, as `find_recipe` expects it.
    found = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*/*.yaml"))
    names = []
    for vendor, product, version in (path.removesuffix(".yaml").split("/") for path in found):
        with suppress(UsageError):  # no release has that name
            names.append(str(ReleaseName(vendor=vendor, product=product, version=version)))
    return join_round(session, names)


@dataclass(frozen=True, kw_only=True)
class Reaped:
    """What was completed and removed of runs whose process has ended."""

    completed: tuple[Report, ...]
    uncompleted: tuple[str, ...]
    """Runs that had committed, and cannot be completed now; their folders stay."""
    removed: ReapReport
    """Containers, folders and files; and what could not be removed."""
    half_written: int
    """Objects of the store."""


def reap_center(session: Session, *, complete: bool = True) -> Reaped:
    """Complete what killed runs had committed to, and remove what else they have left.

    That is: containers, mounts and folders, and half-written objects. Living runs are left alone.
    Without `complete`, which may rebuild, the folders of committed runs stay as they are.
    """
    center = session.center
    found = list(complete_interrupted(session) if complete else interrupted_runs(session))
    uncompleted = tuple(one for one in found if isinstance(one, str))
    runs, workdir, half_written = center.runs, session.workdir, 0
    removed = reap(session.engine, runs, workdir, center=center.id, keep=uncompleted)
    with removed.noting("half-written objects"):
        half_written = session.store.sweep()
    for one in removed.failed:
        _LOG.warning("not removed: %s: %s", one.name, one.reason)
    return Reaped(
        completed=tuple(one for one in found if isinstance(one, Report)),
        uncompleted=uncompleted,
        removed=removed,
        half_written=half_written,
    )
