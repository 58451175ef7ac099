"""Reading a log from its first leaf on, as a process of its own: seconds and peak memory.

`python -m infra.bench.logcheck STORE VKEY STOP` checks every bundle, tile and chain before
leaf STOP, and prints one JSON document.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from pipelines.log.checkpoint import LogIdentity
from pipelines.log.leaf import ReleaseChains
from pipelines.log.log_reader import LogReader
from pipelines.log.notekey import NoteKey
from pipelines.storage.directory import DirectoryStore


def main(store: str, vkey: str, stop: str) -> None:
    """Read, and print the figures."""
    key = NoteKey.parse(vkey)
    reader = LogReader(DirectoryStore(Path(store)), LogIdentity.of(key))
    reader.size  # noqa: B018  # read before the figures are taken
    before = _peak()
    chains, gaps = ReleaseChains(), 0
    start, busy = time.perf_counter(), time.process_time()
    for _, facts in reader.fields(0, int(stop), tiles=True):
        if chains.follow(facts):
            gaps += 1
    figures = {
        "seconds": time.perf_counter() - start,
        "processor_seconds": time.process_time() - busy,
        "gaps": gaps,
        "peak": _peak(),
        "above": _peak() - before,
    }
    print(json.dumps(figures))


def _peak() -> int:
    """Return the high-water mark of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


if __name__ == "__main__":
    main(*sys.argv[1:])
