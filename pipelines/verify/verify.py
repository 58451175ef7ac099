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
from importlib.metadata import version
from pathlib import Path

from builders.build.outputs import Part
from builders.build.plan import InputFile
from builders.build.seal import Seal
from builders.build.workspace import workspace
from builders.core.digest import Digest
from builders.core.errors import EngineError, RebuildError, StoreError
from builders.core.runid import new_run_id
from builders.core.words import Outcome, Verdict
from builders.images.provide import ProvidedImage, claimed_digest
from builders.recipe.claim import claim_of
from pipelines.center.center import Center
from pipelines.evidence.report import Attempt, Environment, Report, ReviewFact, SourceFact
from pipelines.judge.finding import Explanation, Finding, worst
from pipelines.policy import Policy, load_policy
from pipelines.policy.reviews.gate import reviewed_of, standing
from pipelines.verify import judging, progress, steps
from pipelines.verify.job import Job
from pipelines.verify.judging import ShippedFile
from pipelines.verify.publish import open_signer
from pipelines.verify.session import workshop


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps that take long or leave the process; a scheduler replaces them with its tasks."""

    fetch_inputs: Callable[[Job], tuple[InputFile, ...]] = steps.fetch_inputs
    provide_image: Callable[[Job], ProvidedImage] = steps.provide_image
    run_rebuild: Callable[..., Attempt] = steps.run_rebuild
    seal_outputs: Callable[[Job, Attempt], Seal] = steps.seal_outputs
    commit_seal: Callable[[Job, Digest, Seal], int] = steps.commit_seal
    fetch_shipped: Callable[..., tuple[ShippedFile, ...]] = judging.fetch_shipped
    judge: Callable[..., tuple[Finding, ...]] = judging.judge
    explain_difference: Callable[[Job, Finding, Attempt], Explanation] = judging.explain_difference
    publish: Callable[[Job, Report], str] = steps.publish


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
def job_for(recipe: Path, center: Center, *, flow_run: str = "") -> Iterator[Job]:
    """Open a run: its id, its folder, and the sweep of whatever it started."""
    run = new_run_id()
    with workspace(center.runs, run) as folder:
        job = Job(recipe=recipe, center=center, run=run, folder=folder, flow_run=flow_run)
        try:
            yield job
        finally:
            _sweep(job)


def verify(job: Job, using: Steps | None = None, *, fresh: bool = False) -> Report:
    """Verify one release, store the evidence, and return the report.

    Raises `UsageError` for a recipe that cannot be used and `StoreError` when nothing can be
    stored; every other failure is an outcome in the report.
    """
    using = using or Steps()
    run = _Run()
    start = time.monotonic()
    job.shop().check_store()  # a store that takes nothing is found out before anything is built
    policy = load_policy(job.center.policy, home=job.center.home, now=datetime.now(UTC))
    open_signer(job.center, job.shop().store, job.shop().vault)  # as is a center without its keys
    try:
        _rebuild(job, using, run, policy)
    except StoreError:
        raise
    except RebuildError as error:
        run.outcome, run.reason = error.outcome, str(error)
    findings = _judge(job, using, run, fresh=fresh)
    run.timings["total"] = round(time.monotonic() - start, 3)
    report = _report(job, run, findings)
    with run.timed("publish"):
        using.publish(job, report)
    progress.sink().done(job.release, report.verdict)
    return report


def _rebuild(job: Job, using: Steps, run: _Run, policy: Policy) -> None:
    """Rebuild, seal and commit; nothing here has seen a shipped byte."""
    loaded, shop = job.loaded(), job.shop()
    run.claim = claim_of(loaded, claimed_digest(loaded.recipe.build.image, shop.images)).digest
    with run.timed("inputs"):
        run.inputs = using.fetch_inputs(job)
    with run.timed("source"):
        run.sources = steps.source_facts(job, run.inputs)
        _require_reviews(job, run, policy)
    with run.timed("image"):
        run.image = using.provide_image(job)
    with run.timed("rebuild"):
        run.attempt = using.run_rebuild(job, run.inputs, run.image, steps.JUDGED)
    run.outcome, run.reason = run.attempt.rebuild.outcome, run.attempt.rebuild.reason
    if run.outcome is Outcome.BUILT:
        with run.timed("seal"):
            seal = using.seal_outputs(job, run.attempt)
        with run.timed("commit"):
            using.commit_seal(job, run.claim, seal)
        run.seal = seal


def _require_reviews(job: Job, run: _Run, policy: Policy) -> None:
    """Note who has reviewed; raises `SourceNotReviewedError` when those are not enough."""
    recipe, store = job.loaded().recipe, job.shop().store
    digests = [source.source_digest for source in run.sources if source.source_digest]
    if run.claim is None:
        message = "a claim comes before its reviews"
        raise ValueError(message)
    reviewed = reviewed_of(recipe, run.claim, digests, store)
    found = standing(recipe, reviewed, policy=policy, store=store, now=datetime.now(UTC))
    run.reviews = tuple(ReviewFact(name=c.reviewer, key=c.keyid) for c in found.count.counted)
    found.require(reviewed)


def _judge(job: Job, using: Steps, run: _Run, *, fresh: bool) -> tuple[Finding, ...]:
    """Fetch what was shipped, give the verdicts, and only then explain."""
    shipped: tuple[ShippedFile, ...] = ()
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
        findings = judging.look(job, run.inputs, run.attempt, findings)
    if any(f.verdict is Verdict.DIFFERENT for f in findings):
        with run.timed("confirm"):
            again = using.run_rebuild(job, run.inputs, run.image, steps.CONFIRMING)
            findings = judging.confirm_all(findings, again)
        with run.timed("explain"):
            findings = tuple(_explained(job, using, run.attempt, f) for f in findings)
    judging.keep_shipped(job, findings)
    return findings


def _shipped(job: Job, using: Steps, *, fresh: bool) -> tuple[ShippedFile, ...]:
    """Fetch what was shipped; whatever goes wrong there, the rebuild is not lost for it."""
    try:
        return using.fetch_shipped(job, fresh=fresh)
    except StoreError:
        raise
    except RebuildError as error:
        names = [artefact.name for artefact in job.loaded().recipe.artefacts]
        return tuple(ShippedFile(name=name, fault=str(error)) for name in names)


def _explained(job: Job, using: Steps, attempt: Attempt, finding: Finding) -> Finding:
    if finding.verdict is not Verdict.DIFFERENT:
        return finding
    explanation = using.explain_difference(job, finding, attempt)
    return finding.model_copy(update={"explanation": explanation})


def _report(job: Job, run: _Run, findings: tuple[Finding, ...]) -> Report:
    recipe = job.loaded().recipe
    by_products = {
        o.name
        for o in (run.attempt.rebuild.outputs if run.attempt else ())
        if o.part is Part.BY_PRODUCT
    }
    return Report(
        vendor=recipe.vendor,
        product=recipe.product,
        version=recipe.version,
        center=job.center.id,
        run=job.run,
        claim=run.claim,
        seal=run.seal.digest if run.seal else None,
        outcome=run.outcome,
        reason=run.reason,
        verdict=worst(findings),
        artefacts=findings,
        by_products=tuple(f for f in run.seal.files if f.name in by_products) if run.seal else (),
        environment=_environment(job, run),
        timings=run.timings,
        attempts=steps.attempts(job),
    )


def _environment(job: Job, run: _Run) -> Environment:
    loaded = job.loaded()
    build = loaded.recipe.build
    engine: dict[str, str] = {}
    try:
        facts = job.shop().engine.facts()
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


def _sweep(job: Job) -> None:
    """Remove containers that an interrupted step left behind."""
    shop = workshop(job.center)
    if "engine" in shop.__dict__:
        with suppress(EngineError):  # `samebits reap` removes them once the engine is back
            shop.engine.sweep(job.run)
