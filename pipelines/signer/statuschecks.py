"""Whether a center may say of itself what it asks to have signed.

What a run found is signed from its evidence alone, never from here. A heartbeat, a receipt or a
cross-check has no bytes behind it that could be hashed again; what can be held against it is who
speaks, and when. A summary is joined again besides, by whoever calls this.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pipelines.evidence.errors import refused
from pipelines.evidence.statements import Statement
from pipelines.evidence.statements.crosscheck import CrosscheckStatement
from pipelines.evidence.statements.heartbeat import HeartbeatStatement
from pipelines.evidence.statements.receipt import ReceiptStatement
from pipelines.evidence.statements.vsa import SummaryStatement

SKEW = timedelta(minutes=5)


def check_status(statement: Statement, *, center: str, now: datetime) -> None:
    """Require a statement of status, by this center, of this moment; raises `RefusedError`."""
    match statement:
        case HeartbeatStatement():
            speaker, moment = statement.predicate.center, statement.predicate.beat_on
        case ReceiptStatement():
            speaker, moment = statement.predicate.center, statement.predicate.answered_on
        case CrosscheckStatement():
            speaker, moment = statement.predicate.center, statement.predicate.checked_on
        case SummaryStatement():
            told = statement.predicate
            speaker, moment = told.consensus.center, told.time_verified
        case _:
            raise refused(
                "kind",
                "that is not signed on request",
                got=statement.KIND,
                expected="heartbeat, receipt, crosscheck or summary",
            )
    if speaker != center:
        raise refused("center", "another center would speak", got=speaker, expected=center)
    if abs(now - moment) > SKEW:
        raise refused(
            "times",
            "it is not of this moment",
            got=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            expected=f"within {SKEW.seconds // 60} minutes of {now:%Y-%m-%dT%H:%M:%SZ}",
        )
