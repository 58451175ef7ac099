"""From the purl of a Debian source package to the recipe that rebuilds all that it ships.

Hypotheses are few and typed: the image with what Build-Depends names, and words of
DEB_BUILD_OPTIONS that debhelper documents. The first try at which every artefact is identical ends
the search; else the nearest is kept, with the causes that remain.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Outcome, Verdict
from builders.core.errors import ImageUnavailableError, InputMismatchError, InputUnavailableError
from builders.images.provide import claimed_digest
from builders.inputs.collect import collect_inputs
from builders.methods import METHODS
from builders.methods.method import launcher_bytes
from pipelines.infer.debian.buildinfo import BuildRecord
from pipelines.infer.debian.causes import Case, Cause, DebianCause, causes, failure, trimmed
from pipelines.infer.debian.draft import Attempt, debian_draft
from pipelines.infer.debian.image import (
    Lacking,
    base_image,
    exact_words,
    installed,
    lacking,
    nearest_image,
)
from pipelines.infer.debian.index import Index, SuiteIndex
from pipelines.infer.debian.record import RECORDED_BY, Recorded, recorded_package, understood
from pipelines.infer.debian.source import SourcePackage, find_source_package, source_locator
from pipelines.infer.debian.trail import Done, source_trail, untried_trail
from pipelines.infer.debian.tryout import ContainerSourceTryout, SourceTryout
from pipelines.infer.debian.versions import shown_strays, strays
from pipelines.infer.trail import (
    Trail,
    TrailFolder,
)
from pipelines.infer.wheel.draft import load_draft
from pipelines.infer.wheel.search import Limits
from pipelines.infer.wheel.tryout import bench
from pipelines.verify.progress import LogSink, Sink
from pipelines.verify.session import Session

RULES = 2
"""Raised whenever the search would go another way, so that old trails are not taken for new."""
_SHOWN = 3


def infer_debian(
    purl: str,
    shop: Session,
    limits: Limits | None = None,
    index: Index | None = None,
    record: BuildRecord | None = None,
) -> Trail:
    """Find a recipe for `pkg:deb/debian/NAME@VERSION?arch=source`, or what stands in its way.

    What a `record` of the build says is tried first. Raises `UsageError` for what is no such purl,
    or a record of something else; `InputUnavailableError` for a source that its suite does not
    list; `InputMismatchError` for a record of other files than those that are shipped;
    `RebuildError` where the center's own machinery fails.
    """
    limits = limits or Limits()
    locator = source_locator(purl)
    known = index or SuiteIndex(shop.states.of(locator.distro))
    recorded = understood(record, locator.name, locator.version) if record else None
    profiles = recorded.around.profiles if recorded else ()
    package = find_source_package(locator, known, profiles)
    if recorded:
        package = recorded_package(package, recorded)
    base = base_image(package.suite)
    basis = _basis(base, shop, record)
    kept = TrailFolder(shop.center.home, package.target)
    before = kept.load()
    if before and before.basis == basis and before.finished and _has_images(before, shop):
        return before
    if obstacle := _unavailable(package, base, shop):
        return untried_trail(package, "not available", obstacle)
    start = time.monotonic()
    trail = _found(package, base, known, shop, limits, recorded)
    spent = round(time.monotonic() - start, 3)
    trail = trail.model_copy(update={"seconds": spent, "basis": basis})
    kept.save(trail)
    return trail


def search(
    package: SourcePackage,
    first: Attempt,
    tryout: SourceTryout,
    limits: Limits,
    progress: Sink | None = None,
) -> Trail:
    """Try `first`, then what its result suggests, within the limits; the trail has no time yet."""
    until = time.monotonic() + limits.seconds
    queue, done = [first], list[Done]()
    while queue and len(done) < max(1, limits.tries):
        left = max(1, int(until - time.monotonic()))
        if done and left == 1:
            break
        attempt = queue.pop(0)
        shown = " ".join(attempt.options) or "no options"
        (progress or LogSink()).step(package.target.release, f"try {len(done) + 1}: {shown}")
        last = Done(attempt=attempt, tried=tryout.run(attempt, seconds=left))
        done.append(last)
        if last.identical:
            break
        seen = {each.attempt.options for each in done} | {each.options for each in queue}
        queue += [idea for idea in _ideas(package, last, tryout) if idea.options not in seen]
    best = min(done, key=lambda each: each.nearness)
    if best.identical:
        return source_trail(package, done, best, (), finished=True)
    found = tuple(_causes(package, best, tryout))
    ended = best.tried.outcome is not Outcome.TIMED_OUT
    return source_trail(package, done, best, found, finished=ended and not queue)


def _has_images(trail: Trail, shop: Session) -> bool:
    """Say whether the images of all tries are still known: a recipe must name one that is."""
    return all(shop.images.has_lock(str(each.values["image"])) for each in trail.tries)


def _unavailable(package: SourcePackage, base: str, shop: Session) -> Cause | None:
    """Fetch the source, and return why it cannot be had; None when it is there."""
    if not package.artefacts:
        name = DebianCause.ONLY_UDEBS if package.udebs else DebianCause.NOT_SHIPPED
        detail = ", ".join(package.udebs) or "no package of this version in the suite"
        return Cause(name=name, detail=detail)
    draft = debian_draft(package, Attempt(image=base, options=()))
    try:
        collect_inputs(load_draft(draft, shop.workdir), shop.vault, shop.fetcher, shop.workdir)
    except InputUnavailableError as error:
        return Cause(name=DebianCause.NOT_SERVED, detail=str(error))
    except InputMismatchError as error:
        return Cause(name=DebianCause.MISMATCH, detail=str(error))
    return None


def _found(
    package: SourcePackage,
    base: str,
    index: Index,
    shop: Session,
    limits: Limits,
    recorded: Recorded | None,
) -> Trail:
    have = installed(base, shop.images)
    short = lacking(package.needs, have, index)
    if obstacle := _obstacle(short):
        return untried_trail(package, "build failed", obstacle)
    wishes = [short.packages]
    listed = index.binaries(sorted(recorded.record.installed)) if recorded else ()
    if recorded:
        exact = exact_words(short.packages, strays(recorded.record, have, listed))
        wishes = list(dict.fromkeys((exact, *wishes)))
    try:
        image, added = nearest_image(base, wishes, shop, package.target.release)
    except (ImageUnavailableError, InputUnavailableError) as error:
        detail = f"{', '.join(short.packages)}: {error}"
        return untried_trail(
            package, "build failed", Cause(name=DebianCause.NO_IMAGE, detail=detail)
        )
    first = Attempt(image=image, options=("nocheck",), added=added)
    if recorded:
        first = first.with_record(recorded, installed(image, shop.images), listed)
    with bench(shop) as (run, folder):
        return search(
            package, first, ContainerSourceTryout(shop, package, run, folder), limits, shop.progress
        )


def _obstacle(short: Lacking) -> Cause | None:
    if short.unmet:
        return Cause(name=DebianCause.UNMET, detail=", ".join(short.unmet))
    if short.conflicts:
        return Cause(name=DebianCause.CONFLICT, detail=", ".join(short.conflicts))
    return None


def _ideas(package: SourcePackage, last: Done, tryout: SourceTryout) -> Iterator[Attempt]:
    """Yield what a try that was not identical suggests, likely ideas first."""
    options, tried = last.attempt.options, last.tried
    if tried.outcome is not Outcome.BUILT:
        return
    if "notrimdch" not in options and (seen := trimmed(tried.contrasts)):
        yield last.attempt.with_options(
            (*options, "notrimdch"),
            f"{seen} is longer as shipped: a newer debhelper cuts old entries",
        )
    # The tests may leave files behind; where all is explained without them, they did not.
    recorded = last.attempt.around.options
    if "nocheck" in options and _unexplained(package, last, tryout):
        rest = (option for option in options if option != "nocheck")
        whole = tuple(dict.fromkeys((*recorded, *rest)))
        yield last.attempt.with_options(whole, RECORDED_BY if recorded else "")


def _unexplained(package: SourcePackage, last: Done, tryout: SourceTryout) -> bool:
    return any(c.name is DebianCause.UNEXPLAINED for c in _causes(package, last, tryout))


def _causes(package: SourcePackage, done: Done, tryout: SourceTryout) -> Iterator[Cause]:
    tried = done.tried
    if tried.outcome is not Outcome.BUILT:
        yield failure(tried.outcome, tried.log, tried.reason)
        return
    if package.rebuilt_alone and done.attempt.around.entry is None:
        shown = ", ".join(f"{b.name} {b.version}" for b in package.rebuilt_alone[:_SHOWN])
        yield Cause(
            name=DebianCause.REBUILT_ALONE,
            detail=f"{shown}: the changelog entry of that rebuild is in no source",
        )
    if shown := shown_strays(done.attempt.strays, named=_SHOWN):
        yield Cause(name=DebianCause.RECORDED, detail=shown)
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


def _basis(base: str, shop: Session, record: BuildRecord | None) -> Digest:
    """Return a digest of what decides how a search goes, but the source and its suite."""
    method = "debian-binnmu" if record and record.entry else "debian"
    scripts = [launcher_bytes(), METHODS[method].script_bytes()]
    known = {
        "image": str(claimed_digest(base, shop.images)),
        "rules": RULES,
        "scripts": [str(Digest.of(script)) for script in scripts],
        **({"record": str(record.sha256)} if record else {}),
    }
    return Digest.of(canonical_json(known))
