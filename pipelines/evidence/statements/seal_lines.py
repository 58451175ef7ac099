"""The lines of a seal: what a run committed to, published because its outputs are lost.

Who holds the shipped file can compute its keyed digest under the run's center and id, and compare
it with the line of that name. Subject = the digest of the seal, which the run's commitment has.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from builders.core.digest import Digest
from builders.rebuild.seal import SealedFile, seal_digest
from pipelines.evidence.statements.statement import (
    MAX_LISTED,
    NAMESPACE,
    DigestSet,
    RunPredicate,
    Statement,
    Time,
    subject,
)


class SealLines(RunPredicate):
    """The lines of one run."""

    claim: DigestSet
    files: Annotated[tuple[SealedFile, ...], Field(min_length=1, max_length=MAX_LISTED)]
    published_on: Time


class SealLinesStatement(Statement, kind="seal", predicate_type=f"{NAMESPACE}seal-lines/v1"):
    """The lines of a seal whose outputs are lost."""

    predicate: SealLines

    @property
    def seal(self) -> Digest:
        """The digest over the lines."""
        return seal_digest(self.predicate.files)

    @model_validator(mode="after")
    def _about_its_lines(self) -> Self:
        if self.subject != (subject("seal", self.seal),):
            raise ValueError("expected the digest of its lines as its only subject")
        return self


def seal_lines_statement(lines: SealLines) -> SealLinesStatement:
    """Return the statement of the lines of a seal."""
    return SealLinesStatement.of(lines, seal=seal_digest(lines.files))
