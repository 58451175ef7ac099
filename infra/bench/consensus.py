"""The consensus over many made-up releases: in a process of its own, whose memory is measured.

It imports nothing that only the measuring needs (`infra.bench.joined`).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from builders.core.digest import Digest
from infra.bench.madeup import EMPTY_POLICY, MadeUpFile, MadeUpKey, MadeUpRun, made_up_log
from pipelines.audit.logged_release import LoggedCommitment, LoggedRelease, run_tag
from pipelines.audit.source import OwnSource, Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.audit.witnessed import Witnessed
from pipelines.consensus.release_consensus import consensus_of, read_releases
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
_Leaf = tuple[int, bytes, str]
"""Index, digest, and the run of a commitment."""


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
                keep_own(store, run)
        (root / f"{center}.log").write_text("\n".join(lines))


def keep_own(store: DirectoryStore, run: MadeUpRun) -> None:
    """Store what only the center that joins has of its runs: outputs, and the whole report."""
    store.put_record(private_twin(run.folder() + REPORT), run.report().to_json())
    for content in run.outputs.values():
        store.put_cas(Visibility.PRIVATE, content)


class MadeUpLogs:
    """What the files of `make` tell of the logs; a `LogLookup`.

    As of real logs, what they have about a release is put together when it is asked for.
    """

    def __init__(self, root: Path) -> None:
        self._indexes: dict[str, dict[bytes, int]] = {c: {} for c in CENTERS}
        self._leaves: dict[str, dict[str, list[_Leaf]]] = {c: defaultdict(list) for c in CENTERS}
        for c in CENTERS:
            for number, line in enumerate((root / f"{c}.log").read_text().splitlines()):
                digest, release, run = line.split("\t")
                packed = bytes.fromhex(digest)
                if release:
                    self._leaves[c][release].append((number, packed, run))
                if not run:
                    self._indexes[c][packed] = number

    def index_of(self, center: str, pae: Digest) -> int | None:
        """Return the index of a statement, or None."""
        return self._indexes[center].get(bytes.fromhex(pae.hex))

    def about(self, center: str, release: str) -> LoggedRelease:
        """Return what a log has about a release."""
        found = LoggedRelease()
        for number, packed, run in self._leaves[center].get(release, ()):
            digest = Digest(packed.hex())
            if run:
                found.commitments[run_tag(run)] = [LoggedCommitment(number, digest)]
            else:
                found.results[digest] = number
        return found

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
    names = (ReleaseName.parse(_run(CENTERS[0], number).release) for number in range(releases))
    for read in read_releases(names, sources, reader, own):
        for one in consensus_of(read(), policy.consensus, own=own.center).artefacts:
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


def _run(center: str, number: int) -> MadeUpRun:
    return MadeUpRun(
        center=center,
        builder=builder_of(center),
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
                builder=builder_of(center),
                verifier=f"https://samebits.example/centers/{center}/verifier",
                log=made_up_log(center),
                keys=(CenterKey(key=MadeUpKey(center).public),),
            )
            for center in CENTERS
        ),
        consensus=PolicyRules(k=2, regions=2),
    )


def builder_of(center: str) -> str:
    """Return the builder of a center."""
    return f"https://samebits.example/centers/{center}/builder"


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
