"""From the purl of a Debian source package to the recipe that rebuilds all that it ships.

Hypotheses are few and typed: the image with what Build-Depends names, and words of
DEB_BUILD_OPTIONS that debhelper documents. The first try at which every artefact is identical ends
the search; else the nearest is kept, with the causes that remain.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from builders.digest import Digest, canonical_json
from builders.errors import ImageUnavailableError, InputMismatchError, InputUnavailableError
from builders.images.provide import claimed_digest
from builders.inputs import gather
from builders.methods import METHODS
from builders.methods.method import launcher_bytes
from builders.words import Outcome, Verdict
from pipelines import progress
from pipelines.infer.debiancauses import Case, Cause, DebianCause, causes, failure, trimmed
from pipelines.infer.debiandraft import Attempt, debian_draft
from pipelines.infer.debianimage import Lacking, base_image, image_with, installed, lacking
from pipelines.infer.debianindex import Index, SuiteIndex
from pipelines.infer.debiansource import SourcePackage, find_source_package, source_locator
from pipelines.infer.debiantryout import (
    ContainerSourceTryout,
    SourceTryout,
    TriedSource,
)
from pipelines.infer.draft import load_draft
from pipelines.infer.search import Limits
from pipelines.infer.trail import (
    LOG_KEPT,
    CauseRecord,
    ScalarRecord,
    Status,
    Trail,
    TrailFolder,
    TryRecord,
)
from pipelines.infer.tryout import bench
from pipelines.judge.finding import worst
from pipelines.workshop import Workshop

RULES = 1
"""Raised whenever the search would go another way, so that old trails are not taken for new."""
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class _Done:
    """One try that is over."""

    attempt: Attempt
    tried: TriedSource

    @property
    def identical(self) -> bool:
        return self.tried.outcome is Outcome.BUILT and (
            worst(self.tried.findings) is Verdict.IDENTICAL
        )

    @property
    def nearness(self) -> tuple[bool, int, int]:
        """Return what orders tries, the nearest first."""
        same = sum(f.verdict is Verdict.IDENTICAL for f in self.tried.findings)
        off = sum(len(contrast.paths()) for contrast in self.tried.contrasts)
        return self.tried.outcome is not Outcome.BUILT, -same, off


def infer_debian(
    purl: str, shop: Workshop, limits: Limits | None = None, index: Index | None = None
) -> Trail:
    """Find a recipe for `pkg:deb/debian/NAME@VERSION?arch=source`, or what stands in its way.

    Raises `UsageError` for what is no such purl, `InputUnavailableError` for a source that its
    suite does not list, `RebuildError` where the center's own machinery fails.
    """
    limits = limits or Limits()
    locator = source_locator(purl)
    known = index or SuiteIndex(shop.states.of(locator.distro))
    package = find_source_package(locator, known)
    base = base_image(package.suite)
    basis = _basis(base, shop)
    kept = TrailFolder(shop.center.home, package.target)
    before = kept.load()
    if before and before.basis == basis and before.finished and _has_images(before, shop):
        return before
    if obstacle := _unavailable(package, base, shop):
        return _without(package, "not available", obstacle)
    start = time.monotonic()
    trail = _found(package, base, known, shop, limits)
    spent = round(time.monotonic() - start, 3)
    trail = trail.model_copy(update={"seconds": spent, "basis": basis})
    kept.save(trail)
    return trail


def search(package: SourcePackage, first: Attempt, tryout: SourceTryout, limits: Limits) -> Trail:
    """Try `first`, then what its result suggests, within the limits; the trail has no time yet."""
    until = time.monotonic() + limits.seconds
    queue, done = [first], list[_Done]()
    while queue and len(done) < max(1, limits.tries):
        left = max(1, int(until - time.monotonic()))
        if done and left == 1:
            break
        attempt = queue.pop(0)
        shown = " ".join(attempt.options) or "no options"
        progress.sink().step(package.target.release, f"try {len(done) + 1}: {shown}")
        last = _Done(attempt=attempt, tried=tryout.run(attempt, seconds=left))
        done.append(last)
        if last.identical:
            break
        seen = {each.attempt.options for each in done} | {each.options for each in queue}
        queue += [idea for idea in _ideas(package, last, tryout) if idea.options not in seen]
    best = min(done, key=lambda each: each.nearness)
    if best.identical:
        return _trail(package, done, best, (), finished=True)
    found = tuple(_causes(package, best, tryout))
    ended = best.tried.outcome is not Outcome.TIMED_OUT
    return _trail(package, done, best, found, finished=ended and not queue)


def _has_images(trail: Trail, shop: Workshop) -> bool:
    """Say whether the images of all tries are still known: a recipe must name one that is."""
    return all(shop.images.has_lock(str(each.values["image"])) for each in trail.tries)


def _unavailable(package: SourcePackage, base: str, shop: Workshop) -> Cause | None:
    """Fetch the source, and return why it cannot be had; None when it is there."""
    if not package.artefacts:
        name = DebianCause.ONLY_UDEBS if package.udebs else DebianCause.NOT_SHIPPED
        detail = ", ".join(package.udebs) or "no package of this version in the suite"
        return Cause(name=name, detail=detail)
    draft = debian_draft(package, Attempt(image=base, options=()))
    try:
        gather(load_draft(draft, shop.workdir), shop.vault, shop.fetcher, shop.workdir)
    except InputUnavailableError as error:
        return Cause(name=DebianCause.NOT_SERVED, detail=str(error))
    except InputMismatchError as error:
        return Cause(name=DebianCause.MISMATCH, detail=str(error))
    return None


def _found(
    package: SourcePackage, base: str, index: Index, shop: Workshop, limits: Limits
) -> Trail:
    short = lacking(package.needs, installed(base, shop.images), index)
    if obstacle := _obstacle(short):
        return _without(package, "build failed", obstacle)
    try:
        image = image_with(base, short.packages, shop, package.target.release)
    except (ImageUnavailableError, InputUnavailableError) as error:
        detail = f"{', '.join(short.packages)}: {error}"
        return _without(package, "build failed", Cause(name=DebianCause.NO_IMAGE, detail=detail))
    first = Attempt(image=image, options=("nocheck",), added=short.packages)
    with bench(shop) as (run, folder):
        return search(package, first, ContainerSourceTryout(shop, package, run, folder), limits)


def _obstacle(short: Lacking) -> Cause | None:
    if short.unmet:
        return Cause(name=DebianCause.UNMET, detail=", ".join(short.unmet))
    if short.conflicts:
        return Cause(name=DebianCause.CONFLICT, detail=", ".join(short.conflicts))
    return None


def _ideas(package: SourcePackage, last: _Done, tryout: SourceTryout) -> Iterator[Attempt]:
    """Yield what a try that was not identical suggests, likely ideas first."""
    options, tried = last.attempt.options, last.tried
    if tried.outcome is not Outcome.BUILT:
        return
    if "notrimdch" not in options and (seen := trimmed(tried.contrasts)):
        yield replace(
            last.attempt,
            options=(*options, "notrimdch"),
            evidence=f"{seen} is longer as shipped: a newer debhelper cuts old entries",
        )
    # The tests may leave files behind; where all is explained without them, they did not.
    if "nocheck" in options and _unexplained(package, last, tryout):
        yield replace(last.attempt, options=tuple(o for o in options if o != "nocheck"))


def _unexplained(package: SourcePackage, last: _Done, tryout: SourceTryout) -> bool:
    return any(c.name is DebianCause.UNEXPLAINED for c in _causes(package, last, tryout))


def _causes(package: SourcePackage, done: _Done, tryout: SourceTryout) -> Iterator[Cause]:
    tried = done.tried
    if tried.outcome is not Outcome.BUILT:
        yield failure(tried.outcome, tried.log, tried.reason)
        return
    if package.rebuilt_alone:
        shown = ", ".join(f"{b.name} {b.version}" for b in package.rebuilt_alone[:_SHOWN])
        yield Cause(
            name=DebianCause.REBUILT_ALONE,
            detail=f"{shown}: the changelog entry of that rebuild is in no source",
        )
    if tried.contrasts:
        yield from causes(Case(contrasts=tried.contrasts, tools=tryout.tools(done.attempt)))
    alone = {b.file_name for b in package.rebuilt_alone}
    twins = {
        f"{b.name}_{_plain(b.source_version)}_{b.architecture}.deb" for b in package.rebuilt_alone
    }
    for finding in tried.findings:
        if finding.verdict is Verdict.MISSING and finding.name not in alone:
            yield Cause(name=DebianCause.MISSING, detail=finding.name)
        elif finding.verdict is Verdict.UNEXPECTED and finding.name not in twins:
            yield Cause(name=DebianCause.UNEXPECTED, detail=finding.name)
        elif finding.verdict is Verdict.NOT_CHECKED:
            yield Cause(name=DebianCause.UNEXPLAINED, detail=f"{finding.name}: {finding.reason}")


def _plain(version: str) -> str:
    return version.partition(":")[2] or version


def _basis(base: str, shop: Workshop) -> Digest:
    """Return a digest of what decides how a search goes, but the source and its suite."""
    scripts = [launcher_bytes(), METHODS["debian"].script_bytes()]
    known = {
        "image": str(claimed_digest(base, shop.images)),
        "rules": RULES,
        "scripts": [str(Digest.of(script)) for script in scripts],
    }
    return Digest.of(canonical_json(known))


def _without(package: SourcePackage, status: Status, cause: Cause) -> Trail:
    """Return the trail of a source that could not be tried."""
    return Trail(
        release=package.target.release,
        artefact=", ".join(pin.name for pin in package.artefacts),
        shipped=package.target.shipped.sha256,
        source=package.target.source.sha256,
        status=status,
        finished=True,
        reason=f"{cause.name}: {cause.detail}",
        notes=package.target.notes,
        causes=(CauseRecord(name=cause.name, detail=cause.detail),),
    )


def _trail(
    package: SourcePackage,
    done: Sequence[_Done],
    best: _Done,
    found: tuple[Cause, ...],
    *,
    finished: bool,
) -> Trail:
    built: Status = "identical" if best.identical else "different"
    status: Status = built if best.tried.outcome is Outcome.BUILT else "build failed"
    scalars = best.attempt.scalars()
    return Trail(
        release=package.target.release,
        artefact=", ".join(pin.name for pin in package.artefacts),
        shipped=package.target.shipped.sha256,
        source=package.target.source.sha256,
        status=status,
        finished=finished,
        reason=_reason(best),
        notes=package.target.notes,
        scalars=tuple(
            ScalarRecord(name=s.name, value=s.value, bits=s.bits, evidence=s.evidence)
            for s in scalars
        ),
        bits=sum(s.bits for s in scalars),
        causes=tuple(CauseRecord(name=c.name, detail=c.detail) for c in found),
        tries=tuple(_record(number, each) for number, each in enumerate(done, start=1)),
        recipe=debian_draft(package, best.attempt, identical=best.identical, remaining=found),
    )


def _record(number: int, done: _Done) -> TryRecord:
    tried = done.tried
    return TryRecord(
        number=number,
        claim=tried.claim,
        values=done.attempt.values(),
        bits=sum(s.bits for s in done.attempt.scalars()),
        outcome=tried.outcome,
        verdict=worst(tried.findings),
        reason=_reason(done),
        seconds=tried.seconds,
        log="" if tried.outcome is Outcome.BUILT else tried.log[-LOG_KEPT:],
    )


def _reason(done: _Done) -> str:
    tried = done.tried
    if tried.outcome is not Outcome.BUILT:
        return tried.reason or str(tried.outcome)
    off = [f for f in tried.findings if f.verdict is not Verdict.IDENTICAL]
    return "; ".join(f"{f.name}: {f.reason}" for f in off[:_SHOWN]) or "same SHA-256"
