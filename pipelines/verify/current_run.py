"""What a verification knows of its run so far, and the report that comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.errors import EngineError
from builders.images.provide import ProvidedImage
from builders.inputs.input_file import InputFile
from builders.rebuild.seal import Seal
from builders.recipe.scope import scope_of
from pipelines.evidence.report import Attempt, Environment, Report, ReviewFact, SourceFact
from pipelines.judge.finding import Finding, worst_verdict
from pipelines.verify import steps
from pipelines.verify.session import Job, Session

P = ParamSpec("P")
T = TypeVar("T")
Wrap = Callable[[str, Callable[..., Any]], Callable[..., Any]]
"""Returns what is called in the place of a step, given its name and the step itself."""
PLAIN: Wrap = lambda _name, step: step  # noqa: E731


@dataclass(kw_only=True)
class CurrentRun:
    """One run, and what is known so far."""

    session: Session
    job: Job
    wrap: Wrap
    published: bool = True
    """Whether the run leaves evidence; else nothing is signed, stored or logged."""
    candidates: Path | None = None
    """The folder of the files that are judged in the place of shipped ones."""
    timings: dict[str, float] = field(default_factory=dict)
    claim: Digest | None = None
    image: ProvidedImage | None = None
    inputs: tuple[InputFile, ...] = ()
    sources: tuple[SourceFact, ...] = ()
    reviews: tuple[ReviewFact, ...] = ()
    attempt: Attempt | None = None
    seal: Seal | None = None
    committing: bool = False
    """Whether its commitment may be in the log: from then on it is completed."""
    outcome: Outcome = Outcome.INFRASTRUCTURE_ERROR
    reason: str | None = None

    def step(
        self,
        name: str,
        function: Callable[Concatenate[Session, Job, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Take a step, which takes long or leaves the process, as it was wrapped."""
        found: T = self.wrap(name, partial(function, self.session))(self.job, *args, **kwargs)
        return found

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to those of `name`."""
        start = time.monotonic()
        try:
            yield
        finally:
            spent = self.timings.get(name, 0.0) + time.monotonic() - start
            self.timings[name] = round(spent, 3)

    def report(self, findings: tuple[Finding, ...]) -> Report:
        """Return the report of the run with these findings."""
        job, recipe, seal = self.job, self.job.recipe, self.seal
        outputs = self.attempt.rebuild.outputs if self.attempt else ()
        by_products = {output.name for output in outputs if output.part.is_by_product}
        return Report(
            vendor=recipe.vendor,
            product=recipe.product,
            version=recipe.version,
            center=job.center,
            run=job.run,
            claim=self.claim,
            scope=scope_of(recipe).digest,
            seal=seal.digest if seal else None,
            outcome=self.outcome,
            reason=self.reason,
            verdict=worst_verdict(finding.verdict for finding in findings),
            artefacts=findings,
            by_products=tuple(f for f in seal.files if f.name in by_products) if seal else (),
            environment=self._environment(),
            timings=self.timings,
            attempts=steps.attempts(job),
        )

    def _environment(self) -> Environment:
        recipe = self.job.recipe
        build = recipe.build
        engine: dict[str, str] = {}
        with suppress(EngineError):  # the outcome says so already
            facts = self.session.engine.info()
            engine = {"engine": facts.version, "kernel": facts.kernel, "cgroup": facts.cgroup}
        return Environment(
            declared=build.declared_environment(),
            method=build.method,
            image=build.image,
            image_config=self.image.config if self.image else None,
            sources=self.sources,
            samebits=version("samebits"),
            visibility=recipe.visibility,
            reviews=self.reviews,
            **engine,
        )
