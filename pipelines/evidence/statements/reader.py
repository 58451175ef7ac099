"""Reading a statement that somebody else wrote: strict, bounded, and in its one spelling only."""

from __future__ import annotations

import json

from pipelines.evidence.statements.attempt import ATTEMPT, AttemptStatement
from pipelines.evidence.statements.comparison import COMPARISON, ComparisonStatement
from pipelines.evidence.statements.crosscheck import CROSSCHECK, CrosscheckStatement
from pipelines.evidence.statements.provenance import SLSA_PROVENANCE, ProvenanceStatement
from pipelines.evidence.statements.refusal import REFUSAL, RefusalStatement
from pipelines.evidence.statements.review import REVIEW, ReviewStatement
from pipelines.evidence.statements.robustness import ROBUSTNESS, RobustnessStatement
from pipelines.evidence.statements.statement import MAX_STATEMENT, Statement
from pipelines.evidence.statements.status import (
    HEARTBEAT,
    RECEIPT,
    HeartbeatStatement,
    ReceiptStatement,
)
from pipelines.evidence.statements.vsa import VSA, SummaryStatement
from pipelines.evidence.strictjson import malformed, read_model, read_object

KINDS: dict[str, tuple[str, type[Statement]]] = {
    SLSA_PROVENANCE: ("provenance", ProvenanceStatement),
    COMPARISON: ("comparison", ComparisonStatement),
    ATTEMPT: ("attempt", AttemptStatement),
    REVIEW: ("review", ReviewStatement),
    VSA: ("summary", SummaryStatement),
    CROSSCHECK: ("crosscheck", CrosscheckStatement),
    REFUSAL: ("refusal", RefusalStatement),
    HEARTBEAT: ("heartbeat", HeartbeatStatement),
    RECEIPT: ("receipt", ReceiptStatement),
    ROBUSTNESS: ("robustness", RobustnessStatement),
}
"""Every predicate type that is read, with the word that files are named by."""
_WHAT = "the statement"


def read_statement(payload: bytes) -> Statement:
    """Read a statement of a known kind; raises `MalformedError`."""
    named = _named(payload)
    if not isinstance(named, str) or named not in KINDS:
        named = read_object(payload, what=_WHAT, limit=MAX_STATEMENT).get("predicateType")
        raise malformed(
            _WHAT, got=f"predicateType {named!a:.120}", expected=f"one of {', '.join(KINDS)}"
        )
    statement = read_model(payload, KINDS[named][1], what=_WHAT, limit=MAX_STATEMENT)
    if not _in_its_spelling(statement, payload):
        raise malformed(_WHAT, got="another spelling", expected="canonical JSON (RFC 8785)")
    return statement


def _named(payload: bytes) -> object:
    """Return the predicate type in a hurry; whoever goes by it reads the whole again, strictly."""
    try:
        data = json.loads(payload) if len(payload) <= MAX_STATEMENT else None
    except (ValueError, RecursionError):
        return None
    return data.get("predicateType") if isinstance(data, dict) else None


def _in_its_spelling(statement: Statement, payload: bytes) -> bool:
    """Say whether a payload is the canonical JSON of its statement.

    Of what is ASCII throughout, and has no fractions (`read_model` refuses them), the canonical
    form is that of Python's own writer, which takes a fifth of the time; the rest is written ours.
    """
    if payload.isascii():
        plain = json.dumps(
            statement.to_dict(), ensure_ascii=False, separators=(",", ":"), sort_keys=True
        )
        return plain.encode() == payload
    return statement.to_bytes() == payload


def kind_of(statement: Statement) -> str:
    """Return the word that files of such statements are named by."""
    return KINDS[statement.predicate_type][0]
