"""Reading a statement of any type, and naming the records of signed ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.statements.absence import AbsenceStatement
from pipelines.evidence.statements.acknowledgement import AcknowledgementStatement
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.consensus_results import CrosscheckStatement, SummaryStatement
from pipelines.evidence.statements.explanation import ExplanationStatement
from pipelines.evidence.statements.log_status import HeartbeatStatement, RefusalStatement
from pipelines.evidence.statements.people import ReceiptStatement, ReviewStatement
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.rebuilds import AttemptStatement, RobustnessStatement
from pipelines.evidence.statements.seal_lines import SealLinesStatement
from pipelines.evidence.statements.statement import MAX_STATEMENT, WHAT, Statement
from pipelines.evidence.strictjson import is_small, malformed, read_object

_NAMED = re.compile(rb',"predicateType":"([!#-\[\]-~]+)","subject":')
SUFFIX = ".dsse.json"
"""Of the record of a signed statement."""
STATEMENT_TYPES: dict[str, type[Statement]] = {
    predicate_type: kind
    for kind in (
        ProvenanceStatement,
        ComparisonStatement,
        AttemptStatement,
        SealLinesStatement,
        ReviewStatement,
        SummaryStatement,
        CrosscheckStatement,
        RefusalStatement,
        AbsenceStatement,
        HeartbeatStatement,
        ReceiptStatement,
        RobustnessStatement,
        ExplanationStatement,
        AcknowledgementStatement,
    )
    for predicate_type in kind.PREDICATE_TYPES
}
"""The types of statements that are read, by predicate type."""
_FREE = (ProvenanceStatement, SealLinesStatement)
"""Those with numbers that their model does not bound."""


def read_statement(payload: bytes) -> Statement:
    """Read a statement of a known type, the payload of an envelope; raises `MalformedError`.

    No signature is verified.
    """
    if found := _canonical(payload):
        return found
    named = read_object(payload, what=WHAT, limit=MAX_STATEMENT).get("predicateType")
    kind = STATEMENT_TYPES.get(named) if isinstance(named, str) else None
    if kind is None:
        known = ", ".join(STATEMENT_TYPES)
        raise malformed(WHAT, got=f"predicateType {named!a:.120}", expected=f"one of {known}")
    return kind.from_bytes(payload) if len(payload) > kind.MAX_BYTES else kind.from_checked(payload)


def _canonical(payload: bytes) -> Statement | None:
    """Return the statement that a payload is the canonical form of, read in half of the time.

    None for any other payload, and for some of those: the caller reads them in full, and says what
    is wrong. Text that is the canonical form of what was read of it has no key twice; numbers are
    bounded by the models, except of the kinds in `_FREE`.
    """
    named = _NAMED.search(payload)
    kind = STATEMENT_TYPES.get(named[1].decode()) if named else None
    if kind is None or kind in _FREE or len(payload) > kind.MAX_BYTES or not is_small(payload):
        return None
    with suppress(MalformedError):
        return kind.from_checked(payload)
    return None


def name_records(envelopes: Iterable[Envelope]) -> dict[str, Envelope]:
    """Return envelopes by the names of their records: `<kind>-<n>.dsse.json`, counted from 1."""
    seen: Counter[str] = Counter()
    found = {}
    for envelope in envelopes:
        kind = read_statement(envelope.payload).KIND
        seen[kind] += 1
        found[f"{kind}-{seen[kind]}{SUFFIX}"] = envelope
    return found
