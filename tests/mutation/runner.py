"""Runs mutants against a collected test session, each in a process of its own.

The tests are collected once. For each mutant the process forks, puts the changed code into the
functions that are loaded, and runs the tests that reach the changed line until one fails. No file
is changed, and nothing is imported again.
"""

from __future__ import annotations

import gc
import os
import resource
import shutil
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import pytest

from tests.mutation.mutants import Mutant
from tests.mutation.reach import Reach

_MEMORY = 8 << 30
"""Bytes of address space of a process that runs a mutant."""


class Outcome(StrEnum):
    """The outcome of a mutant."""

    FAILED = "killed"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"
    SURVIVED = "survived"
    NOT_REACHED = "not reached"


KILLED = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED})
_FAULT = 70
_OUTCOMES = {0: Outcome.SURVIVED, 1: Outcome.FAILED, 3: Outcome.NOT_REACHED}
"""By the exit code of the process."""


class Result(NamedTuple):
    """A mutant's outcome, and the test that failed."""

    mutant: Mutant
    outcome: Outcome
    test: str = ""


class Runner:
    """Runs mutants of the functions that a test session has loaded.

    A test times out after ten times its duration without a mutant, plus `patience` seconds. No test
    is begun once those before it usually take `budget` seconds of processor time.
    """

    def __init__(
        self, session: pytest.Session, root: Path, reach: Reach, *, patience: float, budget: float
    ) -> None:
        self._patience, self._budget = patience, budget
        self._killers = defaultdict[tuple[str, str], set[str]](set)
        """Tests that killed a mutant, by module and function."""
        self._items = {item.nodeid: item for item in session.items}
        self._root, self._reach = root, reach
        self._functions = defaultdict[str, list[FunctionType]](list)
        gc.unfreeze()  # frozen objects, as a conftest may leave them, are not among those below
        for found in gc.get_objects():
            if isinstance(found, FunctionType):
                self._functions[found.__code__.co_filename].append(found)

    def run(self, mutants: Sequence[Mutant], *, jobs: int, seconds: float) -> Iterator[Result]:
        """Yield each mutant's result as it is known; start none once `seconds` have passed."""
        gc.freeze()
        end = time.monotonic() + seconds
        waiting = iter(mutants)
        running: dict[int, tuple[Mutant, Path]] = {}
        while True:
            while len(running) < jobs and time.monotonic() < end and (m := next(waiting, None)):
                scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
                running[in_child(partial(self._test, m, scratch))] = (m, scratch)
            if not running:
                return
            pid, status = os.wait()
            mutant, scratch = running.pop(pid)
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            result = _result(mutant, status, scratch / "killer")
            self._killers[mutant.module, mutant.function].add(result.test)
            yield result
            shutil.rmtree(scratch, ignore_errors=True)

    def _test(self, mutant: Mutant, scratch: Path) -> int:
        """Run the tests that reach the mutant; return the exit code of this process."""
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(scratch)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        functions = self._functions[str(self._root / mutant.module)]
        changes = mutant.changes(self._root)
        changed = [function for function in functions if function.__code__ in changes]
        for function in changed:
            function.__code__ = changes[function.__code__]
        names = self._reach.tests_of(mutant.module, mutant.line) if changed else []
        killers = self._killers[mutant.module, mutant.function]
        items = [self._items[name] for name in sorted(names, key=lambda name: name not in killers)]
        spent = 0.0
        for item, following in zip(items, [*items[1:], None], strict=False):
            if spent > self._budget:
                break
            spent += self._reach.cost[item.nodeid]
            limit = self._patience + 10 * self._reach.seconds[item.nodeid]
            signal.setitimer(signal.ITIMER_REAL, limit)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if item.session.testsfailed:
                (scratch / "killer").write_text(item.nodeid)
                return 1
        return 0 if items else 3


def in_child(work: Callable[[], int]) -> int:
    """Fork a silent process in a group of its own that ends with what `work` returns."""
    if pid := os.fork():
        return pid
    code = _FAULT
    try:
        os.setpgid(0, 0)
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(quiet, stream)
        code = work()
    finally:
        os._exit(code)


def _result(mutant: Mutant, status: int, killer: Path) -> Result:
    if os.WIFSIGNALED(status):
        timed_out = os.WTERMSIG(status) == signal.SIGALRM
        return Result(mutant, Outcome.TIMED_OUT if timed_out else Outcome.CRASHED)
    code = os.WEXITSTATUS(status)
    if code == _FAULT:
        msg = f"{mutant.module}: {mutant.name}: this mutant cannot be run"
        raise RuntimeError(msg)
    test = killer.read_text() if killer.exists() else ""
    return Result(mutant, _OUTCOMES.get(code, Outcome.CRASHED), test)
