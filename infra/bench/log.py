"""A large log on a directory store: what a batch costs, early and late, a proof, and a check."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError
from infra.bench.show import spread
from pipelines.evidence.privatekey import create_key
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.leaf import StatementEntry
from pipelines.log.log_reader import LogReader
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import NoteSigner
from pipelines.log.notekey import NoteKey
from pipelines.log.signers import LocalCheckpointSigner
from pipelines.log.writer import LogWriter
from pipelines.storage.directory import DirectoryStore

_ORIGIN = "samebits.example/centers/bench"
_RELEASES = 1000
_SOME = 10  # batches that stand for the start, and for the end
_BATCH = 1000


class CountingStore(DirectoryStore):
    """A directory store that counts what is written, and which tiles are read."""

    written = 0
    tiles = 0

    def put_record(self, key: str, data: bytes) -> None:
        """Create a record."""
        self.written += 1
        super().put_record(key, data)

    def put_latest(self, key: str, data: bytes) -> None:
        """Write the object that is replaced."""
        self.written += 1
        super().put_latest(key, data)

    def get(self, key: str, limit: int) -> bytes:
        """Return an object whole."""
        self.tiles += "/tile/" in key
        return super().get(key, limit)


def measure(
    leaves: int, progress: Callable[[int], None] = lambda _: None, *, proofs: int = 200
) -> dict[str, Any]:
    """Return the figures of a log of `leaves` leaves, built batch by batch as any log is.

    `progress` is told how many leaves there are; `proofs` leaves are proved.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        folder = Path(name)
        key = create_key(folder / "keys", "log")
        store = CountingStore(folder / "store")
        signer = LocalCheckpointSigner(NoteSigner(_ORIGIN, key), folder / "log")
        log = LogWriter(store, origin=_ORIGIN, signer=signer, home=folder / "log")
        return {
            "leaves": leaves,
            **_built(log, store, leaves, progress),
            "proof": _proved(log, store, signer.key, leaves, proofs),
            "check": {
                str(stop): _checked(store.root, signer.key, stop)
                for stop in sorted({max(1, leaves // 10), leaves})
            },
        }


def _built(
    log: LogWriter, store: CountingStore, leaves: int, progress: Callable[[int], None]
) -> dict[str, Any]:
    seconds, objects, busy = [], [], []
    for start in range(0, leaves, _BATCH):
        entries = [_entry(number) for number in range(start, min(leaves, start + _BATCH))]
        before = store.written
        moment, processor = time.perf_counter(), time.process_time()
        log.append(entries)
        seconds.append(time.perf_counter() - moment)
        busy.append(time.process_time() - processor)
        objects.append(store.written - before)
        progress(start + len(entries))
    full = slice(leaves // _BATCH or None)
    return {
        "batch": min(leaves, _BATCH),
        "build_seconds": round(sum(seconds), 1),
        "batch_seconds_at_start": spread(seconds[full][:_SOME]),
        "batch_seconds_at_end": spread(seconds[full][-_SOME:]),
        "batch_processor_seconds": {
            "start": round(median(busy[full][:_SOME]), 3),
            "end": round(median(busy[full][-_SOME:]), 3),
        },
        "objects_per_batch": {
            "median": median(objects),
            "max": max(objects),
            "last": objects[-1],
        },
    }


def _proved(
    log: LogWriter, store: CountingStore, key: NoteKey, leaves: int, proofs: int
) -> dict[str, Any]:
    """Prove leaves here and there; the first cold reader is somebody who has nothing yet."""
    where = random.Random(leaves)  # noqa: S311  # the same leaves each time
    made, verified, tiles = [], [], []
    for _ in range(proofs):
        index = where.randrange(leaves)
        before, moment = store.tiles, time.perf_counter()
        proof = log.prove(index)
        made.append(time.perf_counter() - moment)
        tiles.append(store.tiles - before)
        reader = LogReader(store, LogIdentity.of(key))
        leaf = leaf_hash(reader.leaf(index).to_bytes())
        moment = time.perf_counter()
        proof.verify(leaf, LogIdentity.of(key))
        verified.append(time.perf_counter() - moment)
    cold = LogReader(store, LogIdentity.of(key))
    cold.tiles.frontier()
    frontier = cold.tiles.fetched
    cold.inclusion(leaves // 3)
    return {
        "proofs": proofs,
        "tiles_max": max(tiles),
        "make_ms": _milliseconds(made),
        "verify_ms": _milliseconds(verified),
        "tiles_of_a_stranger": {
            "right_edge_once": frontier,
            "proof": cold.tiles.fetched - frontier,
        },
    }


def _checked(root: Path, key: NoteKey, stop: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "infra.bench.logcheck", str(root), str(key), str(stop)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InfrastructureError("the log cannot be checked", got=done.stderr[-300:])
    figures = json.loads(done.stdout)
    if figures["gaps"]:
        raise InfrastructureError("the log that was built has gaps", got=figures["gaps"])
    return {
        "seconds": round(figures["seconds"], 2),
        "leaves_per_second": round(stop / figures["seconds"]),
        "leaves_per_processor_second": round(stop / figures["processor_seconds"]),
        "peak_mib": round(figures["peak"] / (1 << 20), 1),
        "above_mib": round(figures["above"] / (1 << 20), 1),
    }


def _entry(number: int) -> StatementEntry:
    return StatementEntry(
        center="bench",
        release=f"vendor/product-{number % _RELEASES}@1.0",
        pae=Digest.of(b"%d" % number),
        keyid=Digest.of(b"key").hex,
        predicate_type="https://samebits.example/attempt/v1",
    )


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    return {
        "median": round(1000 * median(seconds), 3),
        "max": round(1000 * max(seconds), 3),
    }
