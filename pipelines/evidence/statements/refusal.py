"""A witness's refusal to cosign: the checkpoint that a log showed, and the one it showed before.

Signed with the witness's own key, so that the complaint cannot be denied.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from builders.core.digest import Digest
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    Count,
    Line,
    Statement,
    StatementPart,
    Time,
)

MAX_REASON = 4000
NoteText = Annotated[str, StringConstraints(max_length=1 << 20)]


class Complaint(StrEnum):
    """What is wrong with the log."""

    SHORTENED = "shortened"
    FORKED = "forked"
    INCONSISTENT = "inconsistent"
    ALTERED = "altered"
    UNSIGNED = "unsigned"


class Shown(StatementPart):
    """A tree that the log has shown: its size, its root, and the signed note."""

    size: Count
    root: Digest
    note: NoteText


class Refusal(StatementPart):
    """Why the witness does not cosign a checkpoint."""

    witness: Line
    origin: Line
    complaint: Complaint
    reason: Annotated[str, Field(max_length=MAX_REASON)]
    before: Shown | None = None
    """What the witness had accepted; None when it had seen none."""
    refused_on: Time


class RefusalStatement(Statement, kind="refusal", predicate_type=f"{NAMESPACE}witness-refusal/v1"):
    """A refusal; its subject `checkpoint` is the note that the log published, byte by byte."""

    predicate: Refusal
