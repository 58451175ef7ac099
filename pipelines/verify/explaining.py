"""What explains a run: a first look, a confirming rebuild, diffoscope. The verdict is given before.

Whatever the files of a run do to those that read them is recorded as a status, and changes nothing
else. A process that dies here leaves a run that is stated, and another tries again, once.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import SamebitsError
from builders.images.provide import ProvidedImage
from builders.jail import JailEnd, JailFailedError
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.staging import OUTPUTS
from builders.rebuild.tool_container import run_in_container
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.report import Attempt, Purpose, Report
from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
from pipelines.explain.differ import HTML, JSON, DifferLimits, explain
from pipelines.explain.first_look import FirstLooks
from pipelines.explain.named_causes import named_causes
from pipelines.judge.compare import confirm_difference
from pipelines.judge.copied import CheckedInput, Contents
from pipelines.judge.difference import Cause, CauseName
from pipelines.judge.finding import Confirmation, Explanation, ExplanationStatus, Finding
from pipelines.storage.names import Visibility
from pipelines.storage.store import Store
from pipelines.verify import steps
from pipelines.verify.current_run import CurrentRun
from pipelines.verify.judging import scanned_inputs, shipped_copy
from pipelines.verify.publish import Published, publish_explanation
from pipelines.verify.sealed_run import (
    begin_explaining,
    keep_explanation,
    read_kept_explanation,
    uncount_explaining,
)
from pipelines.verify.session import Job, Session

DIFFER_IMAGE = "differ"
TRIES = 2
"""Processes that may die of explaining a run."""
_LOG = logging.getLogger("samebits")
_MAX_NOTE = 500
_ENDS = {
    JailEnd.TIMED_OUT: ExplanationStatus.TIMED_OUT,
    JailEnd.OUT_OF_MEMORY: ExplanationStatus.OUT_OF_MEMORY,
}
"""Of a process that read a file; any other end is a crash."""
_Scanned = list[tuple[CheckedInput, Contents]]


def explain_published(run: CurrentRun, report: Report, published: Published) -> bool:
    """Explain a run, once it is stated, and publish that; says whether nothing is left to do.

    Raises nothing of ours: the verdict is published, whatever comes of this.
    """
    job, session = run.job, run.session
    differs = any(finding.differs for finding in report.artefacts)
    if not published.logged:
        return not differs  # `reap` explains it once its statements are logged
    try:
        explanation = read_kept_explanation(job.folder)
        if explanation is None:
            if differs:
                session.progress.step(job.release, f"{report.verdict} is published; explaining it")
            if begin_explaining(job) <= TRIES:
                explanation = explain_run(run, report, published.comparisons)
                if explanation is not None and session.cancelled.is_set():
                    uncount_explaining(job)  # an orderly stop says nothing of the files
                    session.raise_if_cancelled()
            else:
                explanation = _unexplained(report, published.comparisons)
            if explanation is None:
                return True
            keep_explanation(job, explanation)
        run.step("publish-explanation", publish_explanation, report, explanation)
    except RefusedError as error:
        _LOG.warning("%s: the explanation of run %s is not signed: %s", job.release, job.run, error)
    except (SamebitsError, OSError) as error:
        _LOG.warning("%s: run %s is not explained yet: %s", job.release, job.run, error)
        return False
    return True


def explain_run(
    run: CurrentRun, report: Report, comparisons: Mapping[str, Digest]
) -> RunExplanation | None:
    """Return what explains a run; None where there is nothing to explain.

    `comparisons` are the digests of its statements by artefact. A diffoscope report is made where
    the recipe or the user wants one, of a run that leaves evidence.
    """
    attempt, image = run.attempt, run.image
    if attempt is None or image is None or report.outcome is not Outcome.BUILT:
        return None
    with run.timed("look"):
        found = _look(run, report, attempt, comparisons)
    different = {f.name: f for f in report.artefacts if f.differs}
    confirming = None
    if different:
        with run.timed("confirm"):
            confirming = _rebuilt_again(run, image, len(report.attempts) + 1)
        again = confirming.rebuild
        if again.outcome is Outcome.BUILT:
            found = [
                _confirmed(one, different[one.name], again) if one.name in different else one
                for one in found
            ]
    wanted = run.session.diffoscope or run.job.recipe.explain == "diffoscope"
    if different and run.published and wanted:
        with run.timed("explain"):
            found = [
                _explained(run, one, different[one.name], attempt) if one.name in different else one
                for one in found
            ]
    return _complete(report, confirming, found)


def _complete(
    report: Report, confirming: Attempt | None, found: list[ExplainedArtefact]
) -> RunExplanation | None:
    if not found:
        return None
    # The second that has begun counts as over: a run's own end is rounded up too.
    ended = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    return RunExplanation(
        **report.only("vendor", "product", "version", "center", "run"),
        explained_on=ended,
        confirming=confirming,
        artefacts=tuple(found),
    )


def _unexplained(report: Report, comparisons: Mapping[str, Digest]) -> RunExplanation | None:
    """Return that a difference could not be explained: every process that tried has died of it."""
    told = Explanation(
        status=ExplanationStatus.CRASHED,
        note=f"{TRIES} processes that explained it ended before they were done",
    )
    different = [f.name for f in report.artefacts if f.differs]
    found = [
        ExplainedArtefact(name=name, comparison=comparisons.get(name), explanation=told)
        for name in different
    ]
    return _complete(report, None, found)


def _look(
    run: CurrentRun, report: Report, attempt: Attempt, comparisons: Mapping[str, Digest]
) -> list[ExplainedArtefact]:
    """Take a first look at every artefact that was judged; return those that it tells of."""
    found = []
    scanned: _Scanned | None = None
    looks = FirstLooks(run.session.jail)
    for finding in report.artefacts:
        if not finding.shipped or not finding.rebuilt or finding.verdict is Verdict.NOT_CHECKED:
            continue
        about = ExplainedArtefact(name=finding.name, comparison=comparisons.get(finding.name))
        try:
            if scanned is None:
                served = {f.name: f.shipped.sha256 for f in report.artefacts if f.shipped}
                scanned = list(scanned_inputs(run.session, run.job, run.inputs, attempt, served))
            looked = _looked_at(looks, run, finding, attempt, scanned)
        except Exception as error:  # noqa: BLE001  # hostile bytes may end a reader in any way
            looked = {"explanation": failed(Explanation(), "the first look", error)}
        one = about.model_copy(update=looked)
        if finding.differs or one.explanation != Explanation():
            found.append(one)
    return found


def _looked_at(
    looks: FirstLooks, run: CurrentRun, finding: Finding, attempt: Attempt, scanned: _Scanned
) -> dict[str, object]:
    rebuilt = run.job.attempt(attempt.number) / OUTPUTS / finding.name
    with rebuilt.open("rb") as ours:
        explanation = Explanation(carried=looks.carried(ours, scanned))
        if not finding.differs:
            return {"explanation": explanation}
        with shipped_copy(run.session, run.job, finding).open("rb") as theirs:
            look = looks.difference(theirs, ours)
            told, rules, note = looks.rules(finding.name, theirs, ours, look)
    shown = {"first_look": told, "note": note and note[:_MAX_NOTE]}
    explanation = explanation.model_copy(update=shown)
    return {"explanation": explanation, "causes": (*named_causes(look.diff), *rules)}


def _rebuilt_again(run: CurrentRun, image: ProvidedImage, number: int) -> Attempt:
    """Rebuild once more; however that ends is part of the answer."""
    try:
        return run.step("rebuild", steps.run_rebuild, run.inputs, image, Purpose.CONFIRMING)
    except Exception as error:  # noqa: BLE001  # a scheduler's faults come in many classes
        reason = f"{type(error).__name__}: {error}"[:_MAX_NOTE]
        failed = RebuildResult(outcome=Outcome.INFRASTRUCTURE_ERROR, reason=reason)
        return Attempt(number=number, purpose=Purpose.CONFIRMING, rebuild=failed)


def _confirmed(
    artefact: ExplainedArtefact, finding: Finding, again: RebuildResult
) -> ExplainedArtefact:
    digest = again.artefacts.get(finding.name)
    confirmation = confirm_difference(finding, digest)
    causes = artefact.causes
    if confirmation.varies:
        detail = (
            "a second rebuild gave the shipped bytes, the first did not"
            if confirmation is Confirmation.SHIPPED
            else f"a second rebuild gave a third set of bytes: sha256 {digest}"
        )
        causes = (*causes, Cause(name=CauseName.NONDETERMINISTIC, detail=detail))
    return artefact.model_copy(update={"confirmation": confirmation, "causes": causes})


def _explained(
    run: CurrentRun, artefact: ExplainedArtefact, finding: Finding, attempt: Attempt
) -> ExplainedArtefact:
    first = artefact.explanation
    try:
        made = run.step("explain", explain_difference, finding, attempt, first)
    except Exception as error:  # noqa: BLE001  # as with the first look
        made = failed(first, "explaining it", error)
    return artefact.model_copy(update={"explanation": made})


def explain_difference(
    session: Session, job: Job, finding: Finding, attempt: Attempt, first: Explanation
) -> Explanation:
    """Run diffoscope on one DIFFERENT artefact, and add what it shows to the `first` look."""
    session.progress.step(job.release, f"explaining {finding.name}")
    cancelled = session.cancellation(job.run)
    image = steps.provide_once(session, job, DIFFER_IMAGE)
    runner = partial(
        run_in_container,
        engine=session.engine,
        image=image.reference,
        workdir=job.folder,
        labels=job.labels,
        cancelled=cancelled,
    )
    outputs = Path(tempfile.mkdtemp(dir=job.folder, prefix="explained-"))
    limits = DifferLimits()
    with session.budget.share(cpus=1, memory=limits.memory, cancelled=cancelled):
        session.raise_if_cancelled(job.run)
        explanation = explain(
            first,
            shipped=shipped_copy(session, job, finding),
            rebuilt=job.attempt(attempt.number) / OUTPUTS / finding.name,
            outputs=outputs,
            runner=runner,
            limits=limits,
        )
    keep_reports(session.store, explanation, outputs, public=job.recipe.visibility == "public")
    if first.note is None:
        return explanation
    note = "; ".join(filter(None, (first.note, explanation.note)))
    return explanation.model_copy(update={"note": note})


def keep_reports(store: Store, explanation: Explanation, outputs: Path, *, public: bool) -> None:
    """Store what diffoscope wrote into a folder; of a `public` release its page for everybody."""
    for kept, digest in ((JSON, explanation.json_diff), (HTML, explanation.html_diff)):
        if digest is not None:
            store.put_cas(Visibility.PRIVATE, outputs / kept)
    if public and explanation.html_diff is not None:
        store.put_cas(Visibility.PUBLIC, outputs / HTML)  # portals show it


def failed(before: Explanation, what: str, error: Exception) -> Explanation:
    """Return that `what` failed, beside what is known from before."""
    said = str(error) if isinstance(error, SamebitsError) else f"{type(error).__name__}: {error}"
    note = "; ".join(filter(None, (before.note, f"{what} failed: {said}"[:_MAX_NOTE])))
    status = ExplanationStatus.CRASHED
    if isinstance(error, JailFailedError):
        status = _ENDS.get(error.end, status)
    return before.model_copy(update={"status": status, "note": note})
