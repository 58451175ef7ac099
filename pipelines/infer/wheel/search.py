"""The search: likely hypotheses first, each tried in a real rebuild, until one is identical.

It is bounded in tries and time, and deterministic: the order of hypotheses depends on the release,
the index, the images and the outcome of earlier tries alone. Nothing of the shipped file reaches a
build but the typed scalars of a hypothesis, and those are counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from builders.core.enums import Outcome, Verdict
from builders.core.errors import InputUnavailableError, RebuildError, SamebitsError, StoreError
from builders.images.provide import claimed_digest
from builders.locators.packageindex import ProjectReader
from builders.recipe.claim import claim_of
from pipelines.infer.basis import basis
from pipelines.infer.trail import (
    LOG_KEPT,
    CauseRecord,
    DifferenceRecord,
    ScalarRecord,
    Trail,
    TrailFolder,
    TryRecord,
)
from pipelines.infer.wheel.causes import hopeless
from pipelines.infer.wheel.differences import Differences, compare_wheels
from pipelines.infer.wheel.draft import draft_text, load_draft
from pipelines.infer.wheel.first import clues_of, first
from pipelines.infer.wheel.hypothesis import MAX_BITS, Hypothesis, Scalar
from pipelines.infer.wheel.pythons import python_images
from pipelines.infer.wheel.refine import Idea, Last, Refiner
from pipelines.infer.wheel.sdist import read_sdist
from pipelines.infer.wheel.shipped import read_wheel
from pipelines.infer.wheel.summary import head_lines, judged
from pipelines.infer.wheel.target import Pin, Target, check_twins, copy_out, dated, fetch
from pipelines.infer.wheel.toolchain import KNOWN_SETUPTOOLS, Resolver
from pipelines.infer.wheel.tryout import ContainerTryout, Tried, Tryout, bench
from pipelines.infer.wheel.zones import ZONES
from pipelines.verify.session import Session

_RETRIED = frozenset({Outcome.INFRASTRUCTURE_ERROR, Outcome.CANCELLED})
# What was built under another name is compared too: the name may be all that differs.
_COMPARED = frozenset({Verdict.DIFFERENT, Verdict.MISSING})
_VERSIONS = 64
"""Versions of a tool among which one is chosen, for counting bits."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a search may use; `seconds` of wall time, for all tries together and for one."""

    tries: int = 16
    seconds: int = 300
    one: int = 120


@dataclass(frozen=True, kw_only=True)
class _Done:
    """One try that is over."""

    idea: Idea
    record: TryRecord
    differences: Differences | None

    @property
    def weight(self) -> float:
        """Return how far from identical it ended; a build that failed is the furthest."""
        if self.record.verdict is Verdict.IDENTICAL:
            return -1
        return self.differences.weight if self.differences else float("inf")


def infer(
    target: Target, shop: Session, index: ProjectReader, limits: Limits | None = None
) -> Trail:
    """Search a recipe for `target`, and keep the trail of it.

    Raises `InfrastructureError` and `CancelledError`; whatever else is wrong with a release is the
    status of its trail.
    """
    limits = limits or Limits()
    kept = TrailFolder(shop.center.home, target)
    start, base = time.monotonic(), basis(shop)
    known = kept.load()
    if known and known.basis != base:
        known = None
    if known and known.finished:
        return known

    def timed(trail: Trail) -> Trail:
        seconds = round(time.monotonic() - start, 3)
        return trail.model_copy(update={"seconds": seconds, "basis": base})

    try:
        check_twins(target)
        fetch([target.shipped, target.source], shop.vault, shop.fetcher, shop.workdir)
        with bench(shop) as (run, folder):
            size = shop.vault.verify(target.shipped.sha256)
            tryout = ContainerTryout(shop, target, size, run, folder)
            search = Search(target, shop, index, tryout, folder, limits, known)
            trail = timed(search.run(lambda so_far: kept.save(timed(so_far))))
    except RebuildError as error:
        if error.outcome in _RETRIED or isinstance(error, StoreError):
            raise
        return timed(unavailable(target, error))  # not kept: it may be served tomorrow
    kept.save(trail)
    return trail


def unavailable(target: Target, error: SamebitsError) -> Trail:
    """Return the trail of a release that cannot be tried, with the one reason why."""
    return Trail(
        release=target.release,
        artefact=target.shipped.name,
        shipped=target.shipped.sha256,
        source=target.source.sha256,
        status="not available",
        finished=True,
        reason=str(error),
        notes=target.notes,
    )


class Search:
    """One search; `known` is the trail of an earlier one, whose tries are not repeated.

    Raises `InputMismatchError` for files that cannot be read, `InputUnavailableError` for a backend
    that is not known here.
    """

    def __init__(
        self,
        target: Target,
        shop: Session,
        index: ProjectReader,
        tryout: Tryout,
        folder: Path,
        limits: Limits,
        known: Trail | None,
    ) -> None:
        self._target, self._shop, self._tryout = target, shop, tryout
        self._folder, self._limits = folder, limits
        self._remembered = {r.claim: r for r in known.tries} if known else {}
        self._shipped_file = copy_out(shop.vault, target.shipped.sha256, folder / "facts")
        self._shipped = read_wheel(self._shipped_file, target.shipped.name)
        source_file = copy_out(shop.vault, target.source.sha256, folder / "facts")
        source = read_sdist(source_file, target.source.name)
        newest = max((m.mtime or 0 for m in self._shipped.files()), default=0)
        images = python_images(shop.images)
        self._clues = clues_of(self._shipped, source, dated(target, newest), images)
        self._index = index
        self.use_tools(self._wheel_of)

    def use_tools(self, wheel_of: Callable[[Pin], Path]) -> None:
        """Take the wheels of tools from `wheel_of`, by default the vault and the index."""
        self._resolver = Resolver(self._index, wheel_of, without=self._target.product)

    def run(self, keep: Callable[[Trail], object] = lambda _: None) -> Trail:
        """Try until identical, or until ideas, tries or time run out.

        `keep` gets the trail so far after every try, so that a search that is stopped loses none.
        """
        refiner = Refiner(self._clues, self._resolver)
        queue = [Idea(hypothesis=first(self._clues, self._resolver))]
        seen: set[str] = set()
        done: list[_Done] = []
        deadline = time.monotonic() + self._limits.seconds
        finished = True
        while queue:
            idea = queue.pop(0)
            if idea.hypothesis.key in seen or self._bits(idea.hypothesis) > MAX_BITS:
                continue
            if len(done) >= self._limits.tries or time.monotonic() >= deadline:
                finished = False
                break
            seen.add(idea.hypothesis.key)
            seconds = min(self._limits.one, max(1, int(deadline - time.monotonic())))
            now, tried = self._one(idea, len(done) + 1, seconds)
            better = not done or now.weight < min(d.weight for d in done)
            done.append(now)
            keep(self._trail(done, finished=False))
            if now.record.verdict is Verdict.IDENTICAL:
                break
            if now.differences is not None and hopeless(self._clues, now.differences):
                break
            last = Last(
                hypothesis=idea.hypothesis,
                tried=tried,
                differences=now.differences,
                requirements=idea.requirements,
            )
            # What came no nearer teaches nothing new; as long as nothing was built, all counts.
            if better or all(d.differences is None for d in done):
                queue = [*refiner.ideas(last), *queue]
        return self._trail(done, finished=finished)

    def _one(self, idea: Idea, number: int, seconds: int) -> tuple[_Done, Tried]:
        loaded = load_draft(draft_text(self._target, idea.hypothesis), self._folder)
        image = claimed_digest(idea.hypothesis.image, self._shop.images)
        claim = claim_of(loaded, image).digest
        self._shop.progress.step(self._target.release, f"try {number}: {_shown(idea.hypothesis)}")
        if old := self._remembered.get(claim):
            tried = Tried(
                outcome=old.outcome, verdict=old.verdict, reason=old.reason, seconds=0, log=old.log
            )
            differences = _differences(old.differences)
            record = old.model_copy(update={"number": number})
            return _Done(idea=idea, record=record, differences=differences), tried
        tried = self._tryout.run(idea.hypothesis, seconds=seconds)
        differences = self._compared(tried)
        record = TryRecord(
            number=number,
            claim=claim,
            values=idea.hypothesis.values(),
            bits=self._bits(idea.hypothesis),
            outcome=tried.outcome,
            verdict=tried.verdict,
            reason=tried.reason,
            seconds=tried.seconds,
            log="" if tried.outcome is Outcome.BUILT else tried.log[-LOG_KEPT:],
            differences=DifferenceRecord(**asdict(differences)) if differences else None,
        )
        return _Done(idea=idea, record=record, differences=differences), tried

    def _compared(self, tried: Tried) -> Differences | None:
        if tried.rebuilt is None or tried.verdict not in _COMPARED:
            return None
        try:
            rebuilt = read_wheel(tried.rebuilt, tried.rebuilt.name)
        except RebuildError:
            return None
        return compare_wheels(self._shipped, self._shipped_file, rebuilt, tried.rebuilt)

    def _trail(self, done: list[_Done], *, finished: bool) -> Trail:
        if not done:
            raise InputUnavailableError(
                "too much would have to be inferred",
                got=f"more than {MAX_BITS:g} bits",
                expected="fewer: more would be copying",
                todo="Write the recipe by hand",
            )
        best = min(done, key=lambda d: d.weight)
        status, found = judged(self._clues, best.record, best.differences)
        scalars = self._scalars(best.idea.hypothesis)
        bits = round(sum(s.bits for s in scalars), 1)
        return Trail(
            release=self._target.release,
            artefact=self._target.shipped.name,
            shipped=self._target.shipped.sha256,
            source=self._target.source.sha256,
            status=status,
            finished=finished,
            reason=best.record.reason,
            notes=(*self._target.notes, *self._shipped.record_faults[:3]),
            scalars=tuple(ScalarRecord(**asdict(s)) for s in scalars),
            bits=bits,
            causes=tuple(CauseRecord(name=f.name, detail=f.detail) for f in found),
            tries=tuple(d.record for d in done),
            recipe=draft_text(
                self._target,
                best.idea.hypothesis,
                verdict=best.record.verdict,
                scalars=scalars,
                head=head_lines(self._target, self._clues, status, len(done), bits, found),
            ),
        )

    def _scalars(self, hypothesis: Hypothesis) -> tuple[Scalar, ...]:
        return hypothesis.scalars(
            images=len(self._clues.images),
            zones=len(ZONES),
            versions=max(_VERSIONS, len(KNOWN_SETUPTOOLS)),
            files=len(self._clues.source.files),
        )

    def _bits(self, hypothesis: Hypothesis) -> float:
        return round(sum(s.bits for s in self._scalars(hypothesis)), 1)

    def _wheel_of(self, pin: Pin) -> Path:
        fetch([pin], self._shop.vault, self._shop.fetcher, self._shop.workdir)
        return copy_out(self._shop.vault, pin.sha256, self._folder / "tools")


def _shown(hypothesis: Hypothesis) -> str:
    values = hypothesis.values()
    tools = ", ".join(f"{k} {v}" for k, v in values.pop("tools").items())
    kept = [f"{k} {v}" for k, v in values.items() if v and k != "image"]
    return "; ".join([values["image"], tools, *kept])


def _differences(record: DifferenceRecord | None) -> Differences | None:
    return Differences(**record.model_dump()) if record else None
