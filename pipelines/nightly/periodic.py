"""What a center does beside its rebuilds: witness its peers, join findings, publish a heartbeat.

Plain functions over a session; flows, commands and nights call them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from builders.core.errors import SamebitsError, StoreConflictError
from builders.rebuild.reap import ReapReport, reap
from pipelines.audit.log_index import LogIndex
from pipelines.center.keys import public_keys
from pipelines.center.logs import collect_cosignatures, witness_peers
from pipelines.consensus import ReleaseConsensus
from pipelines.consensus.release_consensus import (
    ConsensusView,
    JoinedRelease,
    join_release,
    read_logs,
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
from pipelines.nightly.missing_statements import report_missing
from pipelines.nightly.night_plan import Release, releases
from pipelines.signer.orders import status_signer
from pipelines.verify.interrupted import complete_interrupted, interrupted_runs
from pipelines.verify.session import Session

_LOG = logging.getLogger("samebits")
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class JoinSummary:
    """What came of joining releases: those joined, and those that could not be, with the reason."""

    joined: tuple[ReleaseConsensus, ...]
    failed: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return one line."""
        return f"{len(self.joined)} joined, {len(self.failed)} failed"


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

    What other centers do not show of what their logs have is reported, signed by our witness.

    What is wrong with one release costs no other its turn. `clock` gives the time in UTC; it is
    asked for every release, since a signer takes no summary of another moment than its own. Raises
    `CenterPolicyError`.
    """
    view = session.consensus_view(clock())
    parsed = [ReleaseName.parse(name) for name in names]
    logs = read_logs(view, parsed)
    joined, failed = [], []
    for name in parsed:
        try:
            joined.append(_joined(session, view, name, logs, clock))
        except SamebitsError as error:
            _LOG.warning("%s could not be joined: %s", name, error)
            failed.append((str(name), str(error)))
    try:
        report_missing(session, view, joined, clock())
    except SamebitsError as error:
        _LOG.warning("what is missing in other logs is not reported: %s", error)
    return JoinSummary(joined=tuple(joined), failed=tuple(failed))


def _joined(
    session: Session,
    view: ConsensusView,
    name: ReleaseName,
    logs: LogIndex,
    clock: Callable[[], datetime],
) -> ReleaseConsensus:
    """Join one release and publish what came of it.

    A peer may speak between the joining and the signer's own; then it is joined again.
    """
    for _ in range(_TRIES):
        found = join_release(view, name, logs=logs)
        try:
            publish_joined(session, view, found, clock())
        except RefusedError as error:
            if error.check != "summary":
                raise
            logs = read_logs(view, [name])
        else:
            return found.consensus
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
    """Join every release of which the center has a recipe."""
    found = releases(session.center.recipes, session.images)
    return join_round(session, [one.release for one in found if isinstance(one, Release)])


@dataclass(frozen=True, kw_only=True)
class Reaped:
    """What was completed and removed of runs whose process has ended."""

    completed: tuple[Report, ...]
    uncompleted: tuple[str, ...]
    """Runs that had committed, and cannot be completed now; their folders stay."""
    removed: ReapReport
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
    return Reaped(
        completed=tuple(one for one in found if isinstance(one, Report)),
        uncompleted=uncompleted,
        removed=reap(
            session.engine, center.runs, session.workdir, center=center.id, keep=uncompleted
        ),
        half_written=session.store.sweep(),
    )
