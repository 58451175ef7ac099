"""Explaining comes after the verdict is published, and costs nobody the verdict."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import CancelledError, InfrastructureError
from builders.images.provide import ProvidedImage
from builders.jail import JailEnd, JailFailedError
from pipelines.audit.run_state import AuditedRun
from pipelines.evidence.report import Purpose, Report
from pipelines.explain.first_look import FirstLooks
from pipelines.explain.quickdiff import quick_diff
from pipelines.judge.difference import CauseName
from pipelines.judge.finding import Confirmation, Explanation, ExplanationStatus
from pipelines.storage.names import REPORT, Visibility, cas, release_run
from pipelines.verify import explaining, steps
from pipelines.verify import publish as publishing
from pipelines.verify.session import Session
from pipelines.verify.verify import verify_recipe
from tests.fakes.store import MemoryStore
from tests.lab import verified, write_recipe
from tests.verify.cutoff import OTHER, SHIPPED, Cut, own_center

SAME = [["sh", "-c", "echo other > /out/out.bin"]]


@pytest.fixture
def cut(session: Session, build_image: ProvidedImage, tmp_path: Path) -> Cut:
    """A center whose one release differs from what was shipped."""
    made = own_center(session, tmp_path)
    made.recipe = write_recipe(
        tmp_path / "cut2", SAME, shipped=SHIPPED, product="cut", explain="diffoscope"
    )
    return made


def plain(*given: Any) -> Any:
    """Explain no further than the first look: what diffoscope does has tests of its own."""
    return given[-1]


def test_diffoscope_runs_only_if_the_recipe_or_the_user_wants_it(cut: Cut) -> None:
    unasked = json.loads(cut.recipe.read_bytes())
    del unasked["explain"]
    cut.recipe.write_text(json.dumps(unasked))
    first = verified(cut.session, cut.recipe, explain=called)
    cut.session.diffoscope = True
    second = verified(cut.session, cut.recipe, explain=called)
    notes = []
    for report in (first, second):
        told = cut.explanation(report.run)
        assert told is not None
        assert told.artefacts[0].explanation.first_look is not None
        notes.append(told.artefacts[0].explanation.note)
    assert notes[0] is None
    assert "explaining it failed" in (notes[1] or "")


@pytest.mark.parametrize("public", [True, False], ids=["public", "private"])
def test_the_page_of_diffoscope_is_public_where_the_release_is(
    tmp_path: Path, *, public: bool
) -> None:
    store, page, data = MemoryStore(), b"<p>", b"{}"
    for kind, content in (("html", page), ("json", data)):
        (tmp_path / f"diff.{kind}").write_bytes(content)
    told = Explanation(html_diff=Digest.of(page), json_diff=Digest.of(data))
    explaining.keep_reports(store, told, tmp_path, public=public)
    assert store.has(cas(Visibility.PUBLIC, Digest.of(page))) is public
    assert not store.has(cas(Visibility.PUBLIC, Digest.of(data)))
    assert all(store.has(cas(Visibility.PRIVATE, Digest.of(one))) for one in (page, data))


def called(*_: Any, **__: Any) -> Any:
    raise InfrastructureError("diffoscope was called")


def stated(cut: Cut) -> AuditedRun:
    (run,) = cut.runs()
    assert str(run.state) == "stated"
    assert [str(finding.verdict) for finding in run.findings] == ["DIFFERENT"]
    return run


def test_the_comparison_is_stored_and_logged_before_a_file_is_looked_into(
    cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[AuditedRun] = []

    def look(_: FirstLooks, *files: Any) -> Any:
        seen.append(stated(cut))
        assert seen[0].run is not None
        store = cut.session.store
        assert store.has(release_run("lab", "cut", "1", "local", seen[0].run) + REPORT)
        assert cut.explanation(seen[0].run) is None
        return quick_diff(*files)

    monkeypatch.setattr(FirstLooks, "difference", look)
    report = verified(cut.session, cut.recipe, explain=plain)
    assert [run.run for run in seen] == [report.run]
    assert stated(cut).findings == seen[0].findings, "nothing of it changes what was found"
    told = cut.explanation(report.run)
    assert told is not None
    assert told.confirming is not None
    assert (told.confirming.number, told.confirming.purpose) == (2, Purpose.CONFIRMING)
    (about,) = told.artefacts
    assert (about.confirmation, [c.name for c in about.causes]) == (
        Confirmation.SAME,
        [CauseName.CONTENT],
    )
    assert about.comparison == seen[0].findings[0].comparison.digest
    assert [attempt.purpose for attempt in report.attempts] == ["judged"]
    assert not any(finding.is_explained for finding in report.artefacts)
    assert cut.commits() == [1, 3, 1], "the commitment, the statements of the run, the explanation"
    assert cut.folders == []


def memory(*_: Any, **__: Any) -> Any:
    raise MemoryError


def recursion(*_: Any, **__: Any) -> Any:
    raise RecursionError("too deep")


def fault(*_: Any, **__: Any) -> Any:
    raise InfrastructureError("the engine is away", got="engine.internal:2376")


def cancelled(*_: Any, **__: Any) -> Any:
    raise CancelledError("the run was cancelled")


@pytest.mark.parametrize("how", [memory, recursion, fault, cancelled])
@pytest.mark.parametrize("where", ["look", "confirm", "explain"])
def test_what_breaks_while_explaining_is_a_status_and_nothing_else(
    cut: Cut, monkeypatch: pytest.MonkeyPatch, where: str, how: Callable[..., Any]
) -> None:
    replaced: dict[str, Callable[..., Any]] = {"explain": plain}
    if where == "look":
        monkeypatch.setattr(FirstLooks, "difference", how)
    elif where == "confirm":
        monkeypatch.setattr(steps, "run_rebuild", broken_when_confirming(how))
    else:
        replaced["explain"] = how
    report = verified(cut.session, cut.recipe, **replaced)
    assert report.verdict is Verdict.DIFFERENT
    assert stated(cut).run == report.run
    told = cut.explanation(report.run)
    assert told is not None
    assert told.confirming is not None
    (about,) = told.artefacts
    built = told.confirming.rebuild.outcome == "BUILT"
    assert (about.confirmation is Confirmation.SAME) is built is (where != "confirm")
    crashed = about.explanation.status is ExplanationStatus.CRASHED
    assert crashed is (where != "confirm")
    assert cut.folders == []
    public = cut.session.store.root / "public"  # type: ignore[attr-defined]
    texts = [path.read_bytes() for path in public.rglob("*") if path.is_file()]
    assert not [text for text in texts if b"engine.internal" in text]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (JailEnd.TIMED_OUT, ExplanationStatus.TIMED_OUT),
        (JailEnd.OUT_OF_MEMORY, ExplanationStatus.OUT_OF_MEMORY),
        (JailEnd.FLOODED, ExplanationStatus.CRASHED),
    ],
)
def test_how_the_process_that_looked_ended_is_the_status(
    end: JailEnd, status: ExplanationStatus
) -> None:
    error = JailFailedError(end, "reading a file went wrong", got="this")
    told = explaining.failed(Explanation(), "the first look", error)
    assert told.status is status
    assert told.note == "the first look failed: reading a file went wrong; got this"


def broken_when_confirming(how: Callable[..., Any]) -> Callable[..., Any]:
    run_rebuild = steps.run_rebuild

    def rebuild(*given: Any) -> Any:
        return how() if given[-1] == Purpose.CONFIRMING else run_rebuild(*given)

    return rebuild


def _is_killed(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _verifies(cut: Cut) -> None:
    """Verify in a process that is killed by what it looks into."""
    pytest.MonkeyPatch().setattr(FirstLooks, "difference", _is_killed)
    verify_recipe(Session(cut.session.center), cut.recipe)


def _completes(cut: Cut) -> None:
    pytest.MonkeyPatch().setattr(FirstLooks, "difference", _is_killed)
    cut.reap()


def killed(cut: Cut, does: Callable[[Cut], None]) -> None:
    process = multiprocessing.get_context("fork").Process(target=does, args=(cut,))
    process.start()
    process.join(timeout=300)
    assert process.exitcode == -signal.SIGKILL


def test_a_process_that_is_killed_while_explaining_leaves_a_stated_run_and_the_next_explains_it(
    cut: Cut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut.recipe = write_recipe(tmp_path / "cut2", OTHER, shipped=SHIPPED, product="cut")
    killed(cut, _verifies)
    before = stated(cut)
    assert cut.folders == [before.run]
    commits = cut.commits()
    monkeypatch.setattr(explaining, "explain_difference", plain)
    (report,) = cut.reap().completed
    assert (report.run, report.verdict) == (before.run, Verdict.DIFFERENT)
    assert stated(cut) == before, "it is stated once"
    assert cut.commits() == [*commits, 1]
    told = cut.explanation(report.run)
    assert told is not None
    (about,) = told.artefacts
    assert about.confirmation is Confirmation.OTHER
    assert CauseName.NONDETERMINISTIC in [cause.name for cause in about.causes]
    assert cut.folders == []


def test_a_run_that_kills_whoever_explains_it_stays_unexplained(cut: Cut) -> None:
    killed(cut, _verifies)
    killed(cut, _completes)
    before = stated(cut)
    (report,) = cut.reap().completed
    assert report.run == before.run
    assert stated(cut) == before
    told = cut.explanation(report.run)
    assert told is not None
    assert (told.confirming, [a.explanation.status for a in told.artefacts]) == (
        None,
        [ExplanationStatus.CRASHED],
    )
    assert cut.folders == []
    assert cut.reap().completed == ()


@pytest.mark.parametrize("where", ["confirm", "explain"])
def test_a_run_whose_session_is_stopped_while_explaining_is_explained_by_the_next(
    cut: Cut, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def stop(*_: Any) -> Any:
        cut.session.cancelled.set()
        raise CancelledError("the run was cancelled")

    monkeypatch.setattr(explaining, "TRIES", 1)  # the stopped one does not count
    with monkeypatch.context() as stopped:
        if where == "confirm":
            stopped.setattr(steps, "run_rebuild", broken_when_confirming(stop))
        report = verified(cut.session, cut.recipe, explain=stop)
    assert stated(cut).run == report.run
    assert cut.explanation(report.run) is None
    assert cut.folders == [report.run]
    monkeypatch.setattr(explaining, "explain_difference", plain)
    assert [one.run for one in cut.reap().completed] == [report.run]
    told = cut.explanation(report.run)
    assert told is not None
    (about,) = told.artefacts
    assert about.confirmation is Confirmation.SAME
    assert about.explanation.status is not ExplanationStatus.CRASHED
    assert cut.folders == []


def test_a_refused_explanation_costs_nothing(cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signer that does not find the comparison in the log signs no explanation of it."""
    monkeypatch.setattr(cut.session, "is_logged", lambda _: False)
    report: Report = verified(cut.session, cut.recipe, explain=plain)
    assert report.verdict is Verdict.DIFFERENT
    assert stated(cut).run == report.run
    assert cut.explanation(report.run) is None
    assert cut.folders == []


def test_a_run_whose_statements_are_not_logged_yet_is_explained_later(
    cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away, and the statements wait in the outbox."""
    with monkeypatch.context() as away:
        away.setattr(publishing, "_log", lambda *_: False)
        report = verified(cut.session, cut.recipe, explain=plain)
        assert report.verdict is Verdict.DIFFERENT
        assert cut.folders == [report.run]
        found = cut.reap()
        assert (found.completed, found.uncompleted) == ((), (report.run,))
    assert cut.explanation(report.run) is None
    monkeypatch.setattr(explaining, "explain_difference", plain)
    (completed,) = cut.reap().completed
    assert completed == report
    assert stated(cut).run == report.run
    assert cut.explanation(report.run) is not None
    assert cut.folders == []
