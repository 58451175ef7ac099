"""The search for the recipe of a Debian source package, rebuilt to all that it ships.

Hypotheses are few and typed: the image with the build dependencies, and words of DEB_BUILD_OPTIONS
that debhelper documents. What a .buildinfo recorded is tried first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import ImageUnavailableError, InputMismatchError, InputUnavailableError
from builders.images import ImageCatalogue
from builders.images.provide import claimed_digest
from builders.inputs.collect import collect_inputs
from builders.methods import METHODS
from builders.methods.method import launcher_bytes
from pipelines.infer.debian.buildinfo import BuildRecord
from pipelines.infer.debian.causes import DebianCause, build_failure, debian_causes, first_trimmed
from pipelines.infer.debian.comparison import DatedTool, PackagePair, compare_packages, dated_tools
from pipelines.infer.debian.hypothesis import (
    DebianHypothesis,
    base_image,
    debian_draft,
    draft_notes,
    first_image,
    installed,
    missing_packages,
    pinned_packages,
    show_mismatches,
    version_mismatches,
)
from pipelines.infer.debian.recorded import (
    RECORDED_BY,
    check_record,
    recorded_environment,
    with_record,
)
from pipelines.infer.debian.source import (
    AptIndex,
    PackageIndex,
    SourcePackage,
    deb_name,
    find_source_package,
    source_locator,
)
from pipelines.infer.journal import (
    DraftReview,
    JournalFile,
    RemainingCause,
    Scalar,
    SearchJournal,
    Status,
    basis_digest,
)
from pipelines.infer.search import SearchLimits, SearchStrategy, Trial, search
from pipelines.infer.trial import TrialResult, TrialWorkspace, load_draft, trial_workspace
from pipelines.judge.finding import worst_verdict
from pipelines.verify.session import Session

# Raised whenever the search would go another way, so that old journals are not reused.
RULES = 2
_SHOWN = 3
DebianTrial = Trial[DebianHypothesis]


def infer_debian(
    purl: str,
    session: Session,
    limits: SearchLimits | None = None,
    index: PackageIndex | None = None,
    record: BuildRecord | None = None,
) -> SearchJournal:
    """Search a recipe for `pkg:deb/debian/NAME@VERSION?arch=source`, and keep the journal.

    Raises `UsageError` for another purl, or the record of another release;
    `InputUnavailableError` for a source that its suite does not list; `InputMismatchError` for a
    record of other files than those that are shipped; `RebuildError` where the center's own
    machinery fails.
    """
    locator = source_locator(purl)
    index = index or AptIndex(session.states.of(locator.distro))
    if record is None:
        package = find_source_package(locator, index)
    else:
        check_record(record, locator.name, locator.version)
        profiles = recorded_environment(record).profiles
        package = with_record(find_source_package(locator, index, profiles), record)
    base = base_image(package.suite)
    basis = debian_basis(base, session.images, record)
    file = JournalFile(session.center.home, package.target, basis)
    known = file.load()
    if known and known.finished and _has_images(known, session.images):
        return known
    if unserved := _fetch(package, base, session):  # not kept: it may be served tomorrow
        return unserved
    limits = limits or SearchLimits()
    return file.save(_search(package, base, index, session, limits, record))


def debian_basis(base: str, images: ImageCatalogue, record: BuildRecord | None) -> Digest:
    """Return the digest of all that decides a search, but the source and its suite."""
    method = "debian-binnmu" if record and record.entry else "debian"
    recorded = {"record": str(record.sha256)} if record else {}
    return basis_digest(
        RULES,
        [launcher_bytes(), METHODS[method].script_bytes()],
        image=str(claimed_digest(base, images)),
        **recorded,
    )


class DebianStrategy(SearchStrategy[DebianHypothesis]):
    """Searches the options with which a source package is rebuilt to its shipped packages."""

    def __init__(
        self, package: SourcePackage, first: DebianHypothesis, workspace: TrialWorkspace
    ) -> None:
        """Begin with `first`."""
        super().__init__(package.target, workspace)
        self._package, self._first = package, first
        self.notes = draft_notes(package, first)
        self._pairs_of: dict[int, tuple[PackagePair, ...]] = {}

    def first(self) -> DebianHypothesis:
        """Return the hypothesis to begin with."""
        return self._first

    def next(
        self, trials: Sequence[DebianTrial], queue: Sequence[DebianHypothesis]
    ) -> list[DebianHypothesis]:
        """Append what the last trial suggests."""
        return [*queue, *self._suggestions(trials[-1])]

    def _suggestions(self, trial: DebianTrial) -> Iterator[DebianHypothesis]:
        hypothesis, options = trial.hypothesis, trial.hypothesis.options
        if trial.record.outcome is not Outcome.BUILT:
            return
        if "notrimdch" not in options and (path := first_trimmed(self._pairs(trial))):
            reason = f"{path} is longer as shipped: a newer debhelper cuts old entries"
            yield hypothesis.with_options((*options, "notrimdch"), reason)
        # The tests may leave files behind; where all is explained without them, they did not.
        names = {cause.name for cause in self.causes(trial)} if "nocheck" in options else set()
        if DebianCause.UNEXPLAINED in names:
            recorded = hypothesis.environment.options
            rest = (option for option in options if option != "nocheck")
            whole = tuple(dict.fromkeys((*recorded, *rest)))
            yield hypothesis.with_options(whole, RECORDED_BY if recorded else "")

    def scalars(self, hypothesis: DebianHypothesis) -> tuple[Scalar, ...]:
        """Return the values that were recorded, or chosen by looking at the shipped files."""
        return hypothesis.scalars()

    def judge(self, result: TrialResult) -> tuple[Verdict, str]:
        """Return the worst verdict, and the reasons of those that are not identical."""
        worst = worst_verdict(f.verdict for f in result.findings)
        if result.outcome is not Outcome.BUILT:
            return worst, result.reason or str(result.outcome)
        off = [f for f in result.findings if f.verdict is not Verdict.IDENTICAL]
        reason = "; ".join(f"{f.name}: {f.reason}" for f in off[:_SHOWN])
        return worst, reason or "same SHA-256"

    def distance(self, trial: DebianTrial) -> tuple[float, ...]:
        """Compare by the number of identical packages, then of members that differ."""
        same = sum(f.verdict is Verdict.IDENTICAL for f in trial.result.findings)
        off = sum(len(pair.paths()) for pair in self._pairs(trial))
        return trial.record.outcome is not Outcome.BUILT, -same, off

    def is_final(self, trial: DebianTrial) -> bool:
        """Say whether the trial ended before its time, which is all that the search had."""
        return trial.record.outcome is not Outcome.TIMED_OUT

    def draft(self, hypothesis: DebianHypothesis, review: DraftReview | None = None) -> str:
        """Return the recipe of a hypothesis."""
        return debian_draft(self._package, hypothesis, review)

    def causes(self, trial: DebianTrial) -> tuple[RemainingCause, ...]:
        """Return the causes that packages, findings or the build log show."""
        result = trial.result
        if result.outcome is not Outcome.BUILT:
            return (build_failure(result.outcome, result.log, result.reason),)
        rows = [*self._known_causes(trial.hypothesis)]
        if pairs := self._pairs(trial):
            rows += debian_causes(pairs, self.tools(trial.hypothesis))
        return (*rows, *self._causes_of_findings(result))

    def _known_causes(self, hypothesis: DebianHypothesis) -> Iterator[RemainingCause]:
        """Yield the causes that were known before anything was built."""
        binnmus = self._package.binnmus
        if binnmus and hypothesis.environment.entry is None:
            names = ", ".join(f"{b.name} {b.version}" for b in binnmus[:_SHOWN])
            detail = f"{names}: the changelog entry of that rebuild is in no source"
            yield RemainingCause(name=DebianCause.REBUILT_ALONE, detail=detail)
        if detail := show_mismatches(hypothesis.mismatches, named=_SHOWN):
            yield RemainingCause(name=DebianCause.RECORDED, detail=detail)

    def _causes_of_findings(self, result: TrialResult) -> Iterator[RemainingCause]:
        """Yield a cause for each package without a match; a binNMU has another version."""
        binnmus = self._package.binnmus
        shipped = {binary.file_name for binary in binnmus}
        rebuilt = {deb_name(b.name, b.source_version, b.architecture) for b in binnmus}
        for finding in result.findings:
            name, verdict = finding.name, finding.verdict
            if verdict is Verdict.MISSING and name not in shipped:
                yield RemainingCause(name=DebianCause.MISSING, detail=name)
            elif verdict is Verdict.UNEXPECTED and name not in rebuilt:
                yield RemainingCause(name=DebianCause.UNEXPECTED, detail=name)
            elif verdict is Verdict.NOT_CHECKED:
                detail = f"{name}: {finding.reason}"
                yield RemainingCause(name=DebianCause.UNEXPLAINED, detail=detail)

    def pairs(self, result: TrialResult) -> tuple[PackagePair, ...]:
        """Return the packages that differ, read on both sides."""
        return compare_packages(self._workspace.session, self.target.artefacts, result)

    def tools(self, hypothesis: DebianHypothesis) -> tuple[DatedTool, ...]:
        """Return the tools that made the bytes of a trial."""
        return dated_tools(self._workspace.session, hypothesis.image, hypothesis.added)

    def _pairs(self, trial: DebianTrial) -> tuple[PackagePair, ...]:
        number = trial.record.number
        if number not in self._pairs_of:
            self._pairs_of[number] = self.pairs(trial.result)
        return self._pairs_of[number]


def _has_images(journal: SearchJournal, images: ImageCatalogue) -> bool:
    """Say whether the images of all trials are still known: a recipe must name one that is."""
    return all(images.has_lock(str(record.values["image"])) for record in journal.tries)


def _fetch(package: SourcePackage, base: str, session: Session) -> SearchJournal | None:
    """Fetch the source; return a journal that says why that is not possible, else None."""
    if not package.target.artefacts:
        name = DebianCause.ONLY_UDEBS if package.udebs else DebianCause.NOT_SHIPPED
        detail = ", ".join(package.udebs) or "no package of this version in the suite"
        return _untried(package, name, detail, "not available")
    draft = debian_draft(package, DebianHypothesis(image=base, options=()))
    try:
        loaded = load_draft(draft, session.workdir)
        collect_inputs(loaded, session.vault, session.fetcher, session.workdir, session.jail)
    except (InputUnavailableError, InputMismatchError) as error:
        served = isinstance(error, InputMismatchError)
        name = DebianCause.MISMATCH if served else DebianCause.NOT_SERVED
        return _untried(package, name, str(error), "not available")
    return None


def _search(
    package: SourcePackage,
    base: str,
    index: PackageIndex,
    session: Session,
    limits: SearchLimits,
    record: BuildRecord | None,
) -> SearchJournal:
    have = installed(base, session.images)
    missing = missing_packages(package.depends, have, index)
    if missing.unmet:
        return _untried(package, DebianCause.UNMET, ", ".join(missing.unmet))
    if missing.conflicts:
        return _untried(package, DebianCause.CONFLICT, ", ".join(missing.conflicts))
    suite = index.binaries(sorted(record.installed)) if record else ()
    mismatches = version_mismatches(record, have, suite) if record else ()
    pinned = pinned_packages(missing.packages, mismatches)
    choices = list(dict.fromkeys((pinned, missing.packages)))
    try:
        image, added = first_image(base, choices, session, package.target.release)
    except (ImageUnavailableError, InputUnavailableError) as error:
        detail = f"{', '.join(missing.packages)}: {error}"
        return _untried(package, DebianCause.NO_IMAGE, detail)
    first = DebianHypothesis(image=image, options=("nocheck",), added=added)
    if record:
        first = first.with_record(record, installed(image, session.images), suite)
    with trial_workspace(session) as workspace:
        strategy = DebianStrategy(package, first, workspace)
        return search(strategy, replace(limits, one=limits.seconds), session.progress)


def _untried(
    package: SourcePackage, name: DebianCause, detail: str, status: Status = "build failed"
) -> SearchJournal:
    return SearchJournal.of(
        package.target,
        status=status,
        finished=True,
        reason=f"{name}: {detail}",
        notes=package.target.notes,
        causes=(RemainingCause(name=name, detail=detail),),
    )
