"""What a center does beside its rebuilds: witness its peers, join findings, answer requests, beat.

Plain functions over a center, each whole in itself; flows, commands and nights call them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from builders.errors import SamebitsError
from pipelines.center import Center
from pipelines.consensus import ReleaseConsensus
from pipelines.consensus.desk import join_release, publish_joined, read_logs
from pipelines.consensus.desk import open_desk as open_joining
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.statements.status import HeartbeatStatement, Work
from pipelines.heartbeats import beat, signs
from pipelines.log.witness import Seen
from pipelines.logs import collect_cosignatures, witness_peers
from pipelines.night.one import verify_fresh
from pipelines.night.releases import Release
from pipelines.night.releases import releases as recipes_of
from pipelines.policy import load_policy
from pipelines.publishing import open_signer
from pipelines.report import Report
from pipelines.requests import Served, serve
from pipelines.requests.opening import open_desk as open_serving
from pipelines.verify import job_for
from pipelines.workshop import recipes_folder, workshop


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


def join_round(center: Center, releases: Iterable[str]) -> Round:
    """Join what all centers found of `releases`, and sign, store and log a summary of each.

    What is wrong with one release costs no other its turn. Raises `CenterPolicyError`.
    """
    now = datetime.now(UTC)
    desk = open_joining(center, now)
    names = [ReleaseName.parse(release) for release in releases]
    logs = read_logs(desk, names)
    joined, failed = [], []
    for name in names:
        try:
            found = join_release(desk, name, logs=logs)
            publish_joined(desk, found, now)
        except SamebitsError as error:
            failed.append((str(name), str(error)))
        else:
            joined.append(found.consensus)
    return Round(joined=tuple(joined), failed=tuple(failed))


def serve_round(center: Center) -> list[Served]:
    """Answer every signed request that is there; returns what became of each."""

    def run(recipe: Path) -> Report:
        with job_for(recipe, center) as job:
            return verify_fresh(job)

    return serve(open_serving(center, datetime.now(UTC)), run, lambda: datetime.now(UTC))


def serve_for_a_while(
    center: Center,
    *,
    seconds: float = 285.0,
    every: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Served]:
    """Answer requests, looking for new ones every few seconds, for some minutes.

    A look costs little and a flow run seconds of CPU, so one flow run looks many times.
    """
    served, until = serve_round(center), clock() + seconds
    while clock() + every < until:
        sleep(every)
        served += serve_round(center)
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
