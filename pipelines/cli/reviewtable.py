"""Reviews as `samebits review list` shows them, wherever they are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.cli.options import print_json
from pipelines.evidence.statements.statement import show_time
from pipelines.policy.reviews.review_records import (
    StoredReview,
    review_of,
    reviews_in,
    stored_reviews,
)
from pipelines.policy.reviews.review_target import plain
from pipelines.storage.opening import open_store, store_address
from pipelines.verify.review_subject import ReviewSubject, standing_of

if TYPE_CHECKING:
    from pipelines.verify.session import Session


def found_in(
    origin: str | None, subject: ReviewSubject | None, session: Session
) -> Iterable[StoredReview]:
    """Return the reviews at `origin`, by default in the center's store; raises `UsageError`."""
    if origin is not None:
        return reviews_from(origin)
    store = session.store
    if subject is None:
        return stored_reviews(store)
    return [r for s in subject.reviewed.sources for r in stored_reviews(store, plain(s))]


def reviews_from(place: str) -> Iterable[StoredReview]:
    """Return the reviews in a store far away, a folder or a file."""
    address = store_address(place)
    if isinstance(address, Path):
        return reviews_in(address)
    return stored_reviews(open_store(address))


def show(
    found: list[StoredReview], subject: ReviewSubject | None, session: Session, *, as_json: bool
) -> int:
    """Print reviews, and whether a release has enough of them; returns the exit code."""
    now = datetime.now(UTC)
    policy = session.policy(now)
    rows = [_row(review) for review in found]
    standing = standing_of(subject, found, policy, now) if subject else None
    if as_json:
        status = standing.to_dict() if standing else None
        about = subject.to_dict() if subject else None
        print_json({"reviews": rows, "about": about, "standing": status})
    else:
        for row in rows:
            click.echo(
                f"{row['decided_on']}  {row['decision']:<9} {row['reviewer']:<16} "
                f"source {row['source'][:16]} claim {row['claim'][:16]} key {row['key'][:16]}"
                if row["fault"] is None
                else f"DAMAGED  {row['name']}: {row['fault']}"
            )
        if standing:
            click.echo(
                f"{len(standing.count.counted)} of {standing.demanded}: {standing.summary()}"
            )
    damaged = any(row["fault"] for row in rows)
    return EXIT_NOT_CHECKED if damaged or (standing and not standing.enough) else 0


def _row(review: StoredReview) -> dict[str, Any]:

    if review.envelope is None:
        return {"name": review.name, "fault": review.fault}
    statement = review_of(review.envelope)
    decided = statement.predicate
    return {
        "name": review.name,
        "fault": None,
        "reviewer": decided.reviewer,
        "decision": str(decided.decision),
        "decided_on": show_time(decided.decided_on),
        "source": str(plain(statement.source)),
        "claim": str(plain(statement.claim)),
        "keyed": statement.source.sha256 is None,
        "key": review.envelope.signatures[0].keyid,
    }
