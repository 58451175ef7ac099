"""The search for the environment in which a vendor's own build makes the files it shipped."""

from __future__ import annotations

from collections.abc import Sequence

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.images.provide import claimed_digest
from builders.methods import METHODS
from builders.methods.method import launcher_bytes, zone_script
from builders.preload.preload_lock import preload_lock, probe_bytes
from pipelines.infer.journal import (
    DraftReview,
    JournalFile,
    RemainingCause,
    Scalar,
    SearchJournal,
    basis_digest,
)
from pipelines.infer.packings import RecoveredPacking, recovered
from pipelines.infer.script.differences import Differences, compare_parts, remaining_causes
from pipelines.infer.script.hypothesis import Change, ScriptedBuild, ScriptHypothesis, script_draft
from pipelines.infer.script.parts import Parts, read_parts
from pipelines.infer.script.refinement import refined, undeclarable
from pipelines.infer.search import (
    SearchLimits,
    SearchStrategy,
    Trial,
    kept_search,
    search,
    total_bits,
)
from pipelines.infer.target import Target
from pipelines.infer.trial import TrialResult, TrialWorkspace, listed, trial_workspace
from pipelines.judge.finding import worst_verdict
from pipelines.verify.session import Session

# Raised whenever the search would go another way, so that old journals are not reused.
RULES = 2
# What all inferred values of one recipe may carry together; more would be copying.
MAX_BITS = 400.0
_COMPARED = frozenset({Verdict.DIFFERENT, Verdict.MISSING})
_LINES = 3
_OTHER = 1000.0
"""The weight of a difference in content."""
_ANY_TIME = 1_600_000_000


def infer_script(
    target: Target, build: ScriptedBuild, session: Session, limits: SearchLimits | None = None
) -> SearchJournal:
    """Search the environment of `build`, whose files are in the vault, and keep the journal.

    A finished search is not repeated; an interrupted one starts again. Raises
    `InfrastructureError` and `CancelledError`; whatever else is wrong is in the journal.
    """
    file = JournalFile(session.center.home, target, script_basis(target, build, session))

    def find(_known: SearchJournal | None) -> SearchJournal:
        with trial_workspace(session, script=build.script_bytes) as workspace:
            strategy = ScriptStrategy(target, workspace, build)
            found = search(strategy, limits or SearchLimits(), session.progress, save=file.save)
            return strategy.confirmed(found) if found.status == "different" else found

    return kept_search(file, target, find)


def script_basis(target: Target, build: ScriptedBuild, session: Session) -> Digest:
    """Return the digest of all that decides a search beside the files."""
    scripts = [launcher_bytes(), METHODS["script"].script_bytes(), probe_bytes(), zone_script()]
    return basis_digest(
        RULES,
        scripts,
        clock=str(preload_lock().library),
        image=str(claimed_digest(build.image, session.images)),
        draft=script_draft(target, build, ScriptHypothesis(), None),
        script=None if build.script_bytes is None else str(Digest.of(build.script_bytes)),
    )


class ScriptStrategy(SearchStrategy[ScriptHypothesis]):
    """Searches a declared environment: first none, then what the shipped files show."""

    def __init__(self, target: Target, workspace: TrialWorkspace, build: ScriptedBuild) -> None:
        """Read the shipped files of `target` from the vault; raises as `TrialWorkspace.copy`."""
        super().__init__(target, workspace)
        self._build = build
        self._files = {pin.name: workspace.copy(pin) for pin in target.artefacts}
        self._shipped: dict[str, Parts] = {
            name: read_parts(path, workspace.session.jail) for name, path in self._files.items()
        }
        self._nearest = ScriptHypothesis()
        self._found: dict[str, tuple[Differences, ...]] = {}
        """The differences of each trial, by the key of its hypothesis."""

    def first(self) -> ScriptHypothesis:
        """Return the default environment: a reproducible build needs no other."""
        return ScriptHypothesis()

    def next(
        self, trials: Sequence[Trial[ScriptHypothesis]], queue: Sequence[ScriptHypothesis]
    ) -> list[ScriptHypothesis]:
        """Put what the last trial suggests first, if it came nearer than the others."""
        *before, last = trials
        self._nearest = min(trials, key=self.distance).hypothesis
        stuck = last.record.outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}
        if not stuck and not all(self.distance(last) < self.distance(trial) for trial in before):
            return list(queue)
        found = refined(last.hypothesis, last.record.outcome, self._differences(last))
        if packings := self._packings(last):
            found.insert(0, last.hypothesis.with_changes([Change("packings", packings, "")]))
        return [*(h for h in found if total_bits(self.scalars(h)) <= MAX_BITS), *queue]

    def run(self, hypothesis: ScriptHypothesis, *, seconds: int) -> TrialResult:
        """Rebuild and judge, and keep how the files differ."""
        result = super().run(hypothesis, seconds=seconds)
        if result.outcome is Outcome.BUILT:
            self._found[hypothesis.key] = tuple(self._compared(result))
        return result

    def _compared(self, result: TrialResult) -> list[Differences]:
        built = {path.name: path for path in result.outputs}
        differing = [f.name for f in result.findings if f.verdict in _COMPARED]
        return [
            compare_parts(
                name, self._shipped[name], read_parts(built[name], self._workspace.session.jail)
            )
            if name in built
            else Differences(name=name, missing=True)
            for name in differing
            if name in self._shipped
        ]

    def _packings(self, trial: Trial[ScriptHypothesis]) -> tuple[RecoveredPacking, ...]:
        """Return the packing of each file that differs in nothing else, by which it is shipped."""
        built = {path.name: path for path in trial.result.outputs}
        found = list(trial.hypothesis.packings)
        for d in self._differences(trial):
            if not (d.packed or d.order or d.folders) or d.weight >= _OTHER:
                continue
            jail = self._workspace.session.jail
            if packing := recovered(jail, d.name, self._files[d.name], built[d.name]):
                found.append(packing)
        return tuple(found)

    def _differences(self, trial: Trial[ScriptHypothesis]) -> tuple[Differences, ...]:
        return self._found.get(trial.hypothesis.key, ())

    def judge(self, result: TrialResult) -> tuple[Verdict, str]:
        """Return the worst verdict, and the first reason of it; without one, why not."""
        verdict = worst_verdict(finding.verdict for finding in result.findings)
        reasons = [f"{f.name}: {f.reason}" for f in result.findings if f.verdict is verdict]
        return verdict, reasons[0] if reasons and not result.reason else result.reason

    def distance(self, trial: Trial[ScriptHypothesis]) -> tuple[float, ...]:
        """Return the weight of the differences, then the bits; a failed build is the furthest."""
        if trial.identical:
            return (-1,)
        if trial.record.outcome is not Outcome.BUILT:
            return (float("inf"),)
        return (sum(d.weight for d in self._differences(trial)),)

    def scalars(self, hypothesis: ScriptHypothesis) -> tuple[Scalar, ...]:
        """Return every value that was chosen by looking at the shipped files."""
        return hypothesis.scalars()

    def causes(self, trial: Trial[ScriptHypothesis]) -> tuple[RemainingCause, ...]:
        """Return what still differs; of a failed build, the end of its log."""
        record = trial.record
        if record.outcome is not Outcome.BUILT:
            lines = [line for line in record.log.splitlines() if line.strip()][-_LINES:]
            return (RemainingCause(name="build", detail="; ".join(lines) or record.reason),)
        found = self._differences(trial)
        causes = [*remaining_causes(found), *undeclarable(trial.hypothesis, found)]
        extra = [f.name for f in trial.result.findings if f.verdict is Verdict.UNEXPECTED]
        if extra:
            detail = f"{listed(extra)}: declare each as --from-file or --by-product"
            causes.append(RemainingCause(name="undeclared", detail=detail))
        return tuple(causes) or (RemainingCause(name="not judged", detail=record.reason),)

    def draft(self, hypothesis: ScriptHypothesis, review: DraftReview | None = None) -> str:
        """Return the recipe of a hypothesis."""
        return script_draft(self.target, self._build, hypothesis, review)

    def confirmed(self, journal: SearchJournal) -> SearchJournal:
        """Return the journal of a search that found nothing, and whether the build varies.

        The nearest recipe is built twice more, under a clock that stands still.
        """
        clock = self._nearest.clock or _ANY_TIME
        hypothesis = self._nearest.with_changes([Change("clock", clock, "")])
        first, again = (self._digests(hypothesis) for _ in range(2))
        varied = sorted(name for name in first if again.get(name) != first[name])
        if not varied:
            return journal
        detail = f"{listed(varied)}: two rebuilds differ in the same environment"
        causes = (RemainingCause(name="nondeterministic", detail=detail), *journal.causes)
        return journal.model_copy(update={"causes": causes})

    def _digests(self, hypothesis: ScriptHypothesis) -> dict[str, Digest | None]:
        result = self.run(hypothesis, seconds=SearchLimits.one)
        return {f.name: f.rebuilt.sha256 if f.rebuilt else None for f in result.findings}
