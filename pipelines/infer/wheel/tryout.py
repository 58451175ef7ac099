"""One try of a hypothesis: a real rebuild in a container of its own, judged by digests alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from builders.build.clock_library import provide_library
from builders.build.outputs import OutputKind
from builders.build.plan import make_plan
from builders.build.rebuild import LOG, OUTPUTS, rebuild
from builders.build.result import RebuildResult
from builders.build.workspace import workspace
from builders.container.spec import RunLabels
from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import RebuildError
from builders.core.runid import RunId, new_run_id
from builders.images.provide import ensure_image
from builders.inputs.collect import collect_inputs
from builders.inputs.file import InputFile
from builders.recipe.recipe import LoadedRecipe
from pipelines.infer.wheel.draft import draft_text, load_draft
from pipelines.infer.wheel.hypothesis import Hypothesis
from pipelines.infer.wheel.target import Target
from pipelines.judge.compare import compare
from pipelines.judge.copied import InputFile as CheckedInput
from pipelines.judge.copied import check_inputs, contents
from pipelines.judge.facts import Coverage, Declared, Facts, InputCheck, Rebuilt
from pipelines.judge.finding import Finding
from pipelines.judge.look import FileFact
from pipelines.storage.foldercache import FolderCache
from pipelines.verify.session import Session

_TAIL = 1 << 16
_COVERAGE: dict[OutputKind, Coverage] = {
    OutputKind.ARTEFACT: "declared",
    OutputKind.BY_PRODUCT: "by-product",
    OutputKind.IGNORED: "ignored",
    OutputKind.UNEXPECTED: "unexpected",
}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How one try went; `seconds` of wall time."""

    outcome: Outcome
    verdict: Verdict
    reason: str
    seconds: float
    log: str = ""
    """The end of the build log."""
    rebuilt: Path | None = None
    """The wheel that was built, whatever its name; gone when the tries end."""


class Tryout(Protocol):
    """Tries hypotheses for one release."""

    def run(self, hypothesis: Hypothesis, *, seconds: int) -> Tried:
        """Rebuild within `seconds`, and judge."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One rebuild of a draft, judged; outputs lie in `folder` until the tries end."""

    rebuild: RebuildResult
    findings: tuple[Finding, ...]
    log: str
    folder: Path


class ContainerTryout:
    """Tries in containers of the center's engine; without scheduler, statements or evidence."""

    def __init__(self, shop: Session, target: Target, size: int, run: RunId, folder: Path) -> None:
        """Work in `folder`; the shipped file has `size` bytes and lies in the vault."""
        self._shop, self._target = shop, target
        self._served = {target.shipped.name: FileFact(sha256=target.shipped.sha256, size=size)}
        self._run, self._folder = run, folder
        self._count = 0

    def run(self, hypothesis: Hypothesis, *, seconds: int) -> Tried:
        """Rebuild within `seconds`, and judge; see `Tryout`."""
        start = time.monotonic()
        self._count += 1
        try:
            loaded = load_draft(draft_text(self._target, hypothesis), self._folder)
            folder = self._folder / f"try-{self._count}"
            judged = rebuild_draft(
                loaded, self._shop, self._run, folder, served=self._served, seconds=seconds
            )
        except RebuildError as error:
            if error.outcome in {Outcome.INFRASTRUCTURE_ERROR, Outcome.CANCELLED}:
                raise
            tried = Tried(
                outcome=error.outcome, verdict=Verdict.NOT_CHECKED, reason=str(error), seconds=0
            )
        else:
            wheels = [o.name for o in judged.rebuild.outputs if o.name.endswith(".whl")]
            tried = Tried(
                outcome=judged.rebuild.outcome,
                verdict=judged.findings[0].verdict,
                reason=judged.findings[0].reason,
                seconds=0,
                log=judged.log,
                rebuilt=judged.folder / wheels[0] if wheels else None,
            )
        return replace(tried, seconds=round(time.monotonic() - start, 3))


def rebuild_draft(
    loaded: LoadedRecipe,
    shop: Session,
    run: RunId,
    folder: Path,
    *,
    served: Mapping[str, FileFact],
    seconds: int,
) -> Judged:
    """Rebuild a draft once, in the new folder `folder`, and compare digests with those `served`.

    Raises `RebuildError`, as a rebuild does.
    """
    recipe = loaded.recipe
    limits = recipe.limits.model_copy(update={"time": max(1, min(seconds, recipe.limits.time))})
    loaded = loaded.model_copy(update={"recipe": recipe.model_copy(update={"limits": limits})})
    inputs = collect_inputs(loaded, shop.vault, shop.fetcher, shop.workdir)
    name = recipe.build.image
    with shop.image_lock(name):
        image = ensure_image(name, shop.images, shop.engine, shop.workdir)
    if recipe.build.clock is not None:
        provide_library(
            shop.images, shop.engine, shop.vault, shop.workdir, cancelled=shop.cancelled
        )
    plan = make_plan(loaded, inputs, script=None, cores=int(shop.budget.cpus))
    with shop.budget.share(
        cpus=plan.limits.cpus, memory=plan.limits.memory, cancelled=shop.cancelled
    ):
        shop.raise_if_cancelled()
        result = rebuild(
            loaded,
            plan,
            inputs,
            image=image.reference,
            vault=shop.vault,
            engine=shop.engine,
            folder=folder,
            labels=RunLabels(run=run, center=shop.center.id),
            cancelled=shop.cancelled,
        )
    published = {a.name: a.shipped.sha256 for a in recipe.artefacts}
    findings = compare(
        Facts(
            outcome=result.outcome,
            outcome_reason=result.reason or "",
            declared=tuple(Declared(name=n, published=d) for n, d in published.items()),
            rebuilt=tuple(
                Rebuilt(
                    name=o.name,
                    file=FileFact(sha256=o.sha256, size=o.size),
                    coverage=_COVERAGE[o.part],
                )
                for o in result.outputs
            ),
            served=served,
            inputs=_copied(shop, inputs, published),
        )
    )
    log = (folder / LOG).read_bytes()[-_TAIL:].decode("utf-8", "replace")
    shutil.rmtree(folder / "inputs", ignore_errors=True)
    return Judged(rebuild=result, findings=findings, log=log, folder=folder / OUTPUTS)


def _copied(
    shop: Session, inputs: tuple[InputFile, ...], published: Mapping[str, Digest]
) -> InputCheck:
    """Look for the shipped files in what the build could read, as every verification does."""
    cache = FolderCache(shop.center.home / "cache" / "contents")
    scanned = []
    for item in inputs:
        checked = CheckedInput(
            role=item.role,
            name=item.name,
            digest=item.sha256,
            open=partial(shop.vault.open, item.sha256),
        )
        scanned.append((checked, contents(checked, cache=cache)))
    return check_inputs(scanned, published)


@contextmanager
def bench(shop: Session) -> Iterator[tuple[RunId, Path]]:
    """Yield a run and its folder; whatever it leaves, containers too, is cleared away."""
    run = new_run_id()
    with workspace(shop.center.runs, run) as folder:
        try:
            yield run, folder
        finally:
            shop.engine.sweep(run)
