"""Records of reviews: in the public prefix of a store, or as files to be imported.

Their names are `public/reviews/<source digest>/<reviewer>-<time>-<12 hex digits>.dsse.json`.
Records are written once, so every decision of a reviewer has a name of its own. The digits are of
the whole envelope, so that other bytes cannot take the name of a review.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, SamebitsError
from builders.core.smallfile import read_small_file
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.statements.people import ReviewStatement
from pipelines.evidence.statements.reader import SUFFIX, statement_of
from pipelines.evidence.strictjson import malformed
from pipelines.policy.reviews.review_target import plain
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


def review_of(envelope: Envelope) -> ReviewStatement:
    """Return the review in an envelope, verifying nothing; raises `MalformedError`."""
    statement = statement_of(envelope)
    if not isinstance(statement, ReviewStatement):
        raise malformed("the review", got=statement.predicate_type, expected="a review")
    return statement


def review_key(envelope: Envelope) -> str:
    """Return the name of a review's record; raises `MalformedError`."""
    statement = review_of(envelope)
    review = statement.predicate
    moment = f"{review.decided_on:%Y%m%dT%H%M%SZ}"
    short = Digest.of(envelope.to_bytes()).hex[:12]
    name = f"{encode(review.reviewer)}-{moment}-{short}{SUFFIX}"
    return check_key(f"{_folder(plain(statement.source))}{name}")


def keep_review(store: Store, envelope: Envelope) -> str:
    """Store a review, unless it is there already, and return the name of its record."""
    key = review_key(envelope)
    store.put_record(key, envelope.to_bytes())
    return key


def stored_reviews(store: Store, source: Digest | None = None) -> Iterator[StoredReview]:
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
    found = 0
    for folder, folders, files in os.walk(place, followlinks=False):
        folders.sort()
        for name in sorted(files):
            path = Path(folder) / name
            if not name.endswith(SUFFIX) or path.is_symlink():
                continue
            found += 1
            if found > MAX_REVIEWS:
                raise _too_many(str(place))
            yield _from_file(path)


def _from_file(path: Path) -> StoredReview:
    try:
        data = read_small_file(path, limit=MAX_REVIEW, file=str(path))
        return StoredReview(name=str(path), envelope=read_review(data))
    except SamebitsError as error:
        return StoredReview(name=str(path), fault=str(error))


def _folder(source: Digest) -> str:
    return f"{_ROOT}{source}/"


def _too_many(place: str) -> DamagedError:
    return DamagedError(
        f"too many reviews in {place}", got="more", expected=f"at most {MAX_REVIEWS}"
    )
