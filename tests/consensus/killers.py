"""Breaks every rule of the consensus in a copy, and writes what goes red to `killers.md`.

Run as `python -m tests.consensus.killers [PART OF A RULE'S NAME]`; all of it takes some minutes.
`mutants.py` says what is broken; with a name nothing is written.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.consensus.mutants import MUTANTS, Mutant

FILE = Path(__file__).with_name("killers.md")
ROOT = Path(__file__).parents[2]
_JOINING = ("join", "answer", "alarms", "result")
_SUMMING = ("summary", "vsa")
_NAMED = 3
_OPTIONS = (
    *("-q", "--tb=no", "--assert=plain", f"--maxfail={_NAMED}"),
    *("-p", "no:cacheprovider", "--noconftest", "--continue-on-collection-errors"),
    f"--rootdir={ROOT}",
)
_HEAD = """# Rules of the consensus, and what kills each when it is broken

Written by `python -m tests.consensus.killers` from `mutants.py`; the first few of each.

| module | rule | killers |
|---|---|---|
"""


class Failed:
    """Notes the names of the tests that fail."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            name, _, case = report.nodeid.rpartition("::")[2].partition("[")
            named = re.fullmatch(r"([a-z][a-z0-9-]+)\]", case)
            self.names.append(f"{name} ({named[1]})" if named else name)


def row(mutant: Mutant, killers: tuple[str, ...]) -> str:
    """Return the line of one mutant."""
    return f"| {mutant.module} | {mutant.rule} | {', '.join(killers[:_NAMED])} |\n"


def listed() -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the killers in the file, by module and rule."""
    rows = (line.strip("|").split("|") for line in FILE.read_text().splitlines()[6:])
    return {(m.strip(), c.strip()): tuple(k.strip().split(", ")) for m, c, k in rows}


def tests_of(mutant: Mutant) -> tuple[str, ...]:
    """Return the modules of tests that are to notice."""
    name = mutant.module.rpartition("/")[2]
    if name in _JOINING:
        return ("join",)
    return ("summary",) if name in _SUMMING else ("work", "summary", "gather")


def killers(mutant: Mutant) -> tuple[str, ...]:
    """Return the first tests that fail with one rule broken; to be called in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "pipelines"
        shutil.copytree(ROOT / "pipelines", copy)
        module = copy / f"{mutant.module}.py"
        module.write_text(mutant.broken(module.read_text()))
        failed = Failed()
        words = [*_OPTIONS, "-o", f"pythonpath={folder}"]
        files = [str(FILE.with_name(f"test_{name}.py")) for name in tests_of(mutant)]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = pytest.main([*words, *files], plugins=[failed])
        assert code in {0, 1}, out.getvalue()
        assert Path(sys.modules["pipelines"].__path__[0]) == copy
    return tuple(dict.fromkeys(failed.names))


def _main(part: str) -> None:
    asked = [m for m in MUTANTS if part in f"{m.module}: {m.rule}"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "hypothesis", "cryptography", "pydantic"])
    rows = []
    with ProcessPoolExecutor(os.cpu_count(), context, max_tasks_per_child=1) as pool:
        for mutant, found in zip(asked, pool.map(killers, asked), strict=True):
            print(f"{mutant.module}: {mutant.rule}: {', '.join(found)}", flush=True)  # noqa: T201
            rows.append(row(mutant, found))
    if not part:
        FILE.write_text(_HEAD + "".join(rows))


if __name__ == "__main__":
    _main("".join(sys.argv[1:2]))
