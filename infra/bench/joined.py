"""How long the consensus over many releases takes, and whether its cache grows with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infra.bench.commits import HERE, UNDER_SHELL, files_of
from infra.bench.consensus import CENTERS
from infra.bench.show import spread

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
