"""What the last update of a long chain costs, side by side with the first one."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from infra.bench.consensus import CENTERS, MadeUpLogs, builder_of, keep_own, made_up_policy
from infra.bench.madeup import MadeUpFile, MadeUpKey, MadeUpRun, made_up_delta
from infra.bench.show import spread
from pipelines.audit.base_runs import is_own_statement, own_base_run
from pipelines.audit.source import OwnSource, Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.consensus.base_chains import BaseChains, ReadRelease
from pipelines.consensus.release_consensus import (
    ReleaseFindings,
    consensus_of,
    opened_release,
    read_release,
)
from pipelines.consensus.subjects import subjects_of
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.statements.updates import BaseReference, ChainSummary
from pipelines.storage.directory import DirectoryStore

_RUN = "20260102T030405Z-0a1b2c3d"


def measure(links: int, *, runs: int = 15) -> dict[str, Any]:
    """Make up a full release and `links` updates on it, each on the one before, of three centers.

    Each release has two files. Figures are in milliseconds of CPU time, of the first, the second
    and the last update: what a verification reads of its base; the consensus in a round that has
    joined the updates before it; and the consensus alone, which reads the whole chain.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        root = Path(name)
        for center in CENTERS:
            _make(root, center, links)
        chain = _Chain(root)
        measured: dict[str, Callable[[int], Callable[[], object]]] = {
            "base_lookup": chain.looked_up,
            "consensus_in_round": chain.joined_in_round,
            "consensus_alone": chain.joined_alone,
        }
        return {
            "links": links,
            "centers": len(CENTERS),
            **{what: _side_by_side(job, links, runs) for what, job in measured.items()},
        }


def _side_by_side(
    job: Callable[[int], Callable[[], object]], links: int, runs: int
) -> dict[str, Any]:
    """Time a job for the first, the second and the last update, in turn.

    Ratios are of the fastest. The first update alone is on a release without a delta.
    """
    times: dict[int, list[float]] = {1: [], 2: [], links: []}
    for _ in range(runs + 1):
        for number, taken in times.items():
            work = job(number)
            gc.collect()
            gc.disable()  # as timeit does: what was made before is not measured
            try:
                start = time.process_time()
                work()
                taken.append((time.process_time() - start) * 1000)
            finally:
                gc.enable()
    first, second, last = (spread(times[number][1:]) for number in (1, 2, links))
    return {
        "first": first,
        "second": second,
        "last": last,
        "ratio": round(last["min"] / first["min"], 2),
        "ratio_to_second": round(last["min"] / second["min"], 2),
    }


class _Chain:
    """The made-up chain in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self._logs = MadeUpLogs(root)
        self._policy = made_up_policy()
        self._stores = {center: DirectoryStore(root / center) for center in CENTERS}

    def looked_up(self, number: int) -> Callable[[], object]:
        """Return what finds the run that judged the base of an update, and what that rests on."""
        center, before = CENTERS[0], number - 1

        def is_own(envelope: Envelope) -> bool:
            keys = [MadeUpKey(center).public]
            found = self._logs.index_of(center, envelope.digest())
            return is_own_statement(envelope, keys, lambda _: found is not None)

        def work() -> None:
            digest, store = Digest.of(_content(before)), self._stores[center]
            found = own_base_run(store, center, _release(before), digest, is_own)
            if found is None or found.chain.links != number:
                raise ValueError(f"another base of update {number}: {found}")

        return work

    def joined_alone(self, number: int) -> Callable[[], object]:
        """Return what joins an update, and the whole chain before it."""
        chains = BaseChains(self._read)
        return lambda: self._join(number, chains)

    def joined_in_round(self, number: int) -> Callable[[], object]:
        """Return what joins an update where the one before it was joined."""
        chains = BaseChains(self._read)
        self._join(number, chains)
        return lambda: self._join(number, chains)

    def _join(self, number: int, chains: BaseChains) -> None:
        found = consensus_of(self._found(_release(number)), self._policy.consensus, chains=chains)
        if {str(one.result) for one in found.artefacts} != {"CONFIRMED"}:
            raise ValueError(f"update {number} is not confirmed")

    def _read(self, name: str) -> ReadRelease:
        found = self._found(name)
        subjects = subjects_of(found.findings)
        return opened_release(found, self._policy.consensus, subjects, own=None, unwitnessed=True)

    def _found(self, name: str) -> ReleaseFindings:
        reader = StatementReader(policy=self._policy, logs=self._logs)
        sources = [Source(center=center, store=store) for center, store in self._stores.items()]
        own = OwnSource(center=CENTERS[0], store=self._stores[CENTERS[0]])
        return read_release(ReleaseName.parse(name), sources, reader, own)


def _make(root: Path, center: str, links: int) -> None:
    """Make up the store of a center, and the order of its log."""
    key, store, lines = MadeUpKey(center), DirectoryStore(root / center), []
    base: BaseReference | None = None
    for number in range(links + 1):
        files = {"tool.bin": MadeUpFile.identical(_content(number))}
        if base is None:
            files["tool.txt"] = MadeUpFile.identical(b"what it is for")
        else:
            files["tool.bsdiff"] = made_up_delta(b"delta %d" % number, _content(number), base)
        run = MadeUpRun(
            center=center,
            builder=builder_of(center),
            release=_release(number),
            run=_RUN,
            files=files,
            by_products={"tool-dbgsym.deb": b"symbols %d" % number},
        )
        if center == CENTERS[0]:
            keep_own(store, run)
        lines.append(f"{run.commitment().digest.hex}\t{run.release}\t{run.run}")
        for record, envelope in run.envelopes(key).items():
            store.put_record(run.folder() + record, envelope.to_bytes())
            about = run.release if not record.startswith("provenance-") else ""
            lines.append(f"{envelope.digest().hex}\t{about}\t")
        base = _reference(run, number)
    (root / f"{center}.log").write_text("\n".join(lines))


def _reference(run: MadeUpRun, number: int) -> BaseReference:
    """Return how the next update names the file of a run as its base."""
    compared = [s for s in run.statements() if isinstance(s, ComparisonStatement)]
    (file,) = [one for one in compared if one.name == "tool.bin"]
    return BaseReference(
        release=run.release,
        digest=file.subject[0].digest,
        run=run.run,
        comparison=DigestSet(sha256=file.digest()),
        chain=ChainSummary(
            links=number + 1,
            release=_release(0),
            digest=DigestSet(sha256=Digest.of(_content(0))),
            run=_RUN,
            worst=Verdict.IDENTICAL,
            worst_release=_release(0),
        ),
    )


def _release(number: int) -> str:
    return f"acme/tool@1.{number}"


def _content(number: int) -> bytes:
    return b"release %d" % number
