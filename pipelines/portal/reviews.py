"""Who has reviewed the source of a release, and who does not count and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy.reviews.count import ReviewTarget
from pipelines.policy.reviews.review_records import (
    REVIEWS,
    StoredReview,
    status_of,
    stored_reviews,
)
from pipelines.portal.facts import ReleaseFacts


class ReviewerRow(FrozenModel):
    """A reviewer who counts."""

    reviewer: str
    key: str
    scoped: bool
    """Whether the scope of the judgement is approved too."""


class NotCountedReview(FrozenModel):
    """A review that does not count, by the name that it gives itself."""

    reviewer: str
    key: str
    why: str


class ReviewsOfRelease(FrozenModel):
    """The reviews of exactly the source, claim and scope of a release."""

    sources: tuple[Digest, ...]
    demanded: int
    counted: tuple[ReviewerRow, ...]
    not_counted: tuple[NotCountedReview, ...]
    unreadable: int

    @property
    def enough(self) -> bool:
        """Whether as many reviewers count as are demanded."""
        return len(self.counted) >= self.demanded


def reviews_of_release(facts: ReleaseFacts, sources: Iterable[Digest]) -> ReviewsOfRelease | None:
    """Count the reviews of a release; None where it is not known what would be reviewed.

    `sources` are the source digests, keyed ones of a closed source. Raises `StoreError`.
    """
    named = tuple(sorted(set(sources)))
    subject = next((one.subject for one in facts.joined.consensus.artefacts), None)
    recipe = facts.joined.recipe.recipe if facts.joined.recipe else None
    if subject is None or subject.claim is None or recipe is None or not named:
        return None
    keyed, policy = subject.claim.sha256 is None, facts.view.policy.policy
    target = ReviewTarget(
        sources=tuple(
            DigestSet(hmac_sha256=one) if keyed else DigestSet(sha256=one) for one in named
        ),
        claim=subject.claim,
        scope=subject.scope,
    )
    demanded = policy.demand(recipe.kind, recipe.reviews.minimum if recipe.reviews else 0)
    found = (review for one in named for review in _stored(facts, one))
    status = status_of(target, demanded, found, policy, facts.now)
    return ReviewsOfRelease(
        sources=named,
        demanded=demanded,
        counted=tuple(
            ReviewerRow(reviewer=one.reviewer, key=one.keyid, scoped=one.scoped)
            for one in status.count.counted
        ),
        not_counted=tuple(
            NotCountedReview(reviewer=one.reviewer, key=one.keyid, why=str(one.why))
            for one in status.count.excluded
        ),
        unreadable=len(status.unreadable),
    )


def _stored(facts: ReleaseFacts, source: Digest) -> Iterator[StoredReview]:
    """Yield the reviews of a source; the release is made again when there is another one."""
    if facts.names(f"{REVIEWS}{source}/"):
        yield from stored_reviews(facts.view.store, DigestSet(sha256=source))
