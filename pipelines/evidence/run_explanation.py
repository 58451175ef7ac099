"""What explains the differences that a run found: made after its verdict is stated.

It names the comparisons that it explains, and is stored and signed beside the report, which it
never changes.
"""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.report import Attempt, StoredDocument
from pipelines.evidence.statements.statement import Time
from pipelines.judge.difference import Cause
from pipelines.judge.finding import Confirmation, Explanation


class ExplainedArtefact(FrozenModel):
    """What is known of one artefact beyond its verdict."""

    name: str
    comparison: Digest | None = None
    """Of the payload of the comparison that it explains; None in a run that left no evidence."""
    confirmation: Confirmation | None = None
    """What the confirming rebuild left of it; None where none was made or none succeeded."""
    causes: tuple[Cause, ...] = ()
    explanation: Explanation = Explanation()


class RunExplanation(StoredDocument):
    """What explains one run, as it is stored and printed."""

    vendor: str
    product: str
    version: str
    center: str
    run: str
    explained_on: Time
    """When it was complete."""
    confirming: Attempt | None = None
    """The rebuild that was made to confirm a difference, if one was."""
    artefacts: tuple[ExplainedArtefact, ...]

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"

    def about(self, name: str) -> ExplainedArtefact | None:
        """Return what is known of the artefact of that name."""
        return next((one for one in self.artefacts if one.name == name), None)
