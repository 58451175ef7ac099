"""Who notices a broken rule of inference: `python -m tests.infer.killers [PART OF A NAME]`.

All of it takes some minutes; `mutants.py` says what is broken.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.infer.mutants import MUTANTS
from tests.mutation import Campaign

_TESTS = {
    "causes": ("causes",),
    "differences": ("differences", "causes"),
    "debiancauses": ("debian_causes",),
    "refine": ("refine",),
    "candidates": ("refine",),
    "folderorder": ("folder_order",),
}

CAMPAIGN = Campaign(
    title="Rules of inference, and what kills each when it is broken",
    file=Path(__file__).with_name("killers.md"),
    module="tests.infer.killers",
    source="mutants.py",
    mutants=MUTANTS,
    tests_of=lambda module: _TESTS[module.removeprefix("infer/")],
)

if __name__ == "__main__":
    sys.exit(CAMPAIGN.run("".join(sys.argv[1:2])))
