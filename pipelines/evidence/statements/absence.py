"""What a witness did not find: leaves of a log whose statements the log's center does not show.

A report names every release that the witness looked at and that lacks something, or lacked it in an
earlier report. It is signed with the witness's own key, so that nobody else can accuse in its name.
Subject = the canonical JSON of the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, model_validator

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    Count,
    Line,
    ReleaseText,
    Statement,
    StatementPart,
    Time,
    subject,
)

MAX_ABSENT = 10_000
"""Releases of a report, and leaves of a release in it."""


class AbsentLeaves(StatementPart):
    """The leaves about one release whose statements were not there; none where all were again."""

    release: ReleaseText
    indexes: Annotated[tuple[Count, ...], Field(max_length=MAX_ABSENT)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.indexes) != sorted(set(self.indexes)):
            raise ValueError("expected each index once, in order")
        return self


class Absence(StatementPart):
    """What was not found of the statements in one log, and when."""

    witness: Line
    origin: Line
    absent: Annotated[tuple[AbsentLeaves, ...], Field(min_length=1, max_length=MAX_ABSENT)]
    looked_on: Time

    @model_validator(mode="after")
    def _each_release_once(self) -> Self:
        names = [one.release for one in self.absent]
        if names != sorted(set(names)):
            raise ValueError("expected each release once, in order")
        return self


class AbsenceStatement(Statement, kind="absence", predicate_type=f"{NAMESPACE}absence/v1"):
    """A report of a witness; its subject `absent` is the list of what was not found."""

    predicate: Absence

    @model_validator(mode="after")
    def _about_its_list(self) -> Self:
        if self.subject != (subject("absent", _digest(self.predicate.absent)),):
            raise ValueError("expected the digest of its list as its only subject")
        return self


def absence_statement(absence: Absence) -> AbsenceStatement:
    """Return the statement of a report."""
    return AbsenceStatement.of(absence, absent=_digest(absence.absent))


def _digest(absent: Iterable[AbsentLeaves]) -> Digest:
    return Digest.of(canonical_json([one.to_dict() for one in absent]))
