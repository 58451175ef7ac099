"""Who has made a statement of status, and when: one that is signed on request, without a run."""

from __future__ import annotations

from datetime import datetime

from pipelines.evidence.statements.acknowledgement import AcknowledgementStatement
from pipelines.evidence.statements.consensus_results import CrosscheckStatement, SummaryStatement
from pipelines.evidence.statements.log_status import HeartbeatStatement
from pipelines.evidence.statements.people import ReceiptStatement
from pipelines.evidence.statements.seal_lines import SealLinesStatement
from pipelines.evidence.statements.statement import Statement


def made_by(  # noqa: PLR0911  # one return for each kind
    statement: Statement,
) -> tuple[str, datetime] | None:
    """Return the center that made a statement of status, and when; None for another kind."""
    match statement:
        case HeartbeatStatement():
            return statement.predicate.center, statement.predicate.beat_on
        case ReceiptStatement():
            return statement.predicate.center, statement.predicate.answered_on
        case CrosscheckStatement():
            return statement.predicate.center, statement.predicate.checked_on
        case SealLinesStatement():
            return statement.predicate.center, statement.predicate.published_on
        case AcknowledgementStatement():
            return statement.predicate.center, statement.predicate.acknowledged_on
        case SummaryStatement():
            return statement.predicate.consensus.center, statement.predicate.time_verified
    return None
