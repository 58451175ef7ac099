"""Breaks rules of `pipelines` in a copy, one at a time, and tells which tests notice.

A list of mutants says what is broken; a campaign, which tests are to notice and where the list of
killers is kept. A copy in which nothing is broken is run first: tests that fail there kill nothing.
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
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_HEAD = """# {title}

Written by `python -m {module}` from `{source}`; the first {named} of each.

| module | rule | killers |
|---|---|---|
"""


@dataclass(frozen=True)
class Mutant:
    """One rule of `pipelines/<module>.py`, broken by putting `after` for `before`."""

    module: str
    rule: str
    before: str
    after: str

    def broken(self, text: str) -> str:
        """Return the module's text without the rule; `before` stands there exactly once."""
        assert text.count(self.before) == 1, self
        return text.replace(self.before, self.after)


def off(module: str, rule: str, condition: str) -> Mutant:
    """Return the mutant of a rule whose condition is never met."""
    return Mutant(module, rule, f"if {condition}:", f"if False and ({condition}):")


class _Failed:
    """Notes the names of the tests that fail."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            name, _, case = report.nodeid.rpartition("::")[2].partition("[")
            named = re.fullmatch(r"([a-z][a-z0-9-]+)\]", case)
            self.names.append(f"{name} ({named[1]})" if named else name)


def failing(
    mutant: Mutant | None, files: Sequence[str], *, named: int, options: Sequence[str]
) -> tuple[str, ...]:
    """Return the first tests of `files` that fail; to be called in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "pipelines"
        shutil.copytree(ROOT / "pipelines", copy)
        if mutant is not None:
            module = copy / f"{mutant.module}.py"
            module.write_text(mutant.broken(module.read_text()))
        failed = _Failed()
        words = [
            *("-q", "--tb=no", "--assert=plain", f"--maxfail={named}"),
            *("-p", "no:cacheprovider", "--continue-on-collection-errors"),
            *(f"--rootdir={ROOT}", "-o", f"pythonpath={folder} {ROOT}", *options),
        ]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = pytest.main([*words, *files], plugins=[failed])
        assert code in {0, 1}, out.getvalue()
        assert Path(sys.modules["pipelines"].__path__[0]) == copy
    return tuple(dict.fromkeys(failed.names))


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Mutants, the tests that are to notice each, and the file that lists who does."""

    title: str
    file: Path
    module: str
    """Of the program that writes the file."""
    source: str
    """The file with the mutants."""
    mutants: Sequence[Mutant]
    tests_of: Callable[[str], Iterable[str]]
    """From a mutant's module to the test modules beside `file`, without `test_`."""
    named: int = 3
    options: tuple[str, ...] = ()

    def listed(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Return the killers in the file, by module and rule."""
        rows = (line.strip("|").split("|") for line in self.file.read_text().splitlines()[6:])
        return {(m.strip(), c.strip()): tuple(k.strip().split(", ")) for m, c, k in rows}

    def check_list(self) -> None:
        """Require a line for each mutant, in order, and each mutant once."""
        names = [(mutant.module, mutant.rule) for mutant in self.mutants]
        assert list(self.listed()) == names, f"run python -m {self.module}"
        assert len(set(names)) == len(names)

    def check(self, mutant: Mutant) -> None:
        """Require that the rule stands where it stood, and that its killers are tests."""
        text = (ROOT / "pipelines" / f"{mutant.module}.py").read_text()
        assert mutant.broken(text) != text
        tests = "".join(path.read_text() for path in self.file.parent.glob("test_*.py"))
        for killer in self.listed()[mutant.module, mutant.rule]:
            assert f"def {killer.partition(' ')[0]}(" in tests

    def run(self, part: str = "") -> int:
        """Break every rule with `part` in its name; writes the list when that is all of them.

        Returns 1 when a rule goes unnoticed, or the tests fail by themselves.
        """
        asked = [m for m in self.mutants if part in f"{m.module}: {m.rule}"]
        files = [self._files(mutant.module) for mutant in asked]
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["pytest", "hypothesis", "cryptography", "pydantic"])
        failed = partial(failing, named=self.named, options=self.options)
        with ProcessPoolExecutor(os.cpu_count(), context, max_tasks_per_child=1) as pool:
            whole = sorted({file for one in files for file in one})
            if sick := pool.submit(failed, None, whole).result():
                print(f"these fail although nothing is broken: {', '.join(sick)}")  # noqa: T201
                return 1
            rows, unnoticed = [], 0
            for mutant, found in zip(asked, pool.map(failed, asked, files), strict=True):
                shown = ", ".join(found[: self.named]) or "NOBODY"
                print(f"{mutant.module}: {mutant.rule}: {shown}", flush=True)  # noqa: T201
                rows.append(f"| {mutant.module} | {mutant.rule} | {shown} |\n")
                unnoticed += not found
        if not part:
            head = _HEAD.format(
                title=self.title, module=self.module, source=self.source, named=self.named
            )
            self.file.write_text(head + "".join(rows))
        return int(unnoticed > 0)

    def _files(self, module: str) -> list[str]:
        return [str(self.file.with_name(f"test_{name}.py")) for name in self.tests_of(module)]
