"""How many reviewers of exactly this source and claim there are: a pure function.

A reviewer counts whose newest decision on every source, with this claim, is to approve, signed with
a key that the policy gives to that name and does not revoke. A person counts once, and so does a
key. A withdrawal holds even when its time cannot be: doubt takes reviews away, never adds one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from builders.core.digest import Digest
from pipelines.evidence.dsse import PAYLOAD_TYPE, Envelope, verify
from pipelines.evidence.errors import MalformedError, SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.signed import statement_of
from pipelines.evidence.statements import Decision, ReviewStatement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import Policy
from pipelines.policy.reviews.subject import Reviewed

SKEW = timedelta(minutes=5)
"""How far the clock of a reviewer may be ahead."""


class Why(StrEnum):
    """Why a review does not count, in words for people."""

    WRONG_TYPE = "its payload is of another type"
    NOT_A_REVIEW = "it is not a review"
    UNKNOWN_KEY = "its key is not in the policy"
    REVOKED_KEY = "its key is revoked"
    BAD_SIGNATURE = "its signature is wrong"
    NAME_OF_ANOTHER = "its key belongs to another name"
    OTHER_SOURCE = "it is about another source"
    OTHER_CLAIM = "it is about another claim"
    FUTURE = "it was made in the future"
    WITHDRAWN = "it was withdrawn"
    REPEATED = "a newer one of the same reviewer counts"
    INCOMPLETE = "not every source was approved"
    SAME_KEY = "another name has used the same key"


@dataclass(frozen=True, kw_only=True, order=True)
class Counted:
    """A reviewer who counts."""

    reviewer: str
    keyid: str


@dataclass(frozen=True, kw_only=True, order=True)
class Uncounted:
    """A review that does not count, by the name and key id that it gives itself."""

    reviewer: str
    keyid: str
    why: Why


@dataclass(frozen=True, kw_only=True)
class ReviewCount:
    """Who counts, and why nobody else does; sorted."""

    counted: tuple[Counted, ...] = ()
    uncounted: tuple[Uncounted, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Vote:
    """A decision whose signature, name, source and claim are right."""

    reviewer: str
    key: PublicKey
    source: DigestSet
    decision: Decision
    decided_on: datetime
    digest: Digest

    @property
    def place(self) -> tuple[datetime, bool, Digest]:
        """Where it comes in time; of two at one time a withdrawal is the later one."""
        return self.decided_on, self.decision is Decision.WITHDRAW, self.digest

    def passed_over(self, why: Why) -> Uncounted:
        return Uncounted(reviewer=self.reviewer, keyid=self.key.keyid, why=why)


def count_reviews(
    envelopes: Iterable[Envelope], policy: Policy, reviewed: Reviewed, now: datetime
) -> ReviewCount:
    """Count the reviewers of `reviewed` at `now` (UTC); the order of `envelopes` means nothing."""
    read = [_vote(envelope, policy, reviewed, now) for envelope in envelopes]
    votes = [vote for vote in read if isinstance(vote, _Vote)]
    uncounted = [other for other in read if isinstance(other, Uncounted)]
    counted: list[Counted] = []
    keys: set[str] = set()
    for name in sorted({vote.reviewer for vote in votes}):
        mine = [vote for vote in votes if vote.reviewer == name]
        deciding = _deciding(mine)
        why = _against(deciding, reviewed, keys)
        if why is None:
            keys |= {vote.key.material for vote in deciding.values()}
            last = max(deciding.values(), key=lambda vote: vote.place)
            counted.append(Counted(reviewer=name, keyid=last.key.keyid))
        uncounted += _passed_over(mine, deciding, why)
    return ReviewCount(counted=tuple(counted), uncounted=tuple(sorted(uncounted)))


def fault_of_key(key: PublicKey, reviewer: str, policy: Policy) -> Why | None:
    """Return why reviews by `reviewer` with that key do not count, None if they can."""
    owners = {r.name for r in policy.reviewers if r.key.material == key.material}
    if key.keyid in policy.revoked:
        return Why.REVOKED_KEY
    if not owners:
        return Why.UNKNOWN_KEY
    return None if reviewer in owners else Why.NAME_OF_ANOTHER


def _vote(
    envelope: Envelope, policy: Policy, reviewed: Reviewed, now: datetime
) -> _Vote | Uncounted:
    """Check one review."""
    keyid = envelope.signatures[0].keyid
    statement = _statement(envelope)
    if isinstance(statement, Why):
        return Uncounted(reviewer="unknown", keyid=keyid, why=statement)
    told = statement.predicate
    signer = _signer(envelope, told.reviewer, policy)
    if isinstance(signer, Why):
        return Uncounted(reviewer=told.reviewer, keyid=keyid, why=signer)
    if (why := _fault(statement, reviewed, now)) is not None:
        return Uncounted(reviewer=told.reviewer, keyid=keyid, why=why)
    return _Vote(
        reviewer=told.reviewer,
        key=signer,
        source=statement.source,
        decision=told.decision,
        decided_on=told.decided_on,
        digest=envelope.digest(),
    )


def _statement(envelope: Envelope) -> ReviewStatement | Why:
    if envelope.payload_type != PAYLOAD_TYPE:
        return Why.WRONG_TYPE
    try:
        statement = statement_of(envelope)
    except MalformedError:
        return Why.NOT_A_REVIEW
    return statement if isinstance(statement, ReviewStatement) else Why.NOT_A_REVIEW


def _signer(envelope: Envelope, reviewer: str, policy: Policy) -> PublicKey | Why:
    """Return the key of `reviewer` that signed, or why there is none that counts."""
    hints = {signature.keyid for signature in envelope.signatures}
    good = [r.key for r in policy.reviewers if r.key.keyid not in policy.revoked]
    try:
        signers = verify(envelope, good)
    except SignatureError:
        if hints & policy.revoked:
            return Why.REVOKED_KEY
        return Why.BAD_SIGNATURE if hints & {key.keyid for key in good} else Why.UNKNOWN_KEY
    own = {r.key.material for r in policy.reviewers if r.name == reviewer}
    return next((key for key in signers if key.material in own), Why.NAME_OF_ANOTHER)


def _fault(statement: ReviewStatement, reviewed: Reviewed, now: datetime) -> Why | None:
    """Return what is wrong with a review that is rightly signed, None if nothing is."""
    told = statement.predicate
    if statement.source not in reviewed.sources:
        return Why.OTHER_SOURCE
    if statement.claim != reviewed.claim:
        return Why.OTHER_CLAIM
    if told.decision is Decision.APPROVE and told.decided_on > now + SKEW:
        return Why.FUTURE
    return None


def _deciding(votes: list[_Vote]) -> dict[DigestSet, _Vote]:
    """Return the newest vote on each source."""
    newest: dict[DigestSet, _Vote] = {}
    for vote in sorted(votes, key=lambda vote: vote.place):
        newest[vote.source] = vote
    return newest


def _against(deciding: dict[DigestSet, _Vote], reviewed: Reviewed, keys: set[str]) -> Why | None:
    """Return why a reviewer does not count, None if they do."""
    if any(vote.decision is Decision.WITHDRAW for vote in deciding.values()):
        return Why.WITHDRAWN
    if deciding.keys() != set(reviewed.sources):
        return Why.INCOMPLETE
    if keys & {vote.key.material for vote in deciding.values()}:
        return Why.SAME_KEY
    return None


def _passed_over(
    votes: list[_Vote], deciding: dict[DigestSet, _Vote], why: Why | None
) -> list[Uncounted]:
    if why is not None:
        return [vote.passed_over(why) for vote in votes]
    newest = list(deciding.values())
    return [vote.passed_over(Why.REPEATED) for vote in votes if vote not in newest]
