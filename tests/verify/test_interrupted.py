"""A run that is cut off after its commitment is completed: the same run, from what it built."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from builders.core.enums import Outcome, Verdict
from builders.core.errors import InfrastructureError, StoreError
from builders.core.runid import RunId
from builders.images.provide import ProvidedImage
from pipelines.center.logbook import Logbook
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.statements.seal_lines import SealLinesStatement
from pipelines.evidence.stored_runs import RunName, read_report
from pipelines.nightly.periodic import reap_center
from pipelines.signer.opened_evidence import MAX_RUN
from pipelines.storage.names import REPORT
from pipelines.verify import interrupted
from pipelines.verify import verify as verifying
from pipelines.verify.kept_seal import read_kept_seal
from pipelines.verify.sealed_run import SealedRun
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for, verify
from tests.verify.cutoff import Cut, CutOffError, own_center


@pytest.fixture
def cut(session: Session, build_image: ProvidedImage, tmp_path: Path) -> Cut:
    return own_center(session, tmp_path)


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


def test_a_run_that_fails_in_a_way_of_its_own_keeps_no_other_from_completion(
    cut: Cut, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs = sorted(cut.run("fetch-shipped") for _ in range(2))
    complete = verifying.complete

    def fails_once(session: Session, job: Job, sealed: SealedRun) -> Report:
        if not caplog.text:
            raise ValueError("a fault of a library")
        return complete(session, job, sealed)

    monkeypatch.setattr(interrupted, "complete", fails_once)
    found = cut.reap()
    assert sorted([*found.uncompleted, *(one.run for one in found.completed)]) == runs
    assert len(found.completed) == 1
    assert "a fault of a library" in caplog.text
    assert cut.folders == list(found.uncompleted)


def test_a_center_that_is_stopped_leaves_it_for_the_next_start(cut: Cut) -> None:
    run = cut.run("publish")
    found = reap_center(Session(cut.session.center), complete=False)
    assert (found.completed, found.uncompleted, cut.folders) == ((), (run,), [run])
    assert [one.run for one in cut.reap().completed] == [run]


@pytest.mark.parametrize("off", [timedelta(minutes=-10), timedelta(days=31)])
def test_a_clock_that_was_wrong_meanwhile_does_not_keep_a_run_from_being_stated(
    cut: Cut, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    run = cut.run("fetch-shipped")

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> WrongClock:
            return super().now(tz) + off

    with monkeypatch.context() as patched:
        patched.setattr(verifying, "datetime", WrongClock)
        first = cut.reap()
    completed = [*first.completed, *cut.reap().completed]
    assert [(one.run, one.verdict) for one in completed] == [(run, Verdict.IDENTICAL)]
    assert [str(one.state) for one in cut.runs()] == ["stated"]


def test_a_run_that_is_completed_late_has_taken_no_longer_than_a_run_may(
    cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was far behind when the run began."""
    monkeypatch.setattr(verifying, "new_run_id", lambda: RunId("20200102T030405Z-0a1b2c3d"))
    run = cut.run("fetch-shipped")
    (report,) = cut.reap().completed
    assert (report.run, report.timings["total"]) == (run, MAX_RUN.total_seconds())


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
    Session(cut.session.center).logbook().settle()
    stated = record == REPORT
    assert cut.commits() == ([1, 3] if stated else [1]), "half of a run is never logged"
    (report,) = cut.reap().completed
    assert (report.run, report.verdict) == (run, Verdict.IDENTICAL)
    assert [str(one.state) for one in cut.runs()] == ["stated"]
    assert cut.commits() == [1, 3], "one commit states a run"


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
    store = Session(cut.session.center).store
    folder = f"public/releases/lab/cut/1/local/{run}/"
    lines = SealLinesStatement.from_bytes(
        Envelope.from_bytes(store.get(f"{folder}seal-1.dsse.json", 1 << 20)).payload
    )
    names = [line.name for line in lines.predicate.files]
    assert (names, lines.predicate.run) == (["out.bin", "when.dbg"], run)
    assert [str(one.state) for one in cut.runs()] == ["open"]
    assert cut.reap().uncompleted == (run,), "and again, without a second statement"


def test_the_lines_of_the_seal_are_stored_before_the_commitment(
    cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit(self: Logbook, *, run: str, **_: Any) -> int:
        kept = read_kept_seal(cut.session.store, "lab/cut@1", "local", run)
        assert kept is not None
        assert kept.is_here
        raise CutOffError

    monkeypatch.setattr(Logbook, "commit", commit)
    cut.run("nowhere")


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
