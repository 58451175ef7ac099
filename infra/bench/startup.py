"""How long the most used commands take as whole processes, here and at earlier commits, in turn.

Each tree has a home of its own, in which its own code has verified one small release. A round runs
every command once in every tree, so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from builders.core.errors import UsageError
from infra.bench.nightcenter import write_recipes
from infra.bench.show import spread

HERE = "here"
_CHECKOUT = Path(__file__).resolve().parents[2]
_RELEASE, _RECIPE = "bench/r0000@1", "recipes/releases/bench/r0000/1.yaml"
_SHIPPED = "recipes/releases/bench/r0000/out.bin"
_BUNDLE = ("infra/docs/example/netbase.bundle.tar", "infra/docs/example/policy.dsse.json")
COMMANDS: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "verify": ("verify", "{home}/" + _RECIPE),
    "evidence list": ("evidence", "list"),
    "evidence show": ("evidence", "show", _RELEASE),
    "evidence check": ("evidence", "check", _BUNDLE[0], "--policy", _BUNDLE[1]),
    "check": ("check", "{home}/" + _SHIPPED),
    "consensus": ("consensus", _RELEASE),
    "log check": ("log", "check"),
    "recipe lint": ("recipe", "lint", "{home}/" + _RECIPE),
    "center status": ("center", "status"),
}
"""The ten commands, by their names; `{home}` is the home of the tree."""
_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files of one commit, and a home that its code has filled."""

    name: str
    folder: Path
    home: Path

    def run(self, words: Sequence[str]) -> tuple[float, int]:
        """Run a command of this tree; returns its seconds and its exit code."""
        command = [sys.executable, "-m", "pipelines.cli"]
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "SAMEBITS_"))}
        start = time.perf_counter()
        done = subprocess.run(
            [*command, *(word.format(home=self.home) for word in words)],
            cwd=self.folder,
            env={
                **kept,
                "PYTHONPATH": str(self.folder),
                "SAMEBITS_HOME": str(self.home),
                "SAMEBITS_RECIPES": str(self.home / "recipes"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        return time.perf_counter() - start, done.returncode


def measure(
    runs: int, *, against: Sequence[str] = (), commands: Sequence[str] = tuple(COMMANDS)
) -> dict[str, Any]:
    """Return the seconds of `runs` starts of each command, after one that warms the caches.

    `against` holds commits of this checkout to compare with. A command that ends in another way
    than here has its exit code beside its seconds. Raises `UsageError` for an unknown commit.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        trees = [_tree(Path(name), HERE), *(_tree(Path(name), commit) for commit in against)]
        if set(commands) != {"help"}:
            for tree in trees:
                tree.run(("center", "init"))
                tree.run(COMMANDS["verify"])
        seconds: dict[tuple[str, str], list[float]] = {}
        codes: dict[tuple[str, str], int] = {}
        for number in range(runs + 1):
            for command in commands:
                for tree in trees:
                    took, code = tree.run(COMMANDS[command])
                    codes[command, tree.name] = code
                    if number:
                        seconds.setdefault((command, tree.name), []).append(took)
    figures = {
        command: {
            tree.name: {**spread(seconds[command, tree.name]), "exit_code": code}
            for tree in trees
            for code in [codes[command, tree.name]]
        }
        for command in commands
    }
    medians = {
        command: {tree: one["median"] for tree, one in found.items()}
        for command, found in figures.items()
    }
    totals = {tree.name: round(sum(median(seconds[c, tree.name]) for c in commands), 3)
              for tree in trees}  # fmt: skip
    return {"runs": runs, "median_seconds": {**medians, "all": totals}, "commands": figures}


def _tree(folder: Path, commit: str) -> Tree:
    """Return this checkout as it is, or the files of a commit of it, with an empty home."""
    home = folder / f"home-{commit.replace('/', '-')}"
    write_recipes(home / "recipes", count=1, real=False, seconds=0)
    if commit == HERE:
        return Tree(name=HERE, folder=_CHECKOUT, home=home)
    place = folder / f"tree-{commit.replace('/', '-')}"
    found = _git("rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    if found.returncode:
        raise UsageError(
            "there is no such commit",
            got=commit,
            expected="a commit of this checkout",
            todo="`git log --oneline` lists them",
        )
    done = _git("archive", "--format=tar", found.stdout.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(place, filter="data")
    return Tree(name=commit, folder=place, home=home)


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(_CHECKOUT), *words]
    return subprocess.run(command, capture_output=True, check=False)
