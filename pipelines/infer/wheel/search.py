"""The search for the recipe of a wheel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import InputUnavailableError, RebuildError
from builders.images import ImageCatalogue
from builders.images.provide import claimed_digest
from builders.locators.package_index import ProjectReader
from builders.methods import METHODS
from builders.methods.method import launcher_bytes, zone_script
from builders.preload.preload_lock import preload_lock, probe_bytes
from pipelines.infer.journal import (
    DraftReview,
    JournalFile,
    RemainingCause,
    Scalar,
    SearchJournal,
    WheelDifferences,
    basis_digest,
)
from pipelines.infer.packings import recovered
from pipelines.infer.search import (
    SearchLimits,
    SearchStrategy,
    Trial,
    kept_search,
    search,
    total_bits,
)
from pipelines.infer.target import Target
from pipelines.infer.trial import TrialResult, TrialWorkspace, trial_workspace
from pipelines.infer.wheel.clues import clues_of, initial_hypothesis
from pipelines.infer.wheel.comparison import compare_wheels
from pipelines.infer.wheel.differences import build_failure, is_hopeless, wheel_causes
from pipelines.infer.wheel.distributions import check_distinct
from pipelines.infer.wheel.facts import read_sdist, read_wheel
from pipelines.infer.wheel.hypothesis import MAX_BITS, WheelHypothesis, wheel_draft
from pipelines.infer.wheel.refinement import Refinement
from pipelines.infer.wheel.toolchain import Resolver, python_images
from pipelines.verify.session import Session

# Raised whenever the search would go another way, so that old journals are not reused.
RULES = 6
# What was built under another name is compared too: the name may be all that differs.
_COMPARED = frozenset({Verdict.DIFFERENT, Verdict.MISSING})


def infer_wheel(
    target: Target, session: Session, index: ProjectReader, limits: SearchLimits | None = None
) -> SearchJournal:
    """Search a recipe for `target`, and keep the journal.

    Raises `InfrastructureError` and `CancelledError`; whatever else is wrong with a release is the
    status of its journal.
    """
    file = JournalFile(session.center.home, target, wheel_basis(session.images))

    def find(known: SearchJournal | None) -> SearchJournal:
        check_distinct(target)
        with trial_workspace(session) as workspace:
            strategy = WheelStrategy(target, workspace, index)
            bounds = limits or SearchLimits()
            return search(strategy, bounds, session.progress, known=known, save=file.save)

    return kept_search(file, target, find)


def wheel_basis(images: ImageCatalogue) -> Digest:
    """Return the digest of the images, the scripts, the declared clock and the rules."""
    names = [image.name for image in python_images(images)]
    scripts = [launcher_bytes(), METHODS["wheel"].script_bytes(), probe_bytes(), zone_script()]
    return basis_digest(
        RULES,
        scripts,
        clock=str(preload_lock().library),
        images={name: str(claimed_digest(name, images)) for name in names},
    )


class WheelStrategy(SearchStrategy[WheelHypothesis]):
    """Searches the environment in which a backend makes the shipped wheel from its source."""

    def __init__(self, target: Target, workspace: TrialWorkspace, index: ProjectReader) -> None:
        """Read the files of `target`, and the wheels of tools, from the vault.

        Raises `InputMismatchError` for files that cannot be read, `InputUnavailableError` for a
        backend that is not known here.
        """
        super().__init__(target, workspace)
        self._wheel_file = workspace.copy(target.shipped)
        self._jail = workspace.session.jail
        self._wheel = read_wheel(self._wheel_file, target.shipped.name, self._jail)
        self.notes = (*target.notes, *self._wheel.record_faults[:3])
        source = read_sdist(workspace.copy(target.source), target.source.name, self._jail)
        images = python_images(workspace.session.images)
        self._clues = clues_of(self._wheel, source, target.uploaded, images)
        self._resolver = Resolver(index, workspace.copy, self._jail, without=target.product)
        self._refinement = Refinement(self._clues, self._resolver)

    def first(self) -> WheelHypothesis:
        """Return the likeliest hypothesis; raises `InputUnavailableError` for too many bits."""
        hypothesis = initial_hypothesis(self._clues, self._resolver)
        if not self._is_small(hypothesis):
            raise InputUnavailableError(
                "too much would have to be inferred",
                got=f"more than {MAX_BITS:g} bits",
                expected="fewer: more would be copying",
                todo="Write the recipe by hand",
            )
        return hypothesis

    def next(
        self, trials: Sequence[Trial[WheelHypothesis]], queue: Sequence[WheelHypothesis]
    ) -> list[WheelHypothesis]:
        """Put what the last trial suggests first, if it came nearer than the others."""
        *before, last = trials
        if last.record.differences and is_hopeless(self._clues, last.record.differences):
            return []
        nearer = all(self.distance(last) < self.distance(trial) for trial in before)
        if not nearer and any(trial.record.differences for trial in trials):
            return list(queue)
        found = [*self._packed(last), *self._refinement.hypotheses(last)]
        return [*filter(self._is_small, found), *queue]

    def _packed(self, trial: Trial[WheelHypothesis]) -> list[WheelHypothesis]:
        """Return the packing by which the wheel is the shipped one, if it differs in that alone."""
        found, name = trial.record.differences, self.target.shipped.name
        built = [path for path in trial.result.outputs if path.name == name]
        if not built or found is None or found.weight != 10 * len(found.packing) + found.order:
            return []
        packing = recovered(self._jail, name, self._wheel_file, built[0])
        return [replace(trial.hypothesis, packings=(packing,))] if packing else []

    def scalars(self, hypothesis: WheelHypothesis) -> tuple[Scalar, ...]:
        """Return every value that was chosen by looking at the shipped file."""
        images, files = len(self._clues.images), len(self._clues.source.files)
        return hypothesis.scalars(images=images, files=files)

    def judge(self, result: TrialResult) -> tuple[Verdict, str]:
        """Return the verdict on the wheel; without one, why nothing was built."""
        for finding in result.findings[:1]:
            return finding.verdict, finding.reason
        return Verdict.NOT_CHECKED, result.reason

    def differences(self, result: TrialResult) -> WheelDifferences | None:
        """Compare the wheel that was built, whatever its name, with the shipped one."""
        built = next((path for path in result.outputs if path.suffix == ".whl"), None)
        if built is None or self.judge(result)[0] not in _COMPARED:
            return None
        try:
            return compare_wheels(self._wheel_file, built, built.name, self._jail)
        except RebuildError:
            return None

    def distance(self, trial: Trial[WheelHypothesis]) -> tuple[float, ...]:
        """Return the weight of the differences; a build that failed is the furthest."""
        if trial.identical:
            return (-1,)
        found = trial.record.differences
        return (found.weight if found else float("inf"),)

    def causes(self, trial: Trial[WheelHypothesis]) -> tuple[RemainingCause, ...]:
        """Return the causes that the differences or the build log show."""
        record = trial.record
        if record.outcome is Outcome.BUILT:
            return wheel_causes(self._clues, record.differences or WheelDifferences())
        log = record.log or record.reason
        return (build_failure(record.outcome, log, self._wheel.generator),)

    def draft(self, hypothesis: WheelHypothesis, review: DraftReview | None = None) -> str:
        """Return the recipe of a hypothesis."""
        return wheel_draft(self.target, hypothesis, review)

    def _is_small(self, hypothesis: WheelHypothesis) -> bool:
        return total_bits(self.scalars(hypothesis)) <= MAX_BITS
