"""The reviews of a center: signed, stored, read from files, and whether a release has enough.

A release may demand reviewers before it is built: enough of exactly its source and claim, or no
build. Records are named `public/reviews/<source digest>/<reviewer>-<time>-<12 digits>.dsse.json`.
They are written once, so every decision of a reviewer has a name of its own. The hex digits are of
the whole envelope, so that other bytes cannot take the name of a review.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, SamebitsError, SourceNotReviewedError, UsageError
from builders.core.smallfile import read_small_file
from builders.recipe.recipe import Recipe
from builders.recipe.scope import scope_of
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign_envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import read_salt, release_salt
from pipelines.evidence.statements.people import Decision, Review, ReviewStatement
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.statement import DigestSet, value_of
from pipelines.evidence.strictjson import read_object
from pipelines.policy import Policy
from pipelines.policy.reviews.count import (
    ExcludedReview,
    ReviewCount,
    ReviewTarget,
    count_reviews,
    review_of,
)
from pipelines.storage.names import check_key, encode
from pipelines.storage.store import DamagedError, Store, TooLargeError

MAX_REVIEW = 64 << 10
MAX_REVIEWS = 10_000
REVIEWS = "public/reviews/"
"""The folder of all reviews."""
ReadRecord = Callable[[bytes], Envelope]
"""Reads the envelope of a record in its form; raises `MalformedError`."""
_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class StoredReview:
    """A record with the name of a review, and its envelope or what is wrong with it."""

    name: str
    envelope: Envelope | None = None
    fault: str | None = None


def read_review(data: bytes) -> Envelope:
    """Read the envelope of a review, verifying nothing; raises `MalformedError`."""
    envelope = Envelope.from_dict(read_object(data, what="the review", limit=MAX_REVIEW))
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

    Raises `UsageError` for a name that no policy can have, and for a target without a scope,
    `KeyFileError`, `StoreError`.
    """
    if target.scope is None:
        raise UsageError("a review approves a scope", got="none", todo="Name the recipe")
    try:
        statements = [
            ReviewStatement.of(
                Review(reviewer=reviewer, decision=decision, decided_on=now),
                source=source,
                claim=target.claim,
                scope=target.scope,
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
    return stored_records(store, _folder(source) if source else REVIEWS, read_review)


def stored_records(store: Store, folder: str, read: ReadRecord) -> Iterator[StoredReview]:
    """Yield what `read` makes of the records in a folder; raises `StoreError` as above."""
    for number, key in enumerate(store.list(folder)):
        if number >= MAX_REVIEWS:
            raise _too_many(folder)
        try:
            yield StoredReview(name=key, envelope=read(store.get(key, MAX_REVIEW)))
        except (MalformedError, DamagedError, TooLargeError, NotFoundError) as error:
            yield StoredReview(name=key, fault=str(error))


def reviews_in(place: Path, read: ReadRecord = read_review) -> Iterator[StoredReview]:
    """Yield the reviews in a file, or below a folder: another center's store, or part of one.

    `read` reads a record. Below a folder links are not followed, and files with another suffix are
    skipped. Raises `UsageError` when there is no such path, `MalformedError` for a file that is no
    review.
    """
    if not place.is_dir():
        data = read_small_file(place, limit=MAX_REVIEW, file=str(place))
        yield StoredReview(name=str(place), envelope=read(data))
        return
    paths = (Path(folder) / name for folder, _, files in os.walk(place) for name in files)
    reviews = (path for path in paths if path.name.endswith(SUFFIX) and not path.is_symlink())
    found = sorted(islice(reviews, MAX_REVIEWS + 1))
    if len(found) > MAX_REVIEWS:
        raise _too_many(str(place))
    yield from (_from_file(path, read) for path in found)


def _from_file(path: Path, read: ReadRecord) -> StoredReview:
    try:
        data = read_small_file(path, limit=MAX_REVIEW, file=str(path))
        return StoredReview(name=str(path), envelope=read(data))
    except SamebitsError as error:
        return StoredReview(name=str(path), fault=str(error))


def _folder(source: DigestSet) -> str:
    return f"{REVIEWS}{value_of(source)}/"


def _too_many(place: str) -> DamagedError:
    return DamagedError(
        f"too many reviews in {place}", got="more", expected=f"at most {MAX_REVIEWS}"
    )


@dataclass(frozen=True, kw_only=True)
class ReviewStatus:
    """How many reviewers a release has, and how many it needs."""

    target: ReviewTarget
    demanded: int
    count: ReviewCount
    unreadable: tuple[StoredReview, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether as many reviewers count as are demanded."""
        return len(self.count.counted) >= self.demanded

    def require(self) -> None:
        """Raise `SourceNotReviewedError` unless enough reviewers count."""
        if self.enough:
            return
        sources = ", ".join(str(value_of(source)) for source in self.target.sources)
        raise SourceNotReviewedError(
            "the source is not reviewed",
            got=f"{len(self.count.counted)} of {self.demanded} reviewers: {self.summary()}",
            expected=f"{self.demanded} distinct reviewers of the policy who approve exactly the "
            f"source {sources}, the claim {value_of(self.target.claim)} and the scope "
            f"{value_of(self.target.scope)}",
            todo="`samebits review approve RECIPE` signs a review, `samebits review import` "
            "brings those of others, `samebits review list RECIPE` shows how it stands",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "demanded": self.demanded,
            "counted": [
                {"reviewer": c.reviewer, "key": c.keyid, "scoped": c.scoped}
                for c in self.count.counted
            ],
            "not_counted": [
                {"reviewer": u.reviewer, "key": u.keyid, "why": str(u.why)}
                for u in self.count.excluded
            ],
            "unreadable": [review.name for review in self.unreadable],
        }

    def summary(self) -> str:
        """Return who counts and why others do not, in one line."""
        found = [
            c.reviewer if c.scoped else f"{c.reviewer} (approves no scope)"
            for c in self.count.counted
        ]
        lines = list(dict.fromkeys(_line(other) for other in self.count.excluded))
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} records cannot be read")
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        others = f"; not counted: {', '.join(lines[:_SHOWN])}{more}" if lines else ""
        return f"{', '.join(found) or 'nobody'}{others}"


def review_target(
    recipe: Recipe,
    claim: Digest,
    sources: Iterable[Digest],
    store: Store,
    *,
    make_salt: bool = True,
) -> ReviewTarget:
    """Return what reviews of a release name; a private one gets its salt if it has none yet.

    Without `make_salt`, nobody can have reviewed a private release that has none.
    """
    salt = None
    if recipe.visibility == "private":
        salt_of = release_salt if make_salt else read_salt
        salt = salt_of(store, ReleaseName.parse(recipe.release))
    return ReviewTarget.of(sources, claim, salt, scope=scope_of(recipe).digest)


def review_status(
    recipe: Recipe, target: ReviewTarget, *, policy: Policy, store: Store, now: datetime
) -> ReviewStatus:
    """Count the reviews that the store has of `target`; raises `StoreError`."""
    demanded = policy.demand(recipe.kind, recipe.reviews.minimum if recipe.reviews else 0)
    sources = target.sources if policy.reviewers else ()
    found = (review for source in sources for review in stored_reviews(store, source))
    return status_of(target, demanded, found, policy, now)


def status_of(
    target: ReviewTarget,
    demanded: int,
    found: Iterable[StoredReview],
    policy: Policy,
    now: datetime,
) -> ReviewStatus:
    """Count those reviews of `found` that are of `target`, at `now` (UTC)."""
    reviews = list(found)
    readable = [review.envelope for review in reviews if review.envelope]
    return ReviewStatus(
        target=target,
        demanded=demanded,
        count=count_reviews(readable, policy, target, now),
        unreadable=tuple(review for review in reviews if review.envelope is None),
    )


def _line(other: ExcludedReview) -> str:
    key = ascii(other.keyid)[1:-1][:16]
    return f"{other.reviewer} ({f'key {key}' if key else 'no key id'}): {other.why}"
