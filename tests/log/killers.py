"""Who notices a broken check of the log's formats: `python -m tests.log.killers [PART OF A NAME]`.

It takes some minutes; `mutants.py` says what is broken.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.log.mutants import MUTANTS
from tests.mutation import Campaign

_TESTS = {
    "merkle": ("merkle",),
    "text": ("note", "checkpoint", "log_proof"),
    "notekey": ("note", "cosignature"),
    "cosignature": ("cosignature", "note"),
    "note": ("note", "cosignature"),
    "checkpoint": ("checkpoint", "cosignature"),
    "proof": ("log_proof",),
    "fork": ("fork",),
    "signers": ("cosignature", "note"),
}

CAMPAIGN = Campaign(
    title="Checks of the log's formats, and what kills each when it is broken",
    file=Path(__file__).with_name("killers.md"),
    module="tests.log.killers",
    source="mutants.py",
    mutants=MUTANTS,
    tests_of=lambda module: _TESTS[module.removeprefix("log/")],
    options=("-k", "not Fuzz"),
)

if __name__ == "__main__":
    sys.exit(CAMPAIGN.run("".join(sys.argv[1:2])))
