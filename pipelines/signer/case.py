"""Evidence opened: the recipe parsed, and all that the checks need at hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from builders.build.result import RebuildResult
from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.core.yamlfile import parse_document
from builders.images.lock import ImageLock
from builders.recipe.recipe import LoadedRecipe, Recipe, parse_recipe
from pipelines.center.center import Center
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.report import Report
from pipelines.evidence.statements.run import Run
from pipelines.judge.copied import ContentsCache
from pipelines.judge.finding import Finding
from pipelines.signer.bytesource import ByteSource
from pipelines.signer.evidence import Evidence

SKEW = timedelta(minutes=5)
MAX_RUN = timedelta(days=30)

Locks = Callable[[str], ImageLock | None]
"""From the image of a recipe to its lock; None for `name@sha256:...`, which has none."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run before the signer."""

    evidence: Evidence
    loaded: LoadedRecipe
    center: Center
    source: ByteSource
    locks: Locks
    cache: ContentsCache | None
    now: datetime

    @property
    def report(self) -> Report:
        """What is claimed to have been found."""
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
        """Everything that was built, by what messages call it: attempts, then a moved rebuild."""
        moved = self.evidence.moved
        return (
            *((f"attempt {a.number}", a.rebuild) for a in self.report.attempts),
            *([("the moved rebuild", moved.rebuild)] if moved else []),
        )

    @cached_property
    def found(self) -> tuple[Finding, ...]:
        """The findings that the judge comes to by itself."""
        from pipelines.signer.recompute import findings  # noqa: PLC0415  # it needs this module

        return findings(self)


@contextmanager
def opened(
    evidence: Evidence,
    *,
    center: Center,
    source: ByteSource,
    locks: Locks,
    cache: ContentsCache | None,
    now: datetime,
) -> Iterator[Case]:
    """Open evidence; raises `RefusedError` when its recipe cannot be read."""
    with tempfile.TemporaryDirectory(prefix="samebits-signer-") as folder:
        loaded = _load(evidence, Path(folder))
        yield Case(
            evidence=evidence,
            loaded=loaded,
            center=center,
            source=source,
            locks=locks,
            cache=cache,
            now=now,
        )


def _load(evidence: Evidence, folder: Path) -> LoadedRecipe:
    """Parse the recipe, and lay its script beside it, where a claim looks for it."""
    try:
        document = parse_document(evidence.recipe.decode("utf-8"), file="the recipe")
        loaded = parse_recipe(document, folder / "recipe.yaml")
    except (RecipeError, UnicodeDecodeError) as error:
        raise RefusedError("the recipe cannot be read", check="recipe", got=error) from error
    script = getattr(loaded.recipe.build, "script", None)
    if (script is None) != (evidence.script is None):
        raise RefusedError(
            "the script is not that of the recipe",
            check="script",
            got="a script" if evidence.script is not None else "none",
            expected=script or "none",
        )
    if script is not None and evidence.script is not None:
        path = folder / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(evidence.script)
    return loaded
