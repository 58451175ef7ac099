"""Sign a review decision: one statement for each source, stored where every center reads it."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from builders.core.errors import UsageError
from pipelines.evidence.dsse import EnvelopeSigner, sign_envelope
from pipelines.evidence.statements.people import Decision, Review, ReviewStatement
from pipelines.policy.reviews.review_records import keep_review
from pipelines.policy.reviews.review_target import ReviewTarget
from pipelines.storage.store import Store


def sign_reviews(
    target: ReviewTarget,
    store: Store,
    *,
    key: EnvelopeSigner,
    reviewer: str,
    decision: Decision,
    now: datetime,
) -> list[str]:
    """Sign and store a decision on every source; returns the names of the records.

    Raises `UsageError` for a name that no policy can have, `KeyFileError`, `StoreError`.
    """
    try:
        statements = [
            ReviewStatement.of(
                Review(reviewer=reviewer, decision=decision, decided_on=now),
                source=source,
                claim=target.claim,
            )
            for source in target.sources
        ]
    except ValidationError as error:
        raise UsageError(
            "not the name of a reviewer",
            got=ascii(reviewer)[:80],
            expected="small letters, digits, dot, dash and underscore",
        ) from error
    return [keep_review(store, sign_envelope(s.to_bytes(), key)) for s in statements]
