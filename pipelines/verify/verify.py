"""One verification from recipe to report: the order of the steps, and what each failure means.

The steps come as functions, so that a scheduler can wrap each of them in a task; the order, and
every decision, is here and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import EngineError, RebuildError, StoreError
from builders.core.runid import new_run_id
from builders.images.provide import ProvidedImage, claimed_digest
from builders.inputs.input_file import InputFile
from builders.rebuild.rebuild_result import OutputKind
from builders.rebuild.seal import Seal
from builders.rebuild.workspace import workspace
from builders.recipe.claim import claim_of
from builders.recipe.recipe import load_recipe
from pipelines.evidence.report import Attempt, Environment, Purpose, Report, ReviewFact, SourceFact
from pipelines.judge.compare import Unreachable, confirm_all
from pipelines.judge.finding import Explanation, Finding, worst_verdict
from pipelines.policy import Policy
from pipelines.policy.reviews.gate import review_status, review_target
from pipelines.verify import judging, steps
from pipelines.verify.judging import Shipped
from pipelines.verify.publish import publish
from pipelines.verify.session import Job, Session


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps that take long or leave the process; a scheduler wraps each of them in a task."""

    fetch_inputs: Callable[[Job], tuple[InputFile, ...]]
    provide_image: Callable[[Job], ProvidedImage]
    run_rebuild: Callable[..., Attempt]
    seal_outputs: Callable[[Job, Attempt], Seal]
    commit_seal: Callable[[Job, Digest, Seal], int]
    fetch_shipped: Callable[..., Shipped]
    judge: Callable[..., tuple[Finding, ...]]
    explain_difference: Callable[[Job, Finding, Attempt], Explanation]
    publish: Callable[[Job, Report], str]

    @classmethod
    def of(
        cls, session: Session, wrap: Callable[[str, Any], Any] = lambda _name, step: step
    ) -> Self:
        """Return the steps, working with `session`, each as `wrap(name, step)` returns it."""
        return cls(
            fetch_inputs=wrap("fetch-inputs", partial(steps.fetch_inputs, session)),
            provide_image=wrap("provide-image", partial(steps.provide_image, session)),
            run_rebuild=wrap("rebuild", partial(steps.run_rebuild, session)),
            seal_outputs=wrap("seal", partial(steps.seal_outputs, session)),
            commit_seal=wrap("commit", partial(steps.commit_seal, session)),
            fetch_shipped=wrap("fetch-shipped", partial(judging.fetch_shipped, session)),
            judge=wrap("judge", partial(judging.judge, session)),
            explain_difference=wrap("explain", partial(judging.explain_difference, session)),
            publish=wrap("publish", partial(publish, session)),
        )


@dataclass(kw_only=True)
class _Run:
    """What is known so far."""

    timings: dict[str, float] = field(default_factory=dict)
    claim: Digest | None = None
    image: ProvidedImage | None = None
    inputs: tuple[InputFile, ...] = ()
    sources: tuple[SourceFact, ...] = ()
    reviews: tuple[ReviewFact, ...] = ()
    attempt: Attempt | None = None
    seal: Seal | None = None
    outcome: Outcome = Outcome.INFRASTRUCTURE_ERROR
    reason: str | None = None

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            spent = self.timings.get(name, 0.0) + time.monotonic() - start
            self.timings[name] = round(spent, 3)


@contextmanager
def job_for(session: Session, recipe: Path, *, flow_run: str = "") -> Iterator[Job]:
    """Open a run of `session`: its id, its folder, and the removal of what it leaves running.

    Raises `RecipeError`.
    """
    run, center = new_run_id(), session.center
    with workspace(center.runs, run) as folder:
        job = Job(
            loaded=load_recipe(recipe), center=center.id, run=run, folder=folder, flow_run=flow_run
        )
        try:
            yield job
        finally:
            with suppress(EngineError):  # `samebits reap` removes it once the engine is back
                session.sweep(run)


def verify(
    session: Session, job: Job, using: Steps | None = None, *, fresh: bool = False
) -> Report:
    """Verify one release, store the evidence, and return the report.

    `fresh` fetches shipped files again, even those in the vault. Raises `UsageError` for a recipe
    that cannot be used and `StoreError` when nothing can be stored; every other failure is an
    outcome in the report.
    """
    using = using or Steps.of(session)
    run = _Run()
    start = time.monotonic()
    session.check_store()  # a store that cannot be written fails before anything is built
    policy = session.policy(datetime.now(UTC))
    _ = session.signer  # as does a center without its keys
    try:
        _rebuild(session, job, using, run, policy)
    except StoreError:
        raise
    except RebuildError as error:
        run.outcome, run.reason = error.outcome, str(error)
    findings = _judge(session, job, using, run, fresh=fresh)
    run.timings["total"] = round(time.monotonic() - start, 3)
    report = _report(session, job, run, findings)
    with run.timed("publish"):
        using.publish(job, report)
    session.progress.done(job.release, report.verdict)
    return report


def _rebuild(session: Session, job: Job, using: Steps, run: _Run, policy: Policy) -> None:
    """Rebuild, seal and commit; nothing here has seen a shipped byte."""
    loaded = job.loaded
    image = claimed_digest(loaded.recipe.build.image, session.images)
    run.claim = claim = claim_of(loaded, image).digest
    with run.timed("inputs"):
        run.inputs = using.fetch_inputs(job)
    with run.timed("source"):
        run.sources = steps.source_facts(session, job, run.inputs)
        _require_reviews(session, job, run, claim, policy)
    with run.timed("image"):
        run.image = using.provide_image(job)
    with run.timed("rebuild"):
        run.attempt = using.run_rebuild(job, run.inputs, run.image, Purpose.JUDGED)
    run.outcome, run.reason = run.attempt.rebuild.outcome, run.attempt.rebuild.reason
    if run.outcome is Outcome.BUILT:
        with run.timed("seal"):
            seal = using.seal_outputs(job, run.attempt)
        with run.timed("commit"):
            using.commit_seal(job, claim, seal)
        run.seal = seal


def _require_reviews(session: Session, job: Job, run: _Run, claim: Digest, policy: Policy) -> None:
    """Note who has reviewed; raises `SourceNotReviewedError` when those are not enough."""
    recipe, store = job.recipe, session.store
    digests = [source.source_digest for source in run.sources if source.source_digest]
    reviewed = review_target(recipe, claim, digests, store)
    found = review_status(recipe, reviewed, policy=policy, store=store, now=datetime.now(UTC))
    run.reviews = tuple(ReviewFact(name=c.reviewer, key=c.keyid) for c in found.count.counted)
    found.require(reviewed)


def _judge(
    session: Session, job: Job, using: Steps, run: _Run, *, fresh: bool
) -> tuple[Finding, ...]:
    """Fetch what was shipped, give the verdicts, and only then explain."""
    shipped: Shipped = {}
    if run.outcome is Outcome.BUILT:
        with run.timed("shipped"):
            shipped = _shipped(job, using, fresh=fresh)
    with run.timed("judge"):
        findings = using.judge(
            job, run.inputs, run.attempt, shipped, outcome=run.outcome, reason=run.reason
        )
    if run.attempt is None or run.outcome is not Outcome.BUILT:
        return findings
    with run.timed("look"):
        findings = judging.look(session, job, run.inputs, run.attempt, findings)
    if any(f.verdict is Verdict.DIFFERENT for f in findings):
        with run.timed("confirm"):
            again = using.run_rebuild(job, run.inputs, run.image, Purpose.CONFIRMING)
            findings = confirm_all(findings, again.rebuild.outputs)
        with run.timed("explain"):
            findings = tuple(_explained(job, using, run.attempt, f) for f in findings)
    judging.keep_shipped(session, job, findings)
    return findings


def _shipped(job: Job, using: Steps, *, fresh: bool) -> Shipped:
    """Fetch what was shipped; whatever goes wrong there, the rebuild is not lost for it."""
    try:
        return using.fetch_shipped(job, fresh=fresh)
    except StoreError:
        raise
    except RebuildError as error:
        names = [artefact.name for artefact in job.recipe.artefacts]
        return dict.fromkeys(names, Unreachable(reason=str(error)))


def _explained(job: Job, using: Steps, attempt: Attempt, finding: Finding) -> Finding:
    if finding.verdict is not Verdict.DIFFERENT:
        return finding
    explanation = using.explain_difference(job, finding, attempt)
    return finding.model_copy(update={"explanation": explanation})


def _report(session: Session, job: Job, run: _Run, findings: tuple[Finding, ...]) -> Report:
    recipe = job.recipe
    by_products = {
        o.name
        for o in (run.attempt.rebuild.outputs if run.attempt else ())
        if o.part is OutputKind.BY_PRODUCT
    }
    return Report(
        vendor=recipe.vendor,
        product=recipe.product,
        version=recipe.version,
        center=job.center,
        run=job.run,
        claim=run.claim,
        seal=run.seal.digest if run.seal else None,
        outcome=run.outcome,
        reason=run.reason,
        verdict=worst_verdict(finding.verdict for finding in findings),
        artefacts=findings,
        by_products=tuple(f for f in run.seal.files if f.name in by_products) if run.seal else (),
        environment=_environment(session, job, run),
        timings=run.timings,
        attempts=steps.attempts(job),
    )


def _environment(session: Session, job: Job, run: _Run) -> Environment:
    loaded = job.loaded
    build = loaded.recipe.build
    engine: dict[str, str] = {}
    try:
        facts = session.engine.info()
        engine = {"engine": facts.version, "kernel": facts.kernel, "cgroup": facts.cgroup}
    except EngineError:
        pass  # the outcome says so already
    return Environment(
        declared=build.declared_environment(),
        method=build.method,
        image=build.image,
        image_config=run.image.config if run.image else None,
        sources=run.sources,
        samebits=version("samebits"),
        visibility=loaded.recipe.visibility,
        reviews=run.reviews,
        **engine,
    )
