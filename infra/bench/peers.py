"""What hostile peers cost a round, and how many rounds the first reading of a large log takes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from builders.core.digest import Digest
from infra.bench.commits import CHECKOUT, UNDER_SHELL
from infra.bench.consensus import CENTERS, MadeUpLogs, made_up_policy, make
from infra.bench.hostile import Attack, EqualLeaves, TinyRecords, hostile_server
from infra.bench.madeup import MadeUpKey
from pipelines.audit.kept_logs import KeptLogs
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import OwnSource, Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.consensus.release_consensus import consensus_of, read_release
from pipelines.evidence.release_name import ReleaseName
from pipelines.log.checkpoint import Checkpoint, LogIdentity
from pipelines.log.leaf import FIRST, StatementEntry
from pipelines.log.log_reader import LogReader
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import NoteSigner, sign_note
from pipelines.log.tiles import CHECKPOINT, WIDTH, Frontier, Tile, pack_entries
from pipelines.storage.bounded import BoundedStore, BudgetError, PeerBudget
from pipelines.storage.directory import FORMAT, DirectoryStore
from pipelines.storage.opening import open_peer_store
from pipelines.storage.s3settings import S3Settings
from pipelines.storage.store import ReadableStore

_ORIGIN = "samebits.example/centers/bench"
_RELEASES = 50
TINY, EQUAL = "tiny-records", "equal-leaves"
ATTACKS = (*map(str, Attack), TINY, EQUAL)


def measure(
    leaves: int, *, releases: int = _RELEASES, told: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Join a few releases with one honest and one hostile peer, by attack; then read a log.

    The log has `leaves` leaves and is read from its start, in as many rounds as it takes. Each
    figure is of a process of its own. A round has the budget that peers have by default.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        root = Path(name)
        make(root, releases)
        attacks = {}
        for attack in ATTACKS:
            attacks[attack] = _run("attack", attack, str(root), str(releases))
            told(f"{attack}: {attacks[attack]}")
        log = DirectoryStore(root / "log")
        write_log(log, leaves)
        told(f"made a log of {leaves} leaves")
        return {
            "releases": releases,
            "attacks": attacks,
            "first_reading": _run("reading", str(root / "log"), str(root / "kept")),
        }


def attacked(attack: str, root: Path, releases: int) -> dict[str, Any]:
    """Join releases with the last center as the hostile one; returns the figures."""
    before, start = _peak(), time.perf_counter()
    policy, logs = made_up_policy(), MadeUpLogs(root)
    own = OwnSource(center=CENTERS[0], store=DirectoryStore(root / CENTERS[0]))
    honest = open_peer_store(root / CENTERS[1], PeerBudget())
    results: dict[str, int] = {}
    with _hostile(attack) as hostile:
        peers = {CENTERS[1]: honest, CENTERS[2]: hostile}
        sources = [own, *(Source(center=c, store=s, peer=True) for c, s in peers.items())]
        found: Any = logs
        if attack == EQUAL:
            index = LogIndex({CENTERS[2]: sources[2]}, policy)
            index.read_ahead()
            found = _Logs(index, logs)
        reader = StatementReader(policy=policy, logs=found)
        for number in range(releases):
            release = ReleaseName.parse(f"acme/tool@1.{number}")
            read = read_release(release, sources, reader, own)
            for one in consensus_of(read, policy.consensus, own=own.center).artefacts:
                about = [e.reason for e in read.excluded if e.center == CENTERS[2]]
                words = " ".join([one.result, *sorted({*about})])
                results[words] = results.get(words, 0) + 1
    return {
        "results": results,
        "seconds": round(time.perf_counter() - start, 1),
        "seconds_of_peer": round(hostile.budget.seconds - hostile.budget.seconds_left, 1),
        "megabytes_of_peer": round(hostile.budget.read / 1e6, 1),
        "above_mib": round(_peak() - before, 1),
        "peak_mib": _peak(),
    }


def read_in_rounds(log: Path, kept: Path) -> dict[str, Any]:
    """Read a log to its end, round by round; returns the figures."""
    before, start = _peak(), time.perf_counter()
    store, key = open_peer_store(log, PeerBudget()), NoteSigner(_ORIGIN, MadeUpKey("log")).key
    rounds: list[int] = []
    while True:
        found = KeptLogs(kept).of(key)
        store.budget.renew()
        try:
            store.run(partial(found.read, LogReader(store, LogIdentity.of(key))))
        except BudgetError:
            rounds.append(len(found))
        else:
            rounds.append(len(found))
            break
    return {
        "leaves_after_rounds": rounds,
        "seconds": round(time.perf_counter() - start, 1),
        "kept_mib": round(sum(f.stat().st_size for f in kept.iterdir()) / (1 << 20), 1),
        "above_mib": round(_peak() - before, 1),
        "peak_mib": _peak(),
    }


def write_log(store: DirectoryStore, leaves: int) -> None:
    """Write a log of that many leaves, of runs of a thousand releases, in one step."""
    edge = Frontier()
    _write(store, "format", FORMAT)
    for start in range(0, leaves, WIDTH):
        data = [_leaf(number) for number in range(start, min(leaves, start + WIDTH))]
        place = Tile(level=None, index=start // WIDTH, width=len(data))
        _write(store, place.key, pack_entries(data))
        edge, tiles = edge.grown([leaf_hash(leaf) for leaf in data])
        for tile, hashes in tiles:
            _write(store, tile.key, hashes)
    tree = Checkpoint(origin=_ORIGIN, size=leaves, root=edge.root())
    store.put_latest(CHECKPOINT, sign_note(tree.to_text(), NoteSigner(_ORIGIN, MadeUpKey("log"))))


def _leaf(number: int) -> bytes:
    entry = StatementEntry(
        center="bench",
        release=f"vendor/product-{number % 1000}@1.0",
        pae=Digest.of(b"%d" % number),
        keyid=Digest.of(b"key").hex,
        predicate_type="https://samebits.example/attempt/v1",
    )
    return entry.leaf(number, FIRST).to_bytes()


def _write(store: DirectoryStore, key: str, data: bytes) -> None:
    """Write an object as a store has it, without the time that it takes to make it durable."""
    path = store.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@contextmanager
def _hostile(attack: str) -> Iterator[BoundedStore]:
    """Yield the store of the hostile peer, with the budget of a round."""
    if attack in set(Attack):
        with hostile_server(Attack(attack)) as url:
            os.environ |= {
                "AWS_ENDPOINT_URL_S3": url,
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",  # of nobody
                "AWS_REGION": "us-east-1",
            }
            yield open_peer_store(S3Settings(url="s3://bench/hostile"), PeerBudget())
        return
    leaf = _leaf(0)
    stores: dict[str, ReadableStore] = {TINY: TinyRecords(), EQUAL: EqualLeaves(leaf, CENTERS[2])}
    yield BoundedStore(stores[attack], PeerBudget())


class _Logs:
    """A `LogLookup`: the log of the hostile peer as it is read, others from what was made up."""

    def __init__(self, hostile: LogIndex, others: Any) -> None:
        self._hostile, self._others = hostile, others

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def find(center: str, *words: Any) -> Any:
            logs = self._hostile if center == CENTERS[2] else self._others
            return getattr(logs, name)(center, *words)

        return find


def _run(*words: str) -> dict[str, Any]:
    command = [*UNDER_SHELL, sys.executable, "-m", "infra.bench.peers", *words]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    what, first, second, *rest = sys.argv[1:]
    if what == "attack":
        click.echo(json.dumps(attacked(first, Path(second), int(rest[0]))))
    else:
        click.echo(json.dumps(read_in_rounds(Path(first), Path(second))))
