"""Reading a statement that somebody else wrote: strict, bounded, and in its one spelling only."""

from __future__ import annotations

from pipelines.evidence.statements.attempt import ATTEMPT, AttemptStatement
from pipelines.evidence.statements.comparison import COMPARISON, ComparisonStatement
from pipelines.evidence.statements.provenance import SLSA_PROVENANCE, ProvenanceStatement
from pipelines.evidence.statements.review import REVIEW, ReviewStatement
from pipelines.evidence.statements.statement import MAX_STATEMENT, Statement
from pipelines.evidence.statements.status import (
    HEARTBEAT,
    KEY_EVENT,
    RECEIPT,
    TEST_RESULT,
    HeartbeatStatement,
    KeyEventStatement,
    ReceiptStatement,
    TestResultStatement,
)
from pipelines.evidence.strictjson import malformed, read_model, read_object

KINDS: dict[str, tuple[str, type[Statement]]] = {
    SLSA_PROVENANCE: ("provenance", ProvenanceStatement),
    COMPARISON: ("comparison", ComparisonStatement),
    ATTEMPT: ("attempt", AttemptStatement),
    REVIEW: ("review", ReviewStatement),
    HEARTBEAT: ("heartbeat", HeartbeatStatement),
    RECEIPT: ("receipt", ReceiptStatement),
    KEY_EVENT: ("key-event", KeyEventStatement),
    TEST_RESULT: ("test-result", TestResultStatement),
}
"""Every predicate type that is read, with the word that files are named by."""
_WHAT = "the statement"


def read_statement(payload: bytes) -> Statement:
    """Read a statement of a known kind; raises `MalformedError`."""
    data = read_object(payload, what=_WHAT, limit=MAX_STATEMENT)
    named = data.get("predicateType")
    if not isinstance(named, str) or named not in KINDS:
        raise malformed(
            _WHAT, got=f"predicateType {named!a:.120}", expected=f"one of {', '.join(KINDS)}"
        )
    statement = read_model(payload, KINDS[named][1], what=_WHAT, limit=MAX_STATEMENT)
    if statement.to_bytes() != payload:
        raise malformed(_WHAT, got="another spelling", expected="canonical JSON (RFC 8785)")
    return statement


def kind_of(statement: Statement) -> str:
    """Return the word that files of such statements are named by."""
    return KINDS[statement.predicate_type][0]
