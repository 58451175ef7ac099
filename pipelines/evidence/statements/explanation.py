"""The explanation of a run: causes of its differences, and what a confirming rebuild left.

Subjects = the artefacts that are explained, by published digest. It is made after the run is
stated, names the comparisons that it explains, and changes none of them: no verdict is in it, and
no consensus reads it. No field holds free text; that is in the document that it names by digest.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from builders.core.enums import Outcome
from pipelines.evidence.statements.comparison import ExplanationDigests
from pipelines.evidence.statements.rebuilds import FailureReason
from pipelines.evidence.statements.statement import (
    MAX_LISTED,
    NAMESPACE,
    Count,
    DigestSet,
    Line,
    RunPredicate,
    Statement,
    StatementPart,
    Time,
)
from pipelines.judge.difference import CauseName
from pipelines.judge.finding import Confirmation


class ConfirmingRebuild(StatementPart):
    """How the confirming rebuild went."""

    outcome: Outcome
    reason: FailureReason | None = None
    wall_milliseconds: Count | None = None
    log: DigestSet | None = None


class ExplainedComparison(StatementPart):
    """What explains one comparison."""

    name: Line
    comparison: DigestSet
    """Of the payload of the comparison."""
    confirmation: Confirmation | None = None
    rebuilt: DigestSet | None = None
    """What the confirming rebuild left of the artefact."""
    causes: Annotated[tuple[CauseName, ...], Field(max_length=64)]
    explanation: ExplanationDigests

    @model_validator(mode="after")
    def _follows_from_the_rebuild(self) -> Self:
        varies = self.confirmation is not None and self.confirmation.varies
        if varies is not (CauseName.NONDETERMINISTIC in self.causes):
            raise ValueError(f"{self.name} is nondeterministic or not, as the rebuild shows")
        left = self.confirmation not in {None, Confirmation.ABSENT}
        if left is not (self.rebuilt is not None):
            raise ValueError(f"expected the digest of {self.name} where the rebuild left it")
        return self


class RunExplained(RunPredicate):
    """What explains a run."""

    explained_on: Time
    confirming: ConfirmingRebuild | None = None
    artefacts: Annotated[
        tuple[ExplainedComparison, ...], Field(min_length=1, max_length=MAX_LISTED)
    ]
    document: DigestSet
    """Of the public form of the explanation, which the store has under its digest."""

    @model_validator(mode="after")
    def _confirmed_by_a_rebuild(self) -> Self:
        made = self.confirming is not None and self.confirming.outcome is Outcome.BUILT
        if not made and any(artefact.confirmation for artefact in self.artefacts):
            raise ValueError("nothing is confirmed without a rebuild")
        return self


class ExplanationStatement(
    Statement, kind="explanation", predicate_type=f"{NAMESPACE}explanation/v1"
):
    """An explanation; its subjects are those of the comparisons that it names, in their order."""

    predicate: RunExplained

    @model_validator(mode="after")
    def _about_its_subjects(self) -> Self:
        named = [artefact.name for artefact in self.predicate.artefacts]
        if [subject.name for subject in self.subject] != named:
            raise ValueError("expected the artefacts of its subjects, in their order")
        return self
