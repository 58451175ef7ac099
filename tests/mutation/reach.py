"""Which tests reach which lines, measured by running them all once under coverage."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest


@dataclass
class Reach:
    """What one run of all tests showed. Tests are named by their pytest node id."""

    seconds: dict[str, float] = field(default_factory=dict)
    """How long each test took."""
    cost: dict[str, float] = field(default_factory=dict)
    """Seconds of processor time that each took, with the processes that it started."""
    failed: list[str] = field(default_factory=list)
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """By module, then line."""

    def tests_of(self, module: str, line: int) -> list[str]:
        """Return the tests that reach a line: first files named after the module, then cheap ones.

        A line that is seen in no test's own process may run in a process that a test starts: then
        these are the tests that reach the module.
        """
        lines = self.lines.get(module, {})
        tests = lines.get(line) or {test for found in lines.values() for test in found}
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in sorted(tests, key=lambda test: (self.cost[test], test)):
            by_file[test.partition("::")[0]].append(test)
        stem = Path(module).stem
        files = sorted(by_file, key=lambda file: stem not in Path(file).stem)
        return [test for file in files for test in by_file[file]]

    @classmethod
    def load(cls, path: Path, key: str) -> Reach | None:
        """Return what was saved under the same key, or nothing."""
        if not path.exists() or (saved := json.loads(path.read_text()))["key"] != key:
            return None
        lines = {m: {int(n): t for n, t in found.items()} for m, found in saved["lines"].items()}
        return cls(saved["seconds"], saved["cost"], saved["failed"], lines)

    def save(self, path: Path, key: str) -> None:
        """Write it down for `load`."""
        path.write_text(json.dumps({"key": key, **vars(self)}))


class _Recorder:
    """A pytest plugin that adds to `reach` as tests run, and names each to coverage."""

    def __init__(self, reach: Reach, measured: coverage.Coverage) -> None:
        self._reach, self._measured = reach, measured

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._measured.switch_context(item.nodeid)
        before = os.times()
        result = yield
        after = os.times()
        self._reach.seconds[item.nodeid] = after.elapsed - before.elapsed
        self._reach.cost[item.nodeid] = sum(after[:4]) - sum(before[:4])
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._reach.failed.append(report.nodeid)


def measure(session: pytest.Session, root: Path, modules: Sequence[str]) -> Reach:
    """Run all tests of a session in this process, and return what they reach of `modules`."""
    reach = Reach()
    files = [str(root / module) for module in modules]
    measured = coverage.Coverage(data_file=None, include=files, config_file=False)
    # Tests that reach no line of these modules are a result, and warnings may be errors here.
    measured.set_option("run:disable_warnings", ["no-data-collected"])
    session.config.pluginmanager.register(_Recorder(reach, measured))
    measured.start()
    for item, following in zip(session.items, [*session.items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    measured.stop()
    data = measured.get_data()
    for module, file in zip(modules, files, strict=True):
        found = data.contexts_by_lineno(file)
        reach.lines[module] = {
            line: [test for test in tests if test and test not in reach.failed]
            for line, tests in found.items()
        }
    return reach
