"""The gate before a build: enough reviewers of exactly this source and claim, or no build."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import SourceNotReviewedError
from builders.recipe.recipe import Recipe
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.salt import release_salt
from pipelines.evidence.statements.statement import value_of
from pipelines.policy import Policy
from pipelines.policy.reviews.count import (
    ExcludedReview,
    ReviewCount,
    ReviewTarget,
    count_reviews,
)
from pipelines.policy.reviews.review_records import StoredReview, stored_reviews
from pipelines.storage.store import Store

_SHOWN = 10


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
            f"source {sources} and the claim {value_of(self.target.claim)}",
            todo="`samebits review approve RECIPE` signs a review, `samebits review import` "
            "brings those of others, `samebits review list RECIPE` shows how it stands",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "demanded": self.demanded,
            "counted": [{"reviewer": c.reviewer, "key": c.keyid} for c in self.count.counted],
            "not_counted": [
                {"reviewer": u.reviewer, "key": u.keyid, "why": str(u.why)}
                for u in self.count.excluded
            ],
            "unreadable": [review.name for review in self.unreadable],
        }

    def summary(self) -> str:
        """Return who counts and why others do not, in one line."""
        found = [c.reviewer for c in self.count.counted]
        lines = list(dict.fromkeys(_line(other) for other in self.count.excluded))
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} records cannot be read")
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        others = f"; not counted: {', '.join(lines[:_SHOWN])}{more}" if lines else ""
        return f"{', '.join(found) or 'nobody'}{others}"


def review_target(
    recipe: Recipe, claim: Digest, sources: Iterable[Digest], store: Store
) -> ReviewTarget:
    """Return what reviews of a release name; a private one gets its salt if it has none yet."""
    private = recipe.visibility == "private"
    salt = release_salt(store, ReleaseName.parse(recipe.release)) if private else None
    return ReviewTarget.of(sources, claim, salt)


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
