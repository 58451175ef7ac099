"""Breaks every check of reading and growing a log, and writes what goes red to `log_killers.md`.

Run as `python -m tests.log.log_killers`; it takes some minutes. `log_mutants.py` says what breaks.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.log import killers as base
from tests.log.log_mutants import MUTANTS
from tests.log.mutants import Mutant

FILE = Path(__file__).with_name("log_killers.md")
_JOURNAL = ("journal", "journal_races", "journal_refused", "checkpointsigner")
_GROWING = (*_JOURNAL, "heads")
base._NAMED = 1  # one is enough, and these tests take longer
base._TESTS |= {
    "leaf": ("leaf",),
    "chain": ("leaf", *_JOURNAL),
    "tiles": ("tiles", "reader"),
    "edge": ("tiles", *_JOURNAL),
    "tilereader": ("reader", "tiles", *_JOURNAL),
    "reader": ("reader",),
    **dict.fromkeys(("commit", "tail", "growth", "journal", "checkpointsigner"), _GROWING),
    "heads": ("heads",),
}
_HEAD = """# Checks of reading and growing a log, and what kills each when it is broken

Written by `python -m tests.log.log_killers` from `log_mutants.py`; the first of each.

| module | check | killers |
|---|---|---|
"""


def found(mutant: Mutant) -> tuple[str, ...]:
    """Return the first tests that fail with one check broken; to be called in a new process."""
    return base.killers(mutant)


def _main() -> None:
    context = multiprocessing.get_context("forkserver")
    rows = []
    with ProcessPoolExecutor(os.cpu_count(), context, max_tasks_per_child=1) as pool:
        for mutant, names in zip(MUTANTS, pool.map(found, MUTANTS), strict=True):
            print(f"{mutant.module}: {mutant.check}: {', '.join(names)}", flush=True)  # noqa: T201
            rows.append(base.row(mutant, names))
    FILE.write_text(_HEAD + "".join(rows))


if __name__ == "__main__":
    _main()
