"""Who notices a broken check of reading and growing a log: `python -m tests.log.log_killers`.

It takes some minutes; `log_mutants.py` says what is broken. One killer is enough: these tests take
longer.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.log.log_mutants import MUTANTS
from tests.mutation import Campaign

_JOURNAL = ("journal", "journal_races", "journal_refused", "checkpointsigner")
_GROWING = (*_JOURNAL, "heads")
_TESTS = {
    "leaf": ("leaf",),
    "chain": ("leaf", *_JOURNAL),
    "tiles": ("tiles", "reader"),
    "edge": ("tiles", *_JOURNAL),
    "tilereader": ("reader", "tiles", *_JOURNAL),
    "reader": ("reader",),
    **dict.fromkeys(("commit", "tail", "growth", "journal", "checkpointsigner"), _GROWING),
    "heads": ("heads",),
    "witness": ("witness",),
    "cosigning": ("witness",),
    "gaps": ("gaps",),
}

CAMPAIGN = Campaign(
    title="Checks of reading and growing a log, and what kills each when it is broken",
    file=Path(__file__).with_name("log_killers.md"),
    module="tests.log.log_killers",
    source="log_mutants.py",
    mutants=MUTANTS,
    tests_of=lambda module: _TESTS[module.removeprefix("log/")],
    named=1,
)

if __name__ == "__main__":
    sys.exit(CAMPAIGN.run("".join(sys.argv[1:2])))
