"""The acknowledgement of alarms: an operator says that it knows of them, and why that is enough.

It names one cause, one release or none, and leaves of logs by their indexes, so that it says
nothing of an alarm that comes later. It changes no verdict and no consensus. Subject `alarm` = the
canonical JSON of cause, release and leaves.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    Count,
    Identifier,
    ReleaseText,
    Statement,
    StatementPart,
    Time,
    Word,
    subject,
)
from pipelines.evidence.strictjson import printable

MAX_RANGES = 1000
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(printable)]
"""One line of printable text."""


class LeafRange(StatementPart):
    """Leaves of one log, by their indexes; for a fork or a rollback sizes of the tree."""

    log: Identifier
    """The center whose log it is."""
    first: Count
    last: Count
    """Included."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"expected a last index of {self.first} or more")
        return self

    def __str__(self) -> str:
        """Return it in words."""
        last = "" if self.last == self.first else f" to {self.last}"
        return f"{self.log} {self.first}{last}"


class Acknowledgement(StatementPart):
    """Who acknowledges which alarms, and why."""

    operator: Identifier
    center: Identifier
    """The center of that operator in whose store and log it is."""
    cause: Word
    release: ReleaseText | None = None
    """None for alarms about a log as a whole."""
    leaves: Annotated[tuple[LeafRange, ...], Field(min_length=1, max_length=MAX_RANGES)]
    reason: Reason
    acknowledged_on: Time

    def digest(self) -> Digest:
        """Return the digest of what is acknowledged."""
        about = self.only("cause", "release") | {"leaves": [r.to_dict() for r in self.leaves]}
        return Digest.of(canonical_json(about))


class AcknowledgementStatement(
    Statement, kind="acknowledgement", predicate_type=f"{NAMESPACE}alarm-acknowledgement/v1"
):
    """An acknowledgement; signed by its center and, where there are several, by its operator."""

    predicate: Acknowledgement

    @model_validator(mode="after")
    def _about_its_alarms(self) -> Self:
        if self.subject != (subject("alarm", self.predicate.digest()),):
            raise ValueError("expected the digest of what is acknowledged as its only subject")
        return self


def acknowledgement_statement(acknowledgement: Acknowledgement) -> AcknowledgementStatement:
    """Return the statement of an acknowledgement."""
    return AcknowledgementStatement.of(acknowledgement, alarm=acknowledgement.digest())
