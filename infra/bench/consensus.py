"""How long the consensus over many releases takes, and whether its cache grows with them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from builders.core.digest import Digest
from infra.bench.commits import HERE, UNDER_SHELL, files_of
from infra.bench.madeup import EMPTY_POLICY, MadeUpFile, MadeUpKey, MadeUpRun, made_up_log
from infra.bench.show import spread
from pipelines.audit.logged_release import LoggedCommitment, LoggedRelease, run_tag
from pipelines.audit.source import OwnSource, Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.audit.witnessed import Witnessed
from pipelines.consensus.release_consensus import consensus_of, read_release
from pipelines.evidence.release_name import ReleaseName
from pipelines.log.leaf import CommitmentLeaf
from pipelines.policy import Policy, PolicyCenter
from pipelines.policy.model import CenterKey, Operator, PolicyRules
from pipelines.storage.bounded import PeerBudget
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import REPORT, Visibility, private_twin
from pipelines.storage.opening import open_peer_store

CENTERS = ("europe", "asia", "americas")
_RUN = "20260102T030405Z-0a1b2c3d"
_FIGURES = ("seconds", "cpu_seconds", "peak_mib")
_MAKE = """
import sys, pathlib, infra.bench.consensus
root = pathlib.Path(sys.argv[1])
root.mkdir()
infra.bench.consensus.make(root, int(sys.argv[2]))
"""


def measure(
    releases: int,
    *,
    against: Sequence[str] = (),
    runs: int = 3,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Join `releases` releases of three centers that are made up, signed and stored first.

    Each center has a directory store, and of each release one run of one artefact: three signed
    statements. The indexes of the logs are at hand, the proofs of work are checked. A process of
    its own joins a tenth of them, and others all, `runs` times; seconds are of the joining alone.

    `against` holds commits of this checkout that join what they have made up themselves, in turn.
    Raises `UsageError` for an unknown commit.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        root = Path(name)
        trees = {commit: files_of(commit, root) for commit in (HERE, *against)}
        for commit, tree in trees.items():
            _in_tree(tree, _MAKE, str(_stores(root, commit)), str(releases))
            told(f"made {releases} releases of {len(CENTERS)} centers ({commit})")
        joined: dict[str, list[dict[str, Any]]] = {commit: [] for commit in trees}
        for _ in range(runs):
            for commit, tree in trees.items():
                joined[commit].append(_joined(tree, _stores(root, commit), releases))
        few = _joined(trees[HERE], _stores(root, HERE), max(releases // 10, 1))
        return {
            "releases": releases,
            "centers": len(CENTERS),
            "few": few,
            "all": {
                commit: {
                    "results": found[0]["results"],
                    **{key: spread([one[key] for one in found]) for key in _FIGURES},
                }
                for commit, found in joined.items()
            },
        }


def make(root: Path, releases: int) -> None:
    """Make up the stores of the centers; the order of each log is that in which it is made.

    The first center is the one that joins: it has its outputs and whole reports too.
    """
    for center in CENTERS:
        key, store = MadeUpKey(center), DirectoryStore(root / center)
        lines = []
        for number in range(releases):
            run = _run(center, number)
            lines.append(f"{run.commitment().digest.hex}\t{run.release}\t{run.run}")
            for record, envelope in run.envelopes(key).items():
                store.put_record(run.folder() + record, envelope.to_bytes())
                about = run.release if not record.startswith("provenance-") else ""
                lines.append(f"{envelope.digest().hex}\t{about}\t")
            if center == CENTERS[0]:
                store.put_record(private_twin(run.folder() + REPORT), run.report().to_json())
                for content in run.outputs.values():
                    store.put_cas(Visibility.PRIVATE, content)
        (root / f"{center}.log").write_text("\n".join(lines))


class MadeUpLogs:
    """What the files of `make` tell of the logs; a `LogLookup`."""

    def __init__(self, root: Path) -> None:
        self._indexes: dict[str, dict[bytes, int]] = {c: {} for c in CENTERS}
        self._about: dict[str, dict[str, LoggedRelease]] = {
            c: defaultdict(LoggedRelease) for c in CENTERS
        }
        for c in CENTERS:
            for number, line in enumerate((root / f"{c}.log").read_text().splitlines()):
                digest, release, run = line.split("\t")
                about = self._about[c][release]
                if run:
                    about.commitments[run_tag(run)] = [LoggedCommitment(number, Digest(digest))]
                    continue
                self._indexes[c][bytes.fromhex(digest)] = number
                if release:
                    about.results[Digest(digest)] = number

    def index_of(self, center: str, pae: Digest) -> int | None:
        """Return the index of a statement, or None."""
        return self._indexes[center].get(bytes.fromhex(pae.hex))

    def about(self, center: str, release: str) -> LoggedRelease:
        """Return what a log has about a release."""
        return self._about[center].get(release) or LoggedRelease()

    def reported(self, _center: str, _release: str) -> frozenset[int]:
        """Return no leaf: no witness has missed any."""
        return frozenset()

    def commitment(self, center: str, index: int) -> CommitmentLeaf:
        """Raise: nobody asks."""
        raise LookupError(f"nothing is open in the log of {center}, at {index} neither")

    def upgraded_at(self, center: str) -> int | None:
        """Return the first index: all results are of the later format."""
        return 0 if self._indexes[center] else None

    def witnessed(self, center: str) -> Witnessed:
        """Return the whole log."""
        return Witnessed(size=len(self._indexes[center]) * 2, required=False)


def join_all(root: Path, releases: int) -> dict[str, int]:
    """Join the first `releases` releases as the first center; returns how many end how."""
    policy = made_up_policy()
    own = OwnSource(center=CENTERS[0], store=DirectoryStore(root / CENTERS[0]))
    budget = partial(PeerBudget, 3600, 1 << 40)
    peers = {c: open_peer_store(root / c, budget()) for c in CENTERS[1:]}
    sources = [own, *(Source(center=c, store=one, peer=True) for c, one in peers.items())]
    reader = StatementReader(policy=policy, logs=MadeUpLogs(root))
    counts: dict[str, int] = {}
    for number in range(releases):
        release = ReleaseName.parse(_run(CENTERS[0], number).release)
        read = read_release(release, sources, reader, own)
        for one in consensus_of(read, policy.consensus, own=own.center).artefacts:
            counts[one.result] = counts.get(one.result, 0) + 1
    return counts


def main(root: Path, releases: int) -> None:
    """Join in this process, and print what it took."""
    before = _peak()
    start, busy = time.perf_counter(), time.process_time()
    counts = join_all(root, releases)
    figures = {
        "results": counts,
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(time.process_time() - busy, 2),
        "imported_mib": before,
        "peak_mib": _peak(),
    }
    click.echo(json.dumps(figures))


def _joined(tree: Path, stores: Path, releases: int) -> dict[str, Any]:
    """Join in a process of its own, with the code of `tree`."""
    done = _in_tree(tree, "", str(stores), str(releases))
    figures: dict[str, Any] = json.loads(done)
    return {"releases": releases, **figures}


def _in_tree(tree: Path, code: str, *words: str) -> str:
    command = ["-c", code] if code else ["-m", "infra.bench.consensus"]
    return subprocess.run(
        [*UNDER_SHELL, sys.executable, *command, *words],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def _stores(root: Path, commit: str) -> Path:
    return root / f"stores-{commit.replace('/', '-')}"


def _run(center: str, number: int) -> MadeUpRun:
    return MadeUpRun(
        center=center,
        builder=_builder(center),
        release=f"acme/tool@1.{number}",
        run=_RUN,
        files={"tool.deb": MadeUpFile.identical(b"release %d" % number)},
        by_products={"tool-dbgsym.deb": b"symbols %d" % number},
    )


def made_up_policy() -> Policy:
    """Return a policy of the centers, each of an operator of its own."""
    return replace(
        EMPTY_POLICY,
        version=1,
        operators=tuple(
            Operator(name=center, legal=center, key=MadeUpKey(f"law {center}").public)
            for center in CENTERS
        ),
        centers=tuple(
            PolicyCenter(
                id=center,
                operator=center,
                region=center,
                builder=_builder(center),
                verifier=f"https://samebits.example/centers/{center}/verifier",
                log=made_up_log(center),
                keys=(CenterKey(key=MadeUpKey(center).public),),
            )
            for center in CENTERS
        ),
        consensus=PolicyRules(k=2, regions=2),
    )


def _builder(center: str) -> str:
    return f"https://samebits.example/centers/{center}/builder"


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
