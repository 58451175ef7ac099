"""A run that is cut off after its commitment is completed: the same run, from what it built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders.core.enums import Outcome, Verdict
from builders.core.errors import InfrastructureError, StoreError
from builders.images.provide import ProvidedImage
from pipelines.audit.center_audit import audit_center
from pipelines.audit.log_index import LogIndex
from pipelines.audit.run_state import AuditedRun
from pipelines.audit.source import Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.center.center import Center
from pipelines.center.logbook import Logbook
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.stored_runs import RunName, read_report
from pipelines.nightly.periodic import Reaped, reap_center
from pipelines.storage.names import REPORT
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


@pytest.fixture
def cut(session: Session, build_image: ProvidedImage, tmp_path: Path) -> Cut:
    home = tmp_path / "home"
    center = Center(id="local", home=home, store=home / "store", recipes=session.center.recipes)
    recipe = write_recipe(tmp_path / "cut", STEPS, shipped=SHIPPED, by_products=["*.dbg"])
    return Cut(session=Session(center), recipe=recipe)


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ("commit", False),
        ("commit", True),
        ("fetch-shipped", True),
        ("judge", True),
        ("publish", False),
    ],
)
def test_it_is_completed_from_every_step_on(cut: Cut, step: str, *, after: bool) -> None:
    run = cut.run(step, after=after)
    assert cut.folders == [run]
    if step != "commit" or after:
        assert [str(one.state) for one in cut.runs()] == ["open"]
    found = cut.reap()
    assert [(one.run, one.verdict) for one in found.completed] == [(run, Verdict.IDENTICAL)]
    (one,) = cut.runs()
    assert (one.run, str(one.state), one.excluded) == (run, "stated", ())
    assert [finding.verdict for finding in one.findings] == [Verdict.IDENTICAL]
    assert cut.folders == []
    assert cut.reap().completed == ()


def test_a_center_that_is_stopped_leaves_it_for_the_next_start(cut: Cut) -> None:
    run = cut.run("publish")
    found = reap_center(Session(cut.session.center), complete=False)
    assert (found.completed, found.uncompleted, cut.folders) == ((), (run,), [run])
    assert [one.run for one in cut.reap().completed] == [run]


@pytest.mark.parametrize("record", ["comparison-1.dsse.json", "attempt-1.dsse.json", REPORT])
def test_half_published_evidence_is_completed_byte_for_byte(
    cut: Cut, record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = type(cut.session.store)
    put = store.put_record

    def put_record(self: Any, key: str, data: bytes) -> Any:
        if key.endswith(record) and "/releases/" in key:
            raise CutOffError
        return put(self, key, data)

    with monkeypatch.context() as patched:
        patched.setattr(store, "put_record", put_record)
        run = cut.run("nowhere")
    (report,) = cut.reap().completed
    assert (report.run, report.verdict) == (run, Verdict.IDENTICAL)
    assert [str(one.state) for one in cut.runs()] == ["stated"]


def test_a_difference_is_completed_and_confirmed_anew(cut: Cut, tmp_path: Path) -> None:
    cut.recipe = write_recipe(tmp_path / "cut2", OTHER, shipped=SHIPPED, product="cut")
    run = cut.run("explain")
    (report,) = cut.reap().completed
    assert (report.run, report.verdict) == (run, Verdict.DIFFERENT)
    assert [attempt.purpose for attempt in report.attempts] == ["judged", "confirming"]
    assert "nondeterministic" in [cause.name for cause in report.artefacts[0].causes]


def test_what_is_changed_meanwhile_does_not_count(cut: Cut) -> None:
    """The recipe is another one: the run is completed as it was begun, without that folder."""
    run = cut.run("fetch-shipped")
    cut.recipe.write_text(cut.recipe.read_text().replace("echo shipped", "echo other"))
    (report,) = cut.reap().completed
    assert (report.run, report.outcome) == (run, Outcome.BUILT)
    store = Session(cut.session.center).store
    name = RunName.of(ReleaseName.parse("lab/cut@1"), "local", run)
    assert read_report(store, name)["claim"] == str(report.claim)


def test_outputs_that_are_damaged_complete_nothing_and_are_kept(cut: Cut) -> None:
    run = cut.run("fetch-shipped")
    output = cut.session.center.runs / run / "attempt-1/outputs/out.bin"
    output.chmod(0o644)
    output.write_bytes(b"other bytes")
    found = cut.reap()
    assert (found.completed, found.uncompleted) == ((), (run,))
    assert cut.folders == [run]


@pytest.mark.parametrize("logged", [False, True])
def test_a_commitment_that_is_uncertain_leaves_the_run_to_be_completed(
    cut: Cut, monkeypatch: pytest.MonkeyPatch, *, logged: bool
) -> None:
    """The store fails at the commitment, which it may or may not have taken."""
    commit = Logbook.commit

    def uncertain(self: Logbook, **given: Any) -> int:
        if logged:
            commit(self, **given)
        raise StoreError("the store does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(Logbook, "commit", uncertain)
        with (
            pytest.raises(InfrastructureError, match="may not be logged"),
            job_for(cut.session, cut.recipe) as job,
        ):
            verify(cut.session, job)
    assert cut.folders == [job.run]
    assert [str(one.state) for one in cut.runs()] == ["open"][: int(logged)]
    assert [(r.run, r.verdict) for r in cut.reap().completed] == [(job.run, Verdict.IDENTICAL)]
    assert [str(one.state) for one in cut.runs()] == ["stated"]


def test_a_run_that_had_not_committed_is_removed(cut: Cut) -> None:
    cut.run("seal")
    assert (cut.folders, cut.runs()) == ([], ())


def test_a_living_run_is_left_alone(cut: Cut) -> None:
    def wrap(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        if name == "fetch-shipped":
            assert cut.reap().completed == ()
        return step

    with job_for(cut.session, cut.recipe) as job:
        assert verify(cut.session, job, wrap).verdict is Verdict.IDENTICAL
    assert cut.folders == []
