"""Records of reviews: signed, kept in the public prefix of a store, or read from files.

Their names are `public/reviews/<source digest>/<reviewer>-<time>-<12 hex digits>.dsse.json`.
Records are written once, so every decision of a reviewer has a name of its own. The digits are of
the whole envelope, so that other bytes cannot take the name of a review.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, SamebitsError, UsageError
from builders.core.smallfile import read_small_file
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.statements.people import Decision, Review, ReviewStatement
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.statement import DigestSet, value_of
from pipelines.evidence.strictjson import malformed
from pipelines.policy.reviews.count import ReviewTarget, review_of
from pipelines.storage.names import check_key, encode
from pipelines.storage.store import DamagedError, Store, TooLargeError

MAX_REVIEW = 64 << 10
MAX_REVIEWS = 10_000
_ROOT = "public/reviews/"


@dataclass(frozen=True, kw_only=True)
class StoredReview:
    """A record with the name of a review, and its envelope or what is wrong with it."""

    name: str
    envelope: Envelope | None = None
    fault: str | None = None


def read_review(data: bytes) -> Envelope:
    """Read the envelope of a review, verifying nothing; raises `MalformedError`."""
    if len(data) > MAX_REVIEW:
        raise malformed(
            "the review", got=f"{len(data)} bytes", expected=f"at most {MAX_REVIEW} bytes"
        )
    envelope = Envelope.from_bytes(data)
    review_of(envelope)
    return envelope


def review_key(envelope: Envelope) -> str:
    """Return the name of a review's record; raises `MalformedError`."""
    statement = review_of(envelope)
    review = statement.predicate
    moment = f"{review.decided_on:%Y%m%dT%H%M%SZ}"
    short = Digest.of(envelope.to_bytes()).hex[:12]
    name = f"{encode(review.reviewer)}-{moment}-{short}{SUFFIX}"
    return check_key(f"{_folder(statement.source)}{name}")


def keep_review(store: Store, envelope: Envelope) -> str:
    """Store a review, unless it is there already, and return the name of its record."""
    key = review_key(envelope)
    store.put_record(key, envelope.to_bytes())
    return key


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


def stored_reviews(store: Store, source: DigestSet | None = None) -> Iterator[StoredReview]:
    """Yield the reviews of one source, by the digest that names it, or all of a store.

    Raises `StoreError`, also for more of them than any release has.
    """
    for number, key in enumerate(store.list(_folder(source) if source else _ROOT)):
        if number >= MAX_REVIEWS:
            raise _too_many(_ROOT)
        try:
            yield StoredReview(name=key, envelope=read_review(store.get(key, MAX_REVIEW)))
        except (MalformedError, DamagedError, TooLargeError, NotFoundError) as error:
            yield StoredReview(name=key, fault=str(error))


def reviews_in(place: Path) -> Iterator[StoredReview]:
    """Yield the reviews in a file, or below a folder: another center's store, or part of one.

    Below a folder links are not followed, and files with another suffix are skipped. Raises
    `UsageError` when there is no such path, `MalformedError` for a file that is no review.
    """
    if not place.is_dir():
        data = read_small_file(place, limit=MAX_REVIEW, file=str(place))
        yield StoredReview(name=str(place), envelope=read_review(data))
        return
    paths = (Path(folder) / name for folder, _, files in os.walk(place) for name in files)
    reviews = (path for path in paths if path.name.endswith(SUFFIX) and not path.is_symlink())
    found = sorted(islice(reviews, MAX_REVIEWS + 1))
    if len(found) > MAX_REVIEWS:
        raise _too_many(str(place))
    yield from map(_from_file, found)


def _from_file(path: Path) -> StoredReview:
    try:
        data = read_small_file(path, limit=MAX_REVIEW, file=str(path))
        return StoredReview(name=str(path), envelope=read_review(data))
    except SamebitsError as error:
        return StoredReview(name=str(path), fault=str(error))


def _folder(source: DigestSet) -> str:
    return f"{_ROOT}{value_of(source)}/"


def _too_many(place: str) -> DamagedError:
    return DamagedError(
        f"too many reviews in {place}", got="more", expected=f"at most {MAX_REVIEWS}"
    )
