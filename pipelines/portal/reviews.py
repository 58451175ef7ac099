"""Who has reviewed the source of a release, and who does not count and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import AwareDatetime

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.statements.statement import DigestSet, value_of
from pipelines.policy.reviews.comment_records import COMMENTS, stored_comments
from pipelines.policy.reviews.comments import (
    Question,
    QuestionState,
    ReadComment,
    SaidComment,
    read_discussion,
)
from pipelines.policy.reviews.count import ReviewTarget
from pipelines.policy.reviews.review_records import (
    REVIEWS,
    StoredReview,
    status_of,
    stored_reviews,
)
from pipelines.portal.built_from import BuiltFrom
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


class SaidRow(FrozenModel):
    """What a person of the policy has said about the source, and signed."""

    author: str
    on: AwareDatetime
    place: str
    """The file and line that it is about; empty for none, and where the source is closed."""
    text: str | None
    """None where the source is closed."""


class QuestionRow(SaidRow):
    """A question, and what became of it."""

    state: QuestionState
    answers: tuple[SaidRow, ...]


class ReviewsOfRelease(FrozenModel):
    """The reviews of exactly the source, claim and scope of a release."""

    sources: tuple[Digest, ...]
    demanded: int
    counted: tuple[ReviewerRow, ...]
    not_counted: tuple[NotCountedReview, ...]
    unreadable: int
    questions: tuple[QuestionRow, ...]
    """About the source, the oldest first."""
    comments: int
    """Remarks that ask nothing."""

    @property
    def enough(self) -> bool:
        """Whether as many reviewers count as are demanded."""
        return len(self.counted) >= self.demanded


def reviews_of_release(facts: ReleaseFacts, built: BuiltFrom | None) -> ReviewsOfRelease | None:
    """Return who has reviewed what a release was `built` from.

    None where that is not known. Raises `StoreError`.
    """
    named = tuple(sorted(set(built.sources))) if built else ()
    subject = next((one.subject for one in facts.joined.consensus.artefacts), None)
    recipe = facts.joined.recipe.recipe if facts.joined.recipe else None
    if subject is None or subject.claim is None or built is None or not named:
        return None
    keyed, policy = subject.claim.sha256 is None, facts.view.policy.policy
    target = ReviewTarget(
        sources=tuple(
            DigestSet(hmac_sha256=one) if keyed else DigestSet(sha256=one) for one in named
        ),
        claim=subject.claim,
        scope=subject.scope,
    )
    asks = recipe.reviews.minimum if recipe and recipe.reviews else 0
    demanded = policy.demand(built.kind, asks)
    found = (review for one in named for review in _stored(facts, one))
    status = status_of(target, demanded, found, policy, facts.now)
    asked = (one for source in target.sources for one in _comments(facts, source))
    said = read_discussion(asked, policy, target.sources, facts.now)
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
        questions=tuple(map(_question, said.questions)),
        comments=len(said.comments),
    )


def _stored(facts: ReleaseFacts, source: Digest) -> Iterator[StoredReview]:
    """Yield the reviews of a source; the release is made again when there is another one."""
    if facts.names(f"{REVIEWS}{source}/"):
        yield from stored_reviews(facts.view.store, DigestSet(sha256=source))


def _comments(facts: ReleaseFacts, source: DigestSet) -> Iterator[ReadComment]:
    """Yield what was said about a source; likewise."""
    if facts.names(f"{COMMENTS}{value_of(source)}/"):
        yield from stored_comments(facts.view.store, source)


def _question(one: Question) -> QuestionRow:
    answers = tuple(SaidRow(**_said(answer)) for answer in one.answers)
    return QuestionRow(**_said(one.asked), state=one.state, answers=answers)


def _said(one: SaidComment) -> dict[str, Any]:
    content = one.content
    return {
        "author": one.author,
        "on": one.comment.said_on,
        "place": content.place if content else "",
        "text": content.text if content else None,
    }
