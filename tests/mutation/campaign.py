"""One run of mutants: collects the tests, measures what they reach, and stores the results.

The state folder holds two files. `reach.json` is the measurement; it is valid until a module or a
test changes. `results.json` is the outcome of every mutant; those that were killed are not run
again while their module is unchanged.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click
import pytest

from tests.mutation.mutants import Mutant
from tests.mutation.reach import Reach, measure
from tests.mutation.runner import KILLED, Outcome, Result, Runner, in_child

_FIELDS = ("module", "function", "line", "before", "after", "place")
_SERVICES = ("engine", "s3", "prefect", "browser", "network")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What bounds a run, and the seed of its order; times are in seconds."""

    seconds: float
    patience: float
    budget: float
    jobs: int
    seed: int


class Campaign:
    """A pytest plugin that runs mutants in place of the tests that were collected."""

    def __init__(self, root: Path, state: Path, limits: Limits) -> None:
        self.results: list[Result] = []
        self.failed: list[str] = []
        """Tests that cannot be collected, which ends the run, or fail without a mutant."""
        self._root, self._state, self._limits = root, state, limits
        self._mutants: list[Mutant] = []

    def run(self, mutants: Sequence[Mutant], tests: Sequence[str]) -> None:
        """Run mutants in random order against the tests in these files or folders."""
        self._state.mkdir(exist_ok=True)
        self._digests = {m: _digest(self._root / m) for m in {mutant.module for mutant in mutants}}
        self.results = list(self._earlier(mutants))
        done = {id(result.mutant) for result in self.results}
        self._mutants = [mutant for mutant in mutants if id(mutant) not in done]
        random.Random(self._limits.seed).shuffle(self._mutants)  # noqa: S311
        options = ["-q", "-s", "--tb=no", "-p", "no:cacheprovider"]
        code = pytest.main([*tests, *options], plugins=[self])
        if code in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR}:
            msg = f"pytest ended with {code!r}"
            raise click.ClickException(msg)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Turn off pytest's report, and Hypothesis' database, deadline and shrinking."""
        from hypothesis import Phase, settings  # not before pytest, which rewrites its assertions

        config.pluginmanager.unregister(name="terminalreporter")
        settings.register_profile(
            "mutation", database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
        )
        settings.load_profile("mutation")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Deselect tests that need a service."""
        items[:] = [i for i in items if not any(map(i.get_closest_marker, _SERVICES))]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file that cannot be collected."""
        if report.failed:
            self.failed.append(f"{report.nodeid}: {report.longreprtext}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the tests and run the mutants."""
        if self.failed or not self._mutants:
            return True
        reach = self._reach(session)
        self.failed = reach.failed
        limits = self._limits
        runner = Runner(session, self._root, reach, patience=limits.patience, budget=limits.budget)
        for result in runner.run(self._mutants, jobs=limits.jobs, seconds=limits.seconds):
            self.results.append(result)
            if len(self.results) % 20 == 0:
                self._save()
        self._save()
        return True

    def _reach(self, session: pytest.Session) -> Reach:
        """Return what the tests reach: read from the state, or measured in another process."""
        path, modules = self._state / "reach.json", sorted(self._digests)
        loaded = {Path(str(getattr(m, "__file__", ""))) for m in [*sys.modules.values()]}
        ours = Path(__file__).parent
        files = sorted(
            file
            for file in loaded
            if file.is_relative_to(self._root)
            and not file.is_relative_to(ours)
            and ".venv" not in file.parts
        )
        tests = [item.nodeid for item in session.items]
        key = sha256(json.dumps([modules, tests, [_digest(file) for file in files]]).encode())
        if found := Reach.load(path, key.hexdigest()):
            return found
        click.echo(f"measuring what {len(tests)} tests reach")

        def work() -> int:
            measure(session, self._root, modules).save(path, key.hexdigest())
            return 0

        _, status = os.waitpid(in_child(work), 0)
        if found := Reach.load(path, key.hexdigest()):
            return found
        msg = f"measuring ended with status {status} and left nothing"
        raise click.ClickException(msg)

    def _earlier(self, mutants: Sequence[Mutant]) -> Iterator[Result]:
        """Yield what was killed in an earlier run, where the module is the same."""
        path = self._state / "results.json"
        saved = json.loads(path.read_text()) if path.exists() else []
        known = {(m.module, self._digests[m.module], m.place, m.after): m for m in mutants}
        for row in saved:
            mutant = known.get((row["module"], row["digest"], row["place"], row["after"]))
            outcome = Outcome(row["outcome"])
            if mutant and outcome in KILLED:
                yield Result(mutant, outcome, row["test"])

    def _save(self) -> None:
        rows = [
            {
                **{name: getattr(mutant, name) for name in _FIELDS},
                "digest": self._digests[mutant.module],
                "outcome": outcome,
                "test": test,
            }
            for mutant, outcome, test in self.results
        ]
        (self._state / "results.json").write_text(json.dumps(rows, indent=1))


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
