"""How long the most used commands take as whole processes, here and at earlier commits, in turn.

Each tree has a home of its own, in which its own code has verified one small release. A round runs
every command once in every tree, so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from builders.core.errors import InfrastructureError
from infra.bench.commits import HERE, files_of
from infra.bench.nightcenter import write_recipes
from infra.bench.show import spread

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
class Started:
    """One command that has ended: seconds by the clock, seconds of CPU, and its exit code."""

    seconds: float
    cpu: float
    code: int


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files of one commit, and a home that its code has filled."""

    name: str
    folder: Path
    home: Path

    def run(self, words: Sequence[str]) -> Started:
        """Run a command of this tree to its end."""
        command = [sys.executable, "-m", "pipelines.cli"]
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "SAMEBITS_"))}
        start, busy = time.perf_counter(), _children_cpu()
        with subprocess.Popen(
            [*command, *(word.format(home=self.home) for word in words)],
            cwd=self.folder,
            env={
                **kept,
                "PYTHONPATH": str(self.folder),
                "SAMEBITS_HOME": str(self.home),
                "SAMEBITS_RECIPES": str(self.home / "recipes"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired as error:
                process.terminate()  # so that it removes its container and what it has mounted
                raise InfrastructureError(
                    f"samebits {words[0]} of {self.name} takes too long",
                    got=f"more than {_SECONDS} s",
                    todo="Measure on a machine that does nothing else",
                ) from error
        return Started(
            seconds=time.perf_counter() - start,
            cpu=_children_cpu() - busy,
            code=process.returncode,
        )


def measure(
    runs: int, *, against: Sequence[str] = (), commands: Sequence[str] = tuple(COMMANDS)
) -> dict[str, Any]:
    """Return the seconds of `runs` starts of each command, after one that warms the caches.

    On a busy machine the seconds of CPU say more than those of the clock; a build is not in them.

    `against` holds commits of this checkout to compare with. A command that ends in another way
    than here has its exit code beside its seconds. Raises `UsageError` for an unknown commit.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        trees = [_tree(Path(name), HERE), *(_tree(Path(name), commit) for commit in against)]
        if set(commands) != {"help"}:
            for tree in trees:
                tree.run(("center", "init"))
                tree.run(COMMANDS["verify"])
        found: dict[tuple[str, str], list[Started]] = {}
        for _ in range(runs + 1):
            for command in commands:
                for tree in trees:
                    found.setdefault((command, tree.name), []).append(tree.run(COMMANDS[command]))
    names = [tree.name for tree in trees]
    return {
        "runs": runs,
        "median_seconds": _medians(found, names, commands, lambda one: one.seconds),
        "median_cpu_seconds": _medians(found, names, commands, lambda one: one.cpu),
        "commands": {
            command: {
                name: {
                    **spread([one.seconds for one in found[command, name][1:]]),
                    "exit_code": found[command, name][-1].code,
                }
                for name in names
            }
            for command in commands
        },
    }


def _medians(
    found: Mapping[tuple[str, str], Sequence[Started]],
    names: Sequence[str],
    commands: Sequence[str],
    value: Callable[[Started], float],
) -> dict[str, dict[str, float]]:
    """Return the medians of each command by tree, without the first run, and their sums."""
    medians = {
        command: {name: round(median(map(value, found[command, name][1:])), 3) for name in names}
        for command in commands
    }
    sums = {name: round(sum(one[name] for one in medians.values()), 3) for name in names}
    return {**medians, "all": sums}


def _children_cpu() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _tree(folder: Path, commit: str) -> Tree:
    """Return this checkout as it is, or the files of a commit of it, with an empty home."""
    home = folder / f"home-{commit.replace('/', '-')}"
    write_recipes(home / "recipes", count=1, real=False, seconds=0)
    return Tree(name=commit, folder=files_of(commit, folder), home=home)
