"""Who has reviewed the source that a center says it built, and what people ask about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpKey
from pipelines.center.center import load_center
from pipelines.consensus.release_consensus import join_release
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.statements.comment import CommentContent, CommentKind
from pipelines.evidence.statements.people import Decision
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import Reviewer, SignedPolicy
from pipelines.policy.reviews.comment_records import sign_comment
from pipelines.policy.reviews.count import ReviewTarget
from pipelines.policy.reviews.review_records import sign_reviews
from pipelines.portal.built_from import BuiltFrom, built_from
from pipelines.portal.bundles import BundleMaker
from pipelines.portal.dependencies import Dependencies, folders_of
from pipelines.portal.facts import ReleaseFacts
from pipelines.portal.pages.release import ReleasePage, release_page
from pipelines.portal.release_line import release_line
from pipelines.portal.rendering import html
from pipelines.portal.reviews import ReviewsOfRelease, reviews_of_release
from pipelines.verify.session import Session
from tests.bundle.test_export import RELEASE, Filled

NOW = datetime.now(UTC)
ALICE, MALLORY = MadeUpKey("alice"), MadeUpKey("mallory")


class Reviewed:
    """A release whose source people review, and what its page says of them."""

    def __init__(self, filled: Filled, session: Session) -> None:
        self.store = filled.store
        self.view = session.consensus_view(NOW)
        signed = self.view.policy
        policy = replace(signed.policy, reviewers=(Reviewer(name="alice", key=ALICE.public),))
        known = SignedPolicy(policy=policy, envelope=signed.envelope)
        self.view = replace(self.view, policy=known, public_only=True)

    def facts(self) -> ReleaseFacts:
        depends = Dependencies.now(self.view)
        joined = join_release(self.view, RELEASE, logs=depends.logs)
        return ReleaseFacts(
            joined=joined,
            line=release_line(joined),
            alarms=(),
            view=self.view,
            logs=depends.logs,
            bundles=BundleMaker(self.view.sources, self.view.policy.policy, depends.logs),
            now=NOW,
            previous={},
            folders=folders_of(self.store),
        )

    def page(self) -> ReleasePage:
        return release_page(self.facts())

    @property
    def built(self) -> BuiltFrom:
        found = built_from(self.facts())
        assert found is not None
        return found

    @property
    def reviews(self) -> ReviewsOfRelease:
        found = reviews_of_release(self.facts(), self.built)
        assert found is not None
        return found

    @property
    def target(self) -> ReviewTarget:
        subject = self.facts().joined.consensus.artefacts[0].subject
        assert subject.claim is not None
        assert subject.claim.sha256 is not None
        scope = subject.scope.sha256 if subject.scope else None
        sources = self.built.sources
        return ReviewTarget.named(sources, subject.claim.sha256, scope=scope, keyed=False)

    def review(self, key: MadeUpKey, name: str, decision: Decision = Decision.APPROVE) -> None:
        sign_reviews(self.target, self.store, key=key, reviewer=name, decision=decision, now=NOW)

    def say(self, key: MadeUpKey, name: str, text: str, **more: Any) -> Any:
        fields: dict[str, Any] = {
            "kind": CommentKind.QUESTION,
            "content": CommentContent(text=text, path="src/rule", line=1),
            "question": None,
            "salt": None,
            "now": NOW - timedelta(hours=1),
            **more,
        }
        record = sign_comment(self.target, self.store, key=key, author=name, **fields)
        return Envelope.from_bytes(self.store.get(record, 1 << 16))


@pytest.fixture
def reviewed(tmp_path: Path) -> Iterator[Reviewed]:
    filled = Filled(tmp_path, "identical")
    with Session(load_center(filled.file)) as session:
        yield Reviewed(filled, session)


def test_the_inputs_and_the_source_digest_are_those_of_the_provenance(reviewed: Reviewed) -> None:
    found = reviewed.built
    assert [one.role for one in found.inputs] == ["source", "toolchain", "image"]
    assert found.sources == (found.inputs[0].source_digest,)
    assert (found.center, found.kind, found.method) == ("zurich", "ruleset", "script")


def test_a_provenance_of_another_claim_says_nothing(reviewed: Reviewed) -> None:
    facts, other = reviewed.facts(), DigestSet(sha256=Digest.of(b"another claim"))
    read, consensus = facts.joined.read, facts.joined.consensus
    joined = replace(
        facts.joined,
        read=replace(read, findings=tuple(replace(f, claim=other) for f in read.findings)),
        consensus=replace(
            consensus,
            artefacts=tuple(
                replace(one, subject=replace(one.subject, claim=other))
                for one in consensus.artefacts
            ),
        ),
    )
    assert built_from(replace(facts, joined=joined)) is None


def test_a_reviewer_of_the_policy_counts_and_a_stranger_does_not(reviewed: Reviewed) -> None:
    reviewed.review(ALICE, "alice")
    reviewed.review(MALLORY, "mallory")
    found = reviewed.reviews
    assert [one.reviewer for one in found.counted] == ["alice"]
    assert [(o.reviewer, o.why) for o in found.not_counted] == [
        ("mallory", "its key is not in the policy")
    ]


def test_a_withdrawn_review_does_not_count(reviewed: Reviewed) -> None:
    reviewed.review(ALICE, "alice")
    reviewed.review(ALICE, "alice", Decision.WITHDRAW)
    found = reviewed.reviews
    assert found.counted == ()
    assert {one.why for one in found.not_counted} == {"it was withdrawn"}


def test_a_question_is_told_with_its_state(reviewed: Reviewed) -> None:
    reviewed.say(ALICE, "alice", "Why <b>this</b>?")
    reviewed.say(MALLORY, "mallory", "not of the policy")
    (question,) = reviewed.reviews.questions
    assert (question.author, question.place, question.state) == ("alice", "src/rule:1", "open")
    page = html(reviewed.page(), "en").decode()
    assert "Why &lt;b&gt;this&lt;/b&gt;?" in page
    assert "not of the policy" not in page


def test_the_page_is_made_again_when_somebody_reviews_or_asks(reviewed: Reviewed) -> None:
    def watched() -> dict[str, str]:
        facts = reviewed.facts()
        release_page(facts)
        return facts.watched

    before = watched()
    assert {folder.split("/")[1] for folder in before} == {"reviews", "comments"}
    reviewed.review(ALICE, "alice")
    reviewed.say(ALICE, "alice", "Why?")
    after = watched()
    assert before.keys() == after.keys()
    assert all(before[folder] != after[folder] for folder in before)
