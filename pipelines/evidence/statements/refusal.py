"""A witness's refusal: what a log showed it, and what the same log had shown it before.

Signed with the witness's own key, so that a log cannot say that nobody ever complained.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from builders.core.digest import Digest
from pipelines.evidence.statements.statement import Count, Line, Part, Statement, Time, subject

REFUSAL = "https://samebits.example/witness-refusal/v1"
CHECKPOINT = "checkpoint"
NoteText = Annotated[str, StringConstraints(max_length=1 << 20)]


class Complaint(StrEnum):
    """What is wrong with the log."""

    SHORTENED = "shortened"
    FORKED = "forked"
    INCONSISTENT = "inconsistent"
    ALTERED = "altered"
    UNSIGNED = "unsigned"


class Shown(Part):
    """A tree that the log has shown: its size, its root, and the signed note."""

    size: Count
    root: Digest
    note: NoteText


class Refusal(Part):
    """The witness does not put its name to that checkpoint."""

    witness: Line
    origin: Line
    complaint: Complaint
    reason: Annotated[str, Field(max_length=4000)]
    before: Shown | None = None
    """What the witness had accepted; None when it is the first look."""
    refused_on: Time


class RefusalStatement(Statement):
    """A refusal; its subject is the note that the log published, byte by byte."""

    predicate_type: Literal["https://samebits.example/witness-refusal/v1"] = (
        "https://samebits.example/witness-refusal/v1"
    )
    predicate: Refusal


def refusal(
    *,
    witness: str,
    origin: str,
    complaint: Complaint,
    reason: str,
    seen: bytes,
    before: Shown | None,
    now: datetime,
) -> RefusalStatement:
    """Return the refusal at `now` (UTC) of the note `seen`."""
    return RefusalStatement(
        subject=(subject(CHECKPOINT, Digest.of(seen)),),
        predicate=Refusal(
            witness=witness,
            origin=origin,
            complaint=complaint,
            reason=reason[:4000],
            before=before,
            refused_on=now.replace(microsecond=0),
        ),
    )
