"""Whether a center may state about itself what it asks to have signed.

The findings of a run are signed from its evidence alone, never from here. A heartbeat, a receipt or
a cross-check has no bytes behind it that could be hashed again; what can be checked is its author
and its time. The consensus of a summary is recomputed besides, by the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pipelines.evidence.errors import refused
from pipelines.evidence.statements.crosscheck import CrosscheckStatement
from pipelines.evidence.statements.heartbeat import HeartbeatStatement
from pipelines.evidence.statements.request import ReceiptStatement
from pipelines.evidence.statements.statement import Statement
from pipelines.evidence.statements.vsa import SummaryStatement
from pipelines.signer.opened_evidence import SKEW, Condition, equal, true


def status_conditions(statement: Statement, center: str, now: datetime) -> Iterator[Condition]:
    """Yield the conditions of a statement of status: by this center, and made now.

    Raises `RefusedError` for a statement of another kind.
    """
    match statement:
        case HeartbeatStatement():
            author, time = statement.predicate.center, statement.predicate.beat_on
        case ReceiptStatement():
            author, time = statement.predicate.center, statement.predicate.answered_on
        case CrosscheckStatement():
            author, time = statement.predicate.center, statement.predicate.checked_on
        case SummaryStatement():
            summary = statement.predicate
            author, time = summary.consensus.center, summary.time_verified
        case _:
            raise refused(
                "kind",
                "that is not signed on request",
                got=statement.KIND,
                expected="heartbeat, receipt, crosscheck or summary",
            )
    yield equal("center", "the statement is by another center", author, center)
    yield true(
        "times",
        "the statement was not made just now",
        abs(now - time) <= SKEW,
        got=f"{time:%Y-%m-%dT%H:%M:%SZ}",
        expected=f"within {SKEW.seconds // 60} minutes of {now:%Y-%m-%dT%H:%M:%SZ}",
    )
