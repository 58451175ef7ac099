"""What a center does beside its rebuilds: witness its peers, join findings, answer requests, beat.

Plain functions over a center, each whole in itself; flows, commands and nights call them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import SamebitsError, StoreConflictError
from pipelines.center.center import Center
from pipelines.center.logs import collect_cosignatures, witness_peers
from pipelines.consensus import ReleaseConsensus
from pipelines.consensus.desk import Desk, join_release, publish_joined, read_logs
from pipelines.consensus.desk import open_desk as open_joining
from pipelines.consensus.logged import LogIndexes
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.statements.status import HeartbeatStatement, Work
from pipelines.log.heartbeats import beat, signs
from pipelines.log.witness import Seen
from pipelines.nightly.one import verify_fresh
from pipelines.nightly.releases import Release
from pipelines.nightly.releases import releases as recipes_of
from pipelines.policy import load_policy
from pipelines.requests import Served, serve
from pipelines.requests.opening import open_desk as open_serving
from pipelines.verify.publish import open_signer
from pipelines.verify.session import recipes_folder, workshop
from pipelines.verify.verify import job_for

_LOG = logging.getLogger("samebits")
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of joining releases: those joined, and those that could not be, with the reason."""

    joined: tuple[ReleaseConsensus, ...]
    failed: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return one line."""
        return f"{len(self.joined)} joined, {len(self.failed)} failed"


def witness_round(center: Center) -> tuple[tuple[str, Seen], ...]:
    """Log what waits, cosign the peers' logs, and take in what they have cosigned of ours.

    Returns what was seen of each peer, by its id. Raises `PolicyError` for a peer that the policy
    does not know, `LogError` for an own log that is not whole, `StoreError` for the own store.
    """
    shop = workshop(center)
    policy = load_policy(center.policy, home=center.home, now=datetime.now(UTC))
    book = shop.logbook()
    book.settle()
    seen = tuple(witness_peers(center, policy, shop.store))
    if book.log.checkpoint() is not None:
        collect_cosignatures(center, policy, book.log)
    return seen


def join_round(
    center: Center,
    releases: Iterable[str],
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Round:
    """Join what all centers found of `releases`, and sign, store and log a summary of each.

    What is wrong with one release costs no other its turn. `clock` gives the time in UTC; it is
    asked for every release, since a signer takes no summary of another moment than its own. Raises
    `CenterPolicyError`.
    """
    desk = open_joining(center, clock())
    names = [ReleaseName.parse(release) for release in releases]
    logs = read_logs(desk, names)
    joined, failed = [], []
    for name in names:
        try:
            joined.append(_joined(desk, name, logs, clock))
        except SamebitsError as error:
            _LOG.warning("%s could not be joined: %s", name, error)
            failed.append((str(name), str(error)))
    return Round(joined=tuple(joined), failed=tuple(failed))


def _joined(
    desk: Desk, name: ReleaseName, logs: LogIndexes, clock: Callable[[], datetime]
) -> ReleaseConsensus:
    """Join one release and publish what came of it.

    A peer may speak between the joining and the signer's own; then it is joined again.
    """
    for _ in range(_TRIES):
        found = join_release(desk, name, logs=logs)
        try:
            publish_joined(desk, found, clock())
        except RefusedError as error:
            if error.check != "summary":
                raise
            logs = read_logs(desk, [name])
        else:
            return found.consensus
    raise StoreConflictError(
        "the centers do not stop speaking of it",
        got=f"{_TRIES} tries",
        expected="a moment in which nothing new is said",
        todo="Join it again later: `samebits consensus RELEASE --publish`",
    )


def serve_round(center: Center, *, leave: Container[Digest] = ()) -> list[Served]:
    """Answer every signed request but those in `leave`; returns what became of each."""

    def run(recipe: Path) -> Report:
        with job_for(recipe, center) as job:
            return verify_fresh(job)

    desk = open_serving(center, datetime.now(UTC))
    return serve(desk, run, lambda: datetime.now(UTC), leave=leave)


def serve_for_a_while(
    center: Center,
    *,
    seconds: float = 285.0,
    every: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Served]:
    """Answer requests, looking for new ones every few seconds, for some minutes.

    A look costs little and a flow run seconds of CPU, so one flow run looks many times. A request
    whose run failed is tried once in that time: each try is a rebuild, with a leaf in the log.
    """
    served, until = serve_round(center), clock() + seconds
    while clock() + every < until:
        sleep(every)
        served += serve_round(center, leave={one.digest for one in served if one.fault})
    return served


def beat_round(center: Center, work: Work | None = None) -> HeartbeatStatement:
    """Sign, store and log a heartbeat."""
    shop = workshop(center)
    _, statement = beat(
        center=center.id,
        book=shop.logbook(),
        store=shop.store,
        sign=signs(open_signer(center, shop.store, shop.vault)),
        now=datetime.now(UTC),
        work=work,
    )
    return statement


def join_everything(center: Center) -> Round:
    """Join every release of which the center has a recipe."""
    folder = (center.recipes or recipes_folder()) / "releases"
    found = recipes_of(folder, workshop(center).images)
    return join_round(center, [one.release for one in found if isinstance(one, Release)])
