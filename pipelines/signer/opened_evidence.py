"""The evidence of a run with its recipe parsed, and the conditions that it must satisfy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.core.yamlfile import parse_document
from builders.images.lock import ImageLock
from builders.rebuild.rebuild_result import Output, OutputKind, RebuildResult
from builders.rebuild.seal import SealedFile, seal_key
from builders.recipe.recipe import LoadedRecipe, Recipe, parse_recipe
from pipelines.center.center import Center
from pipelines.evidence.errors import refused
from pipelines.evidence.report import Report
from pipelines.evidence.run import Run
from pipelines.judge.finding import Finding
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.orders import Evidence
from pipelines.signer.recompute import recompute_findings

SKEW = timedelta(minutes=5)
"""How far the clock of a caller may be from that of the signer."""
MAX_RUN = timedelta(days=30)

Locks = Callable[[str], ImageLock | None]
"""From the image of a recipe to its lock; None for `name@sha256:...`, which has none."""


@dataclass(frozen=True, kw_only=True)
class OpenedEvidence:
    """One run that the signer is asked to sign for."""

    evidence: Evidence
    loaded: LoadedRecipe
    center: Center
    source: ByteSource
    locks: Locks
    now: datetime

    @property
    def report(self) -> Report:
        """What the center claims to have found."""
        return self.evidence.report

    @property
    def recipe(self) -> Recipe:
        """What was to be rebuilt."""
        return self.loaded.recipe

    @cached_property
    def run(self) -> Run:
        """The run as statements see it."""
        return Run(
            report=self.report,
            loaded=self.loaded,
            recipe=Digest.of(self.evidence.recipe),
            image=self.evidence.image,
            center=self.center,
        )

    @property
    def rebuilds(self) -> tuple[tuple[str, RebuildResult], ...]:
        """Every rebuild by its name in messages: the attempts, then the robustness rebuild."""
        robustness = self.evidence.robustness
        return (
            *((f"attempt {a.number}", a.rebuild) for a in self.report.attempts),
            *([("the robustness rebuild", robustness.rebuild)] if robustness else []),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the judged rebuild left; empty for a run that built nothing."""
        judged = self.run.judged
        return judged.outputs if judged and self.run.built else ()

    @cached_property
    def sealed(self) -> tuple[SealedFile, ...]:
        """The lines of the seal, from the bytes in the store; raises `RefusedError`."""
        key = seal_key(self.center.id, self.report.run)
        return tuple(
            SealedFile(
                name=o.name,
                size=o.size,
                hmac=self.source.measure(
                    o.sha256, check="output-bytes", what=f"output {o.name}", key=key
                ).hmac,
            )
            for o in sorted(self.outputs, key=lambda o: o.name)
            if o.part is not OutputKind.IGNORED
        )

    @cached_property
    def recomputed(self) -> tuple[Finding, ...]:
        """The findings of the judge, recomputed; raises `RefusedError`."""
        return recompute_findings(self.report, self.recipe, self.source)

    def claimed_and_recomputed(self) -> list[tuple[Finding, Finding]]:
        """Return each finding of the report beside the recomputed one."""
        return list(zip(self.report.artefacts, self.recomputed, strict=True))


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Whether evidence satisfies the rule `check`, and the error if it does not."""

    check: str
    error: str
    holds: bool
    got: object
    expected: object


def equal(check: str, error: str, got: object, expected: object) -> Condition:
    """Return the condition that both values are equal."""
    return Condition(check=check, error=error, holds=got == expected, got=got, expected=expected)


def true(check: str, error: str, holds: bool, got: object, expected: object) -> Condition:  # noqa: FBT001
    """Return the condition that `holds` is true; `got` and `expected` explain it."""
    return Condition(check=check, error=error, holds=holds, got=got, expected=expected)


def enforce(conditions: Iterable[Condition]) -> None:
    """Raise `RefusedError` for the first condition that does not hold."""
    for condition in conditions:
        if not condition.holds:
            raise refused(
                condition.check, condition.error, got=condition.got, expected=condition.expected
            )


@contextmanager
def open_evidence(
    evidence: Evidence, *, center: Center, source: ByteSource, locks: Locks, now: datetime
) -> Iterator[OpenedEvidence]:
    """Open evidence; raises `RefusedError` when its recipe cannot be read."""
    with tempfile.TemporaryDirectory(prefix="samebits-signer-") as folder:
        yield OpenedEvidence(
            evidence=evidence,
            loaded=_load(evidence, Path(folder)),
            center=center,
            source=source,
            locks=locks,
            now=now,
        )


def _load(evidence: Evidence, folder: Path) -> LoadedRecipe:
    """Parse the recipe, and put its script beside it, where a claim expects it."""
    try:
        document = parse_document(evidence.recipe.decode("utf-8"), file="the recipe")
        loaded = parse_recipe(document, folder / "recipe.yaml")
    except (RecipeError, UnicodeDecodeError) as error:
        raise refused("recipe", "the recipe cannot be read", got=error, expected=None) from error
    script = getattr(loaded.recipe.build, "script", None)
    if (script is None) != (evidence.script is None):
        raise refused(
            "script",
            "the script is not that of the recipe",
            got="a script" if evidence.script is not None else "none",
            expected=script or "none",
        )
    if script is not None and evidence.script is not None:
        path = folder / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(evidence.script)
    return loaded
