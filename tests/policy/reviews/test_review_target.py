"""What a review is about: sources, claim and scope, keyed for closed source."""

from __future__ import annotations

from builders.core.digest import Digest
from pipelines.evidence.salt import Salt
from pipelines.policy.reviews.count import ReviewTarget
from tests.policy.reviews.people import CLAIM, SCOPE, SECOND_SOURCE, SOURCE

SALT = Salt(secret=b"s" * 32)


def test_sources_are_sorted_whatever_order_they_are_given_in() -> None:
    digests = [Digest(f"{number:064x}") for number in range(20)]
    target = ReviewTarget.named(reversed(digests), CLAIM, scope=SCOPE, keyed=False)
    assert [source.sha256 for source in target.sources] == digests


def test_digests_are_told_keyed_or_plain() -> None:
    plain = ReviewTarget.of([SECOND_SOURCE, SOURCE, SOURCE], CLAIM, None, scope=SCOPE)
    assert plain == ReviewTarget.named([SOURCE, SECOND_SOURCE], CLAIM, scope=SCOPE, keyed=False)
    secret = ReviewTarget.of([SOURCE], CLAIM, SALT, scope=SCOPE)
    assert secret.claim.sha256 is None
    assert secret.claim.hmac_sha256 not in {None, CLAIM, Digest.of(CLAIM.hex.encode())}
