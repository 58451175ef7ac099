"""Reviewers with real keys, and the reviews that they sign."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders.core.digest import Digest
from infra.bench.madeup import EMPTY_POLICY
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.publickey import PublicKey, ed25519_key
from pipelines.evidence.statements.people import Decision
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import Policy, Reviewer
from pipelines.policy.model import ReviewRules
from pipelines.policy.reviews.count import ReviewTarget
from tests.evidence.examples import review

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SOURCE, OTHER_SOURCE, SECOND_SOURCE = (Digest(letter * 64) for letter in "123")
CLAIM, OTHER_CLAIM = Digest("c" * 64), Digest("d" * 64)
SCOPE, OTHER_SCOPE = Digest("5" * 64), Digest("6" * 64)
THE_SOURCE, THE_CLAIM = DigestSet(sha256=SOURCE), DigestSet(sha256=CLAIM)
THE_SCOPE = DigestSet(sha256=SCOPE)
REVIEWED = ReviewTarget.named([SOURCE], CLAIM, scope=SCOPE, keyed=False)


@dataclass(frozen=True)
class Person:
    """A key made from a number, so that every run signs the same."""

    number: int

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.number]) * 32)

    @property
    def public(self) -> PublicKey:
        return ed25519_key(self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


ADA, BOB, CLEO, EVE = (Person(number) for number in (1, 2, 3, 4))


def policy(*, revoked: tuple[Person, ...] = (), **people: Person) -> Policy:
    """Return a policy of ada, bob and cleo, or of those given; nothing is checked."""
    named = people or {"ada": ADA, "bob": BOB, "cleo": CLEO}
    return replace(
        EMPTY_POLICY,
        reviewers=tuple(Reviewer(name=n, key=p.public) for n, p in named.items()),
        reviews=ReviewRules(minimum=1),
        revoked=frozenset(p.public.keyid for p in revoked),
    )


@cache
def signed(
    name: str,
    *people: Person,
    source: DigestSet = THE_SOURCE,
    claim: DigestSet = THE_CLAIM,
    scope: DigestSet | None = THE_SCOPE,
    decision: Decision = Decision.APPROVE,
    ago: timedelta = timedelta(hours=1),
) -> Envelope:
    """Return a review under a name, signed by people."""
    statement = review(
        source=source,
        claim=claim,
        scope=scope,
        reviewer=name,
        decision=decision,
        now=NOW - ago,
    )
    return sign_envelope(statement.to_bytes(), *people)
