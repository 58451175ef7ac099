"""Who notices a broken rule of the consensus: `python -m tests.consensus.killers [PART OF A NAME]`.

All of it takes some minutes; `mutants.py` says what is broken.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.consensus.mutants import MUTANTS
from tests.mutation import Campaign

_JOINING = ("join", "answer", "alarms", "result")
_SUMMING = ("summary", "vsa")
_LOGS = ("logged", "remembered")


def _tests_of(module: str) -> tuple[str, ...]:
    name = module.rpartition("/")[2]
    if name in _JOINING:
        return ("join",)
    if name in _LOGS:
        return ("remembered", "logged", "desk")
    return ("summary",) if name in _SUMMING else ("work", "summary", "gather")


CAMPAIGN = Campaign(
    title="Rules of the consensus, and what kills each when it is broken",
    file=Path(__file__).with_name("killers.md"),
    module="tests.consensus.killers",
    source="mutants.py",
    mutants=MUTANTS,
    tests_of=_tests_of,
)

if __name__ == "__main__":
    sys.exit(CAMPAIGN.run("".join(sys.argv[1:2])))
