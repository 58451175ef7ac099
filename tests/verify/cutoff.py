"""Runs of a center of its own that are cut off at a step, and what others see of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.audit.center_audit import audit_center
from pipelines.audit.log_index import LogIndex
from pipelines.audit.run_state import AuditedRun
from pipelines.audit.source import Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.center.center import Center
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.evidence.stored_runs import RunName, read_explanation
from pipelines.nightly.periodic import Reaped, reap_center
from pipelines.verify.session import Session
from pipelines.verify.verify import job_for, verify
from tests.lab import write_recipe

SHIPPED = b"shipped\n"
STEPS = [["sh", "-c", "echo shipped > /out/out.bin; date > /out/when.dbg"]]
OTHER = [["sh", "-c", "cat /proc/sys/kernel/random/uuid > /out/out.bin"]]


class CutOffError(BaseException):
    """What ends a process on the spot."""


@dataclass
class Cut:
    """One center of its own, whose runs are cut off at a step."""

    session: Session
    recipe: Path

    def run(self, at: str, *, after: bool = False) -> str:
        """Verify the release until a step, or until after it; return the id of the run."""

        def wrap(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
            def cut(*given: Any, **named: Any) -> Any:
                if after:
                    step(*given, **named)
                raise CutOffError

            return cut if name == at else step

        with pytest.raises(CutOffError), job_for(self.session, self.recipe) as job:
            verify(self.session, job, wrap)
        return job.run

    def reap(self) -> Reaped:
        """Do what the next process does."""
        return reap_center(Session(self.session.center))

    @property
    def folders(self) -> list[str]:
        return [path.name for path in self.session.center.runs.iterdir()]

    def runs(self) -> tuple[AuditedRun, ...]:
        """Return what others see of the center's runs."""
        session, release = Session(self.session.center), ReleaseName.parse("lab/cut@1")
        policy = session.policy(datetime.now(UTC))
        logs = LogIndex({session.center.id: session.store}, policy)
        source = Source(center=session.center.id, store=session.store)
        return audit_center(StatementReader(policy=policy, logs=logs), source, release).runs

    def explanation(self, run: str) -> RunExplanation | None:
        """Return what explains a run, as the store has it."""
        name = RunName.of(ReleaseName.parse("lab/cut@1"), "local", run)
        return read_explanation(Session(self.session.center).store, name, whole=True)

    def commits(self) -> list[int]:
        """Return how many leaves each commit to the log has added."""
        store, size = self.session.store, self.session.logbook().log.recover()
        starts = [int(key.rpartition("/")[2]) for key in store.list("public/log/commit/")]
        ends = [*starts[1:], size.size if size else 0]
        return [end - start for start, end in zip(starts, ends, strict=True)]


def own_center(session: Session, folder: Path) -> Cut:
    """Return a center in `folder`, with the images of `session`, and its recipe."""
    home = folder / "home"
    center = Center(id="local", home=home, store=home / "store", recipes=session.center.recipes)
    recipe = write_recipe(folder / "cut", STEPS, shipped=SHIPPED, by_products=["*.dbg"])
    return Cut(session=Session(center), recipe=recipe)
