"""The search for a recipe: likely hypotheses first, each tried in a real rebuild.

It is bounded in trials and time, and deterministic: the order of hypotheses depends on the release,
the index, the images and the earlier trials alone. Of the shipped files nothing reaches a build but
the typed scalars of a hypothesis, and those are counted in bits. What a kind of release needs is in
its `SearchStrategy`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import RebuildError, StoreError
from pipelines.infer.journal import (
    DraftReview,
    JournalFile,
    RemainingCause,
    Scalar,
    SearchJournal,
    Status,
    TrialRecord,
    Values,
    WheelDifferences,
)
from pipelines.infer.target import Target
from pipelines.infer.trial import TrialResult, TrialWorkspace
from pipelines.verify.session import Sink

# Characters of the end of a build log that are stored.
_LOG_KEPT = 8192


@dataclass(frozen=True, kw_only=True)
class SearchLimits:
    """What a search may use; `seconds` of wall time, for all trials together and for one."""

    tries: int = 16
    seconds: int = 300
    one: int = 120


class Hypothesis(Protocol):
    """A build environment to be tried; `str()` of it is shown as progress."""

    @property
    def key(self) -> str:
        """Return text that is the same for the same environment."""

    def values(self) -> Values:
        """Return what makes this one differ from others, as plain data."""


H = TypeVar("H", bound=Hypothesis)


@dataclass(frozen=True, kw_only=True)
class Trial(Generic[H]):
    """One finished trial."""

    hypothesis: H
    result: TrialResult
    record: TrialRecord

    @property
    def identical(self) -> bool:
        """Say whether every artefact was rebuilt bit for bit."""
        return self.record.verdict is Verdict.IDENTICAL


class SearchStrategy(ABC, Generic[H]):
    """How releases of one kind are searched: which hypotheses, and how results are read."""

    def __init__(self, target: Target, workspace: TrialWorkspace) -> None:
        """Search for `target` by trials in `workspace`; `notes` say what is odd about it."""
        self.target, self._workspace = target, workspace
        self.notes = target.notes

    @abstractmethod
    def first(self) -> H:
        """Return the likeliest hypothesis."""

    @abstractmethod
    def next(self, trials: Sequence[Trial[H]], queue: Sequence[H]) -> list[H]:
        """Return the new queue after the last of `trials`, which was not identical."""

    @abstractmethod
    def draft(self, hypothesis: H, review: DraftReview | None = None) -> str:
        """Return the recipe of a hypothesis; with a review, every inferred value is explained."""

    @abstractmethod
    def scalars(self, hypothesis: H) -> tuple[Scalar, ...]:
        """Return every value that was inferred."""

    @abstractmethod
    def judge(self, result: TrialResult) -> tuple[Verdict, str]:
        """Return the verdict on a result as a whole, and the reason."""

    @abstractmethod
    def distance(self, trial: Trial[H]) -> tuple[float, ...]:
        """Return how far from identical a trial ended; the smallest is the nearest."""

    @abstractmethod
    def causes(self, trial: Trial[H]) -> tuple[RemainingCause, ...]:
        """Return why a trial was not identical."""

    def differences(self, result: TrialResult) -> WheelDifferences | None:
        """Return what is recorded of how a rebuilt artefact differs; None for nothing."""
        del result
        return None

    def is_final(self, trial: Trial[H]) -> bool:
        """Say whether a trial with more time would end in the same way."""
        del trial
        return True

    def claim(self, hypothesis: H) -> Digest:
        """Return the claim of the recipe of a hypothesis."""
        return self._workspace.claim(self.draft(hypothesis))

    def run(self, hypothesis: H, *, seconds: int) -> TrialResult:
        """Rebuild the recipe of a hypothesis within `seconds`, and judge it.

        What cannot be rebuilt is a result, too. Raises `RebuildError` for faults of the center.
        """
        draft, artefacts = self.draft(hypothesis), self.target.artefacts
        try:
            return self._workspace.rebuild(draft, artefacts, seconds=seconds)
        except RebuildError as error:
            if is_fault_of_center(error):
                raise
            return TrialResult(outcome=error.outcome, reason=str(error))


def is_fault_of_center(error: RebuildError) -> bool:
    """Say whether an error says nothing of the release, and is raised in place of a result."""
    ours = {Outcome.INFRASTRUCTURE_ERROR, Outcome.CANCELLED}
    return error.outcome in ours or isinstance(error, StoreError)


def kept_search(
    file: JournalFile, target: Target, find: Callable[[SearchJournal | None], SearchJournal]
) -> SearchJournal:
    """Return the journal in `file` if it is finished, else that of `find`, which is given it.

    What is wrong with the release is the status of the journal; it is not kept, since it may be
    served tomorrow. Raises `RebuildError` for faults of the center.
    """
    known = file.load()
    if known and known.finished:
        return known
    try:
        return file.save(find(known))
    except RebuildError as error:
        if is_fault_of_center(error):
            raise
        return file.stamp(
            SearchJournal.of(
                target, status="not available", finished=True, reason=str(error), notes=target.notes
            )
        )


def search(
    strategy: SearchStrategy[H],
    limits: SearchLimits,
    progress: Sink,
    *,
    known: SearchJournal | None = None,
    save: Callable[[SearchJournal], object] | None = None,
) -> SearchJournal:
    """Try hypotheses until one is identical, or until they, the trials or the time run out.

    Trials of the journal `known` are not repeated. `save` is called with the journal so far after
    every trial, so that an interrupted search loses none. At least one trial is made. Raises what
    the strategy raises.
    """
    deadline = time.monotonic() + limits.seconds
    records = {record.claim: record for record in known.tries} if known else {}
    queue, seen, trials = [strategy.first()], set[str](), list[Trial[H]]()
    while queue:
        hypothesis = queue.pop(0)
        if hypothesis.key in seen:
            continue
        left = int(deadline - time.monotonic())
        if trials and (len(trials) >= limits.tries or left < 1):
            return _journal(strategy, trials, finished=False)
        seen.add(hypothesis.key)
        number = len(trials) + 1
        progress.step(strategy.target.release, f"try {number}: {hypothesis}")
        claim, seconds = strategy.claim(hypothesis), max(1, min(limits.one, left))
        trials.append(
            _known(hypothesis, records[claim], number)
            if claim in records
            else _tried(strategy, hypothesis, claim, number, seconds)
        )
        if save is not None:
            save(_journal(strategy, trials, finished=False))
        if trials[-1].identical:
            break
        queue = strategy.next(trials, queue)
    return _journal(strategy, trials, finished=True)


def _known(hypothesis: H, record: TrialRecord, number: int) -> Trial[H]:
    """Return a trial of an earlier search, whose outputs are gone."""
    result = TrialResult(outcome=record.outcome, reason=record.reason, log=record.log)
    record = record.model_copy(update={"number": number})
    return Trial(hypothesis=hypothesis, result=result, record=record)


def _tried(
    strategy: SearchStrategy[H], hypothesis: H, claim: Digest, number: int, seconds: int
) -> Trial[H]:
    start = time.monotonic()
    result = strategy.run(hypothesis, seconds=seconds)
    took = round(time.monotonic() - start, 3)
    verdict, reason = strategy.judge(result)
    record = TrialRecord(
        number=number,
        claim=claim,
        values=hypothesis.values(),
        bits=total_bits(strategy.scalars(hypothesis)),
        outcome=result.outcome,
        verdict=verdict,
        reason=reason,
        seconds=took,
        log="" if result.outcome is Outcome.BUILT else result.log[-_LOG_KEPT:],
        differences=strategy.differences(result),
    )
    return Trial(hypothesis=hypothesis, result=result, record=record)


def _journal(
    strategy: SearchStrategy[H], trials: Sequence[Trial[H]], *, finished: bool
) -> SearchJournal:
    best = min(trials, key=strategy.distance)
    built: Status = "identical" if best.identical else "different"
    scalars = strategy.scalars(best.hypothesis)
    journal = SearchJournal.of(
        strategy.target,
        status=built if best.record.outcome is Outcome.BUILT else "build failed",
        finished=finished and strategy.is_final(best),
        reason=best.record.reason,
        notes=strategy.notes,
        scalars=scalars,
        bits=total_bits(scalars),
        causes=() if best.identical else strategy.causes(best),
        tries=tuple(trial.record for trial in trials),
    )
    recipe = strategy.draft(best.hypothesis, DraftReview(journal, best.record.verdict))
    return journal.model_copy(update={"recipe": recipe})


def total_bits(scalars: Iterable[Scalar]) -> float:
    """Return how much of the shipped file all values could carry together."""
    return round(sum(scalar.bits for scalar in scalars), 1)
