"""The gate before a build: enough reviewers of exactly this source and claim, or no build."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import SourceNotReviewedError
from builders.recipe.recipe import Recipe
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.salt import release_salt
from pipelines.policy import Policy
from pipelines.policy.reviews.count import ReviewCount, Uncounted, count_reviews
from pipelines.policy.reviews.records import StoredReview, stored_reviews
from pipelines.policy.reviews.subject import Reviewed, plain
from pipelines.storage.store import Store

_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a release stands with its reviewers."""

    demanded: int
    count: ReviewCount
    unreadable: tuple[StoredReview, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether as many reviewers count as are demanded."""
        return len(self.count.counted) >= self.demanded

    def require(self, reviewed: Reviewed) -> None:
        """Raise `SourceNotReviewedError` unless enough reviewers count."""
        if self.enough:
            return
        sources = ", ".join(str(plain(told)) for told in reviewed.sources)
        raise SourceNotReviewedError(
            "the source is not reviewed",
            got=f"{len(self.count.counted)} of {self.demanded} reviewers: {self.told()}",
            expected=f"{self.demanded} distinct reviewers of the policy who approve exactly the "
            f"source {sources} and the claim {plain(reviewed.claim)}",
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
                for u in self.count.uncounted
            ],
            "unreadable": [review.name for review in self.unreadable],
        }

    def told(self) -> str:
        """Return who counts and why nobody else does, in one line."""
        found = [c.reviewer for c in self.count.counted]
        lines = list(dict.fromkeys(_line(other) for other in self.count.uncounted))
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} records cannot be read")
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        others = f"; not counted: {', '.join(lines[:_SHOWN])}{more}" if lines else ""
        return f"{', '.join(found) or 'nobody'}{others}"


def reviewed_of(recipe: Recipe, claim: Digest, sources: Iterable[Digest], store: Store) -> Reviewed:
    """Return what reviews of a release name; a private one gets its salt if it has none yet."""
    salt = release_salt(store, name_of(recipe)) if recipe.visibility == "private" else None
    return Reviewed.of(sources, claim, salt)


def name_of(recipe: Recipe) -> ReleaseName:
    """Return the release of a recipe."""
    return ReleaseName(vendor=recipe.vendor, product=recipe.product, version=recipe.version)


def standing(
    recipe: Recipe, reviewed: Reviewed, *, policy: Policy, store: Store, now: datetime
) -> Standing:
    """Count the reviews that the store has of `reviewed`; raises `StoreError`."""
    demanded = policy.demand(recipe.kind, recipe.reviews.minimum if recipe.reviews else 0)
    if not policy.reviewers:
        return Standing(demanded=demanded, count=ReviewCount())
    found = [r for source in reviewed.sources for r in stored_reviews(store, plain(source))]
    count = count_reviews([r.envelope for r in found if r.envelope], policy, reviewed, now)
    broken = tuple(r for r in found if r.envelope is None)
    return Standing(demanded=demanded, count=count, unreadable=broken)


def _line(other: Uncounted) -> str:
    key = ascii(other.keyid)[1:-1][:16]
    return f"{other.reviewer} ({f'key {key}' if key else 'no key id'}): {other.why}"
