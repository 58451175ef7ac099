"""What a run does when it is cancelled by its id: from other processes, hosts and threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.core.enums import Outcome, Verdict
from builders.core.errors import InfrastructureError, StoreError
from builders.images.provide import ProvidedImage
from pipelines.center.center import Center
from pipelines.evidence.report import Report
from pipelines.verify import cancellation
from pipelines.verify.cancellation import (
    RunCancellation,
    cancel,
    cancelled_when,
    has_ended,
    is_cancelled,
    note_begun,
    note_ended,
    read_begun,
)
from pipelines.verify.interrupted import interrupted_runs
from pipelines.verify.session import Session
from pipelines.verify.verify import job_for, verify
from tests.command import wait_until
from tests.fakes.store import MemoryStore
from tests.lab import replacing, write_recipe

RUN, CENTER = "20260102T030405Z-0a1b2c3d", "lab"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session that may be cancelled, and notices that soon."""
    monkeypatch.setattr(cancellation, "EVERY", 0.02)
    home = tmp_path / "home"
    with Session(Center(id="local", home=home, store=home / "store")) as session:
        yield session


def test_a_cancellation_is_read_wherever_the_store_is_read() -> None:
    store = MemoryStore()
    note_begun(store, CENTER, RUN, release="lab/one@1")
    assert not is_cancelled(store, CENTER, RUN)
    cancel(store, CENTER, RUN)
    assert is_cancelled(store, CENTER, RUN)
    assert not is_cancelled(store, "other", RUN)
    assert not has_ended(store, CENTER, RUN)
    note_ended(store, CENTER, RUN)
    assert has_ended(store, CENTER, RUN)


def test_what_is_cancelled_twice_stays_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    for moment in ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"):
        monkeypatch.setattr(cancellation, "_now", lambda moment=moment: moment)
        cancel(store, CENTER, RUN)
        note_ended(store, CENTER, RUN)
    assert is_cancelled(store, CENTER, RUN)


def test_the_first_note_of_a_night_stays() -> None:
    store = MemoryStore()
    assert read_begun(store, CENTER, RUN) is None
    note_begun(store, CENTER, RUN, flow_run="one")
    note_begun(store, CENTER, RUN, flow_run="two")
    noted = read_begun(store, CENTER, RUN)
    assert noted
    assert (noted.flow_run, noted.release) == ("one", None)


def test_a_run_is_cancelled_with_its_session_and_the_session_not_with_a_run(own: Session) -> None:
    one, two = own.cancellation("one"), own.cancellation("two")
    one.set()
    assert (one.is_set(), two.is_set(), own.cancelled.is_set()) == (True, False, False)
    own.cancelled.set()
    assert two.is_set()
    assert isinstance(two, RunCancellation)


def test_a_store_that_does_not_answer_cancels_nothing_and_is_asked_again(own: Session) -> None:
    asked, cancelled = list[int](), threading.Event()

    def holds() -> bool:
        asked.append(1)
        if len(asked) < 3:
            raise StoreError("gone")
        return True

    with cancelled_when(holds, cancelled):
        assert cancelled.wait(10)
    assert len(asked) == 3


def run(session: Session, recipe: Path, **steps: Any) -> tuple[str, Report]:
    with job_for(session, recipe) as job:
        return job.run, verify(session, job, replacing(**steps))


def test_a_run_that_is_cancelled_by_its_id_has_that_outcome_and_the_session_goes_on(
    own: Session, tmp_path: Path
) -> None:
    def fetch_inputs(job: Any) -> Any:
        cancel(own.store, "local", job.run)
        wait_until(own.cancellation(job.run).is_set)
        own.raise_if_cancelled(job.run)

    recipe = write_recipe(tmp_path / "early", [["true"]])
    name, report = run(own, recipe, fetch_inputs=fetch_inputs)
    assert (report.outcome, report.verdict) == (Outcome.CANCELLED, Verdict.NOT_CHECKED)
    assert has_ended(own.store, "local", name)
    assert not own.cancelled.is_set()
    folder = own.center.home / f"store/public/releases/lab/early/1/local/{name}"
    assert {"report.json", "attempt-1.dsse.json"} <= {p.name for p in folder.iterdir()}


@pytest.mark.parametrize("alone", [True, False], ids=["its-run", "the-session"])
def test_a_run_whose_seal_is_logged_is_completed_even_without_a_verdict(
    own: Session, tmp_path: Path, build_image: ProvidedImage, alone: bool
) -> None:
    def fetch_shipped(job: Any, **_: Any) -> Any:
        (own.cancellation(job.run) if alone else own.cancelled).set()
        raise InfrastructureError("the index does not answer")

    script = ["sh", "-c", "echo one > /out/out.bin"]
    recipe = write_recipe(tmp_path / "late", [script], shipped=b"one\n")
    name, report = run(own, recipe, fetch_shipped=fetch_shipped)
    assert (report.outcome, report.verdict) == (Outcome.BUILT, Verdict.NOT_CHECKED)
    assert (own.center.home / f"store/public/releases/lab/late/1/local/{name}/report.json").exists()


def test_a_run_whose_commitment_may_be_in_the_log_is_not_dropped(
    own: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    """The answer of the store was lost: nobody here knows whether the log has the seal."""

    def commit(_job: Any, *_: Any) -> Any:
        own.cancelled.set()
        raise InfrastructureError("the commitment could not be logged")

    recipe = write_recipe(tmp_path / "lost", [["sh", "-c", "echo one > /out/out.bin"]])
    with pytest.raises(InfrastructureError, match="could not be logged"):
        run(own, recipe, commit=commit)
    assert len(list(interrupted_runs(own))) == 1
