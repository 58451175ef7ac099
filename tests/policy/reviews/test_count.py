"""Who counts as a reviewer, case by case."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.bench.madeup import EMPTY_POLICY
from pipelines.evidence.clocks import SKEW
from pipelines.evidence.dsse import Envelope, Signature, sign_envelope
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.people import Decision
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import Policy, Reviewer
from pipelines.policy.reviews.count import (
    ReviewCount,
    ReviewExclusion,
    ReviewTarget,
    count_reviews,
    key_exclusion,
)
from tests.evidence.examples import STATEMENTS
from tests.policy.reviews.people import (
    ADA,
    BOB,
    CLAIM,
    CLEO,
    EVE,
    NOW,
    OTHER_CLAIM,
    OTHER_SCOPE,
    OTHER_SOURCE,
    REVIEWED,
    SCOPE,
    SECOND_SOURCE,
    SOURCE,
    Person,
    policy,
    signed,
)

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
WITHDRAW = Decision.WITHDRAW
PEOPLE = policy()
SALT = Salt(secret=b"s" * 32)


def flipped(envelope: Envelope) -> Envelope:
    (signature,) = envelope.signatures
    sig = bytes([signature.sig[0] ^ 1]) + signature.sig[1:]
    return envelope.model_copy(update={"signatures": (signature.model_copy(update={"sig": sig}),)})


def hinted(envelope: Envelope, keyid: str) -> Envelope:
    (signature,) = envelope.signatures
    return envelope.model_copy(
        update={"signatures": (signature.model_copy(update={"keyid": keyid}),)}
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    reviews: tuple[Envelope, ...]
    counted: tuple[str, ...] = ()
    why: tuple[tuple[str, ReviewExclusion], ...] = ()
    policy: Policy = PEOPLE
    reviewed: ReviewTarget = REVIEWED


ada = signed("ada", ADA)
bob = signed("bob", BOB)
TWO = ReviewTarget.named([SOURCE, SECOND_SOURCE], CLAIM, scope=SCOPE, keyed=False)
second = DigestSet(sha256=SECOND_SOURCE)
PRIVATE = ReviewTarget.of([SOURCE], CLAIM, SALT, scope=SCOPE)
keyed = DigestSet(hmac_sha256=SALT.keyed(SOURCE))
keyed_claim = DigestSet(hmac_sha256=SALT.keyed(CLAIM))
keyed_scope = DigestSet(hmac_sha256=SALT.keyed(SCOPE))
elsewhere = DigestSet(sha256=OTHER_SCOPE)
old_ada = signed("ada", ADA, scope=None)
STRICT = replace(PEOPLE, min_evidence=2)

CASES: dict[str, Case] = {
    "nobody": Case(reviews=()),
    "one": Case(reviews=(ada,), counted=("ada",)),
    "two-people": Case(reviews=(ada, bob), counted=("ada", "bob")),
    "a-key-that-nobody-knows": Case(
        reviews=(signed("eve", EVE),), why=(("eve", ReviewExclusion.UNKNOWN_KEY),)
    ),
    "a-key-that-nobody-knows-where-another-is-revoked": Case(
        reviews=(signed("eve", EVE),),
        policy=policy(revoked=(ADA,)),
        why=(("eve", ReviewExclusion.UNKNOWN_KEY),),
    ),
    "a-stranger-under-a-known-name": Case(
        reviews=(signed("ada", EVE),), why=(("ada", ReviewExclusion.UNKNOWN_KEY),)
    ),
    "no-policy": Case(
        reviews=(ada,), policy=EMPTY_POLICY, why=(("ada", ReviewExclusion.UNKNOWN_KEY),)
    ),
    "a-revoked-key": Case(
        reviews=(ada, bob),
        policy=policy(revoked=(ADA,)),
        counted=("bob",),
        why=(("ada", ReviewExclusion.REVOKED_KEY),),
    ),
    "a-revoked-key-no-longer-listed": Case(
        reviews=(ada,),
        policy=policy(revoked=(ADA,), bob=BOB),
        why=(("ada", ReviewExclusion.REVOKED_KEY),),
    ),
    "the-new-key-of-one-whose-old-is-revoked": Case(
        reviews=(ada, signed("ada", CLEO)),
        policy=replace(
            EMPTY_POLICY,
            reviewers=(Reviewer(name="ada", key=ADA.public), Reviewer(name="ada", key=CLEO.public)),
            revoked=frozenset({ADA.public.keyid}),
        ),
        counted=("ada",),
        why=(("ada", ReviewExclusion.REVOKED_KEY),),
    ),
    "a-signature-that-is-wrong": Case(
        reviews=(flipped(ada),), why=(("ada", ReviewExclusion.BAD_SIGNATURE),)
    ),
    "a-hint-that-lies": Case(reviews=(hinted(ada, "x"),), counted=("ada",)),
    "a-hint-at-a-known-key": Case(
        reviews=(hinted(signed("ada", EVE), ADA.public.keyid),),
        why=(("ada", ReviewExclusion.BAD_SIGNATURE),),
    ),
    "the-name-of-somebody-else": Case(
        reviews=(signed("bob", ADA),), why=(("bob", ReviewExclusion.NAME_OF_ANOTHER),)
    ),
    "a-name-that-nobody-has": Case(
        reviews=(signed("zoe", ADA),), why=(("zoe", ReviewExclusion.NAME_OF_ANOTHER),)
    ),
    "signed-by-two-under-one-name": Case(reviews=(signed("bob", ADA, BOB),), counted=("bob",)),
    "another-source": Case(
        reviews=(signed("ada", ADA, source=DigestSet(sha256=OTHER_SOURCE)),),
        why=(("ada", ReviewExclusion.OTHER_SOURCE),),
    ),
    "another-claim": Case(
        reviews=(signed("ada", ADA, claim=DigestSet(sha256=OTHER_CLAIM)),),
        why=(("ada", ReviewExclusion.OTHER_CLAIM),),
    ),
    "another-scope": Case(
        reviews=(signed("ada", ADA, scope=elsewhere),), why=(("ada", ReviewExclusion.OTHER_SCOPE),)
    ),
    "another-scope-withdrawn": Case(
        reviews=(ada, signed("ada", ADA, decision=WITHDRAW, ago=MINUTE, scope=elsewhere)),
        counted=("ada",),
        why=(("ada", ReviewExclusion.OTHER_SCOPE),),
    ),
    "before-there-were-scopes": Case(reviews=(old_ada,), counted=("ada",)),
    "before-there-were-scopes-under-a-policy-that-wants-them": Case(
        reviews=(old_ada, bob),
        counted=("bob",),
        why=(("ada", ReviewExclusion.NO_SCOPE),),
        policy=STRICT,
    ),
    "before-there-were-scopes-withdrawn": Case(
        reviews=(ada, signed("ada", ADA, scope=None, decision=WITHDRAW, ago=MINUTE)),
        why=(("ada", ReviewExclusion.WITHDRAWN),) * 2,
        policy=STRICT,
    ),
    "of-a-run-that-named-no-scope": Case(
        reviews=(ada,), counted=("ada",), reviewed=replace(REVIEWED, scope=None)
    ),
    "at-the-edge-of-the-skew": Case(reviews=(signed("ada", ADA, ago=-SKEW),), counted=("ada",)),
    "from-the-future": Case(
        reviews=(signed("ada", ADA, ago=-SKEW - SECOND),), why=(("ada", ReviewExclusion.FUTURE),)
    ),
    "withdrawn": Case(
        reviews=(ada, signed("ada", ADA, decision=WITHDRAW, ago=MINUTE)),
        why=(("ada", ReviewExclusion.WITHDRAWN),) * 2,
    ),
    "withdrawn-in-the-same-second": Case(
        reviews=(ada, signed("ada", ADA, decision=WITHDRAW)),
        why=(("ada", ReviewExclusion.WITHDRAWN),) * 2,
    ),
    "withdrawn-from-the-future": Case(
        reviews=(ada, signed("ada", ADA, decision=WITHDRAW, ago=-HOUR)),
        why=(("ada", ReviewExclusion.WITHDRAWN),) * 2,
    ),
    "withdrawn-and-approved-again": Case(
        reviews=(
            signed("ada", ADA, decision=WITHDRAW, ago=2 * HOUR),
            ada,
        ),
        counted=("ada",),
        why=(("ada", ReviewExclusion.REPEATED),),
    ),
    "withdrawn-with-another-key-of-the-same-person": Case(
        reviews=(ada, signed("ada", CLEO, decision=WITHDRAW, ago=MINUTE)),
        policy=replace(
            EMPTY_POLICY,
            reviewers=(Reviewer(name="ada", key=ADA.public), Reviewer(name="ada", key=CLEO.public)),
        ),
        why=(("ada", ReviewExclusion.WITHDRAWN),) * 2,
    ),
    "a-stranger-cannot-withdraw": Case(
        reviews=(ada, signed("ada", EVE, decision=WITHDRAW, ago=MINUTE)),
        counted=("ada",),
        why=(("ada", ReviewExclusion.UNKNOWN_KEY),),
    ),
    "another-reviewer-cannot-withdraw": Case(
        reviews=(ada, signed("ada", BOB, decision=WITHDRAW, ago=MINUTE)),
        counted=("ada",),
        why=(("ada", ReviewExclusion.NAME_OF_ANOTHER),),
    ),
    "the-withdrawal-of-another-claim": Case(
        reviews=(
            ada,
            signed("ada", ADA, decision=WITHDRAW, ago=MINUTE, claim=DigestSet(sha256=OTHER_CLAIM)),
        ),
        counted=("ada",),
        why=(("ada", ReviewExclusion.OTHER_CLAIM),),
    ),
    "one-person-twice": Case(
        reviews=(ada, signed("ada", ADA, ago=MINUTE)),
        counted=("ada",),
        why=(("ada", ReviewExclusion.REPEATED),),
    ),
    "one-person-with-two-keys": Case(
        reviews=(ada, signed("ada", CLEO, ago=MINUTE)),
        policy=replace(
            EMPTY_POLICY,
            reviewers=(Reviewer(name="ada", key=ADA.public), Reviewer(name="ada", key=CLEO.public)),
        ),
        counted=("ada",),
        why=(("ada", ReviewExclusion.REPEATED),),
    ),
    "one-key-under-two-names": Case(
        reviews=(ada, signed("ben", ADA)),
        policy=policy(ada=ADA, ben=ADA),
        counted=("ada",),
        why=(("ben", ReviewExclusion.SAME_KEY),),
    ),
    "every-source": Case(
        reviews=(ada, signed("ada", ADA, source=second)), reviewed=TWO, counted=("ada",)
    ),
    "one-source-of-two": Case(
        reviews=(ada, bob, signed("bob", BOB, source=second)),
        reviewed=TWO,
        counted=("bob",),
        why=(("ada", ReviewExclusion.INCOMPLETE),),
    ),
    "two-people-with-half-each": Case(
        reviews=(ada, signed("bob", BOB, source=second)),
        reviewed=TWO,
        why=(("ada", ReviewExclusion.INCOMPLETE), ("bob", ReviewExclusion.INCOMPLETE)),
    ),
    "one-source-of-two-withdrawn": Case(
        reviews=(
            ada,
            signed("ada", ADA, source=second),
            signed("ada", ADA, source=second, decision=WITHDRAW, ago=MINUTE),
        ),
        reviewed=TWO,
        why=(("ada", ReviewExclusion.WITHDRAWN),) * 3,
    ),
    "keyed-digests": Case(
        reviews=(signed("ada", ADA, source=keyed, claim=keyed_claim, scope=keyed_scope),),
        reviewed=PRIVATE,
        counted=("ada",),
    ),
    "plain-digests-of-a-private-release": Case(
        reviews=(ada,), reviewed=PRIVATE, why=(("ada", ReviewExclusion.OTHER_SOURCE),)
    ),
    "keyed-digests-of-a-public-release": Case(
        reviews=(
            signed(
                "ada",
                ADA,
                source=DigestSet(hmac_sha256=SOURCE),
                claim=DigestSet(hmac_sha256=CLAIM),
                scope=DigestSet(hmac_sha256=SCOPE),
            ),
        ),
        why=(("ada", ReviewExclusion.OTHER_SOURCE),),
    ),
    "a-statement-of-another-kind": Case(
        reviews=(sign_envelope(STATEMENTS["attempt"].to_bytes(), ADA),),
        why=(("unknown", ReviewExclusion.NOT_A_REVIEW),),
    ),
    "no-statement": Case(
        reviews=(sign_envelope(b'{"approve": "all"}', ADA),),
        why=(("unknown", ReviewExclusion.NOT_A_REVIEW),),
    ),
    "a-payload-of-another-type": Case(
        reviews=(ada.model_copy(update={"payload_type": "text/plain"}),),
        why=(("unknown", ReviewExclusion.WRONG_TYPE),),
    ),
}


@pytest.mark.parametrize(
    ("person", "name", "rules", "why"),
    [
        (ADA, "ada", PEOPLE, None),
        (EVE, "eve", PEOPLE, ReviewExclusion.UNKNOWN_KEY),
        (EVE, "ada", PEOPLE, ReviewExclusion.UNKNOWN_KEY),
        (ADA, "bob", PEOPLE, ReviewExclusion.NAME_OF_ANOTHER),
        (ADA, "ada", policy(revoked=(ADA,)), ReviewExclusion.REVOKED_KEY),
        (ADA, "ada", EMPTY_POLICY, ReviewExclusion.UNKNOWN_KEY),
    ],
)
def test_a_key_is_judged_before_it_signs(
    person: Person, name: str, rules: Policy, why: ReviewExclusion | None
) -> None:
    assert key_exclusion(person.public, name, rules) is why
    count = count_reviews([signed(name, person)], rules, REVIEWED, NOW)
    assert [u.why for u in count.excluded] == ([] if why is None else [why])


def outcome(count: ReviewCount) -> tuple[list[str], list[tuple[str, ReviewExclusion]]]:
    return [c.reviewer for c in count.counted], [(u.reviewer, u.why) for u in count.excluded]


@pytest.mark.parametrize("name", CASES)
def test_who_counts(name: str) -> None:
    case = CASES[name]
    expected = (list(case.counted), sorted(case.why))
    for order in itertools.permutations(case.reviews):
        found = count_reviews(order, case.policy, case.reviewed, NOW)
        assert outcome(found) == expected


def test_a_payload_that_was_changed_after_it_was_signed_does_not_count() -> None:
    changed = ada.model_copy(update={"payload": bob.payload})
    (one,) = count_reviews([changed], policy(), REVIEWED, NOW).excluded
    assert one.why is ReviewExclusion.BAD_SIGNATURE


def test_the_same_record_twice_counts_once() -> None:
    count = count_reviews([ada, ada], policy(), REVIEWED, NOW)
    assert [c.reviewer for c in count.counted] == ["ada"]


def test_who_approves_no_scope_is_told() -> None:
    found = count_reviews([old_ada, bob], PEOPLE, REVIEWED, NOW)
    assert [(c.reviewer, c.scoped) for c in found.counted] == [("ada", False), ("bob", True)]


def test_the_key_that_counted_is_told() -> None:
    (counted,) = count_reviews([ada], policy(), REVIEWED, NOW).counted
    assert counted.keyid == ADA.public.keyid


POOL = [review for case in CASES.values() for review in case.reviews]


@given(st.lists(st.sampled_from(POOL), max_size=8), st.randoms(use_true_random=False))
def test_order_means_nothing_and_nobody_counts_twice(
    reviews: list[Envelope], random: Random
) -> None:
    first = count_reviews(reviews, policy(), REVIEWED, NOW)
    random.shuffle(reviews)
    assert count_reviews(reviews, policy(), REVIEWED, NOW) == first
    names = [c.reviewer for c in first.counted]
    assert len(set(names)) == len(names)
    assert len({c.keyid for c in first.counted}) == len(names)


@given(st.lists(st.sampled_from(POOL), max_size=6), st.sampled_from(POOL))
def test_a_withdrawal_never_adds_a_reviewer(reviews: list[Envelope], other: Envelope) -> None:
    before = {c.reviewer for c in count_reviews(reviews, policy(), REVIEWED, NOW).counted}
    withdrawal = signed("ada", ADA, decision=WITHDRAW, ago=-HOUR)
    after = {
        c.reviewer for c in count_reviews([*reviews, withdrawal], policy(), REVIEWED, NOW).counted
    }
    assert after == before - {"ada"}


@given(st.binary(max_size=80), st.binary(min_size=1, max_size=80), st.text(max_size=20))
def test_rubbish_never_counts(payload: bytes, sig: bytes, keyid: str) -> None:
    signature = Signature.model_construct(keyid=keyid, sig=sig)
    envelope = Envelope.model_construct(payload=payload, signatures=(signature,))
    assert count_reviews([envelope], policy(), REVIEWED, NOW).counted == ()
