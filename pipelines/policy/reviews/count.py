"""What is reviewed, and how many reviewers of exactly that there are: pure code.

A reviewer counts whose newest decision on every source, with this claim and scope, is to approve,
signed with a key that the policy gives to that name and does not revoke. A person counts once, and
so does a key. A withdrawal with a time in the future counts all the same: what is doubtful can only
take a review away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from builders.core.digest import Digest
from pipelines.evidence.clocks import SKEW
from pipelines.evidence.dsse import PAYLOAD_TYPE, Envelope, verify_envelope
from pipelines.evidence.errors import MalformedError, SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.people import Decision, ReviewStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.strictjson import malformed
from pipelines.policy import Policy


@dataclass(frozen=True, kw_only=True)
class ReviewTarget:
    """Source digests, claim and scope as reviews name them: keyed ones for a private release."""

    sources: tuple[DigestSet, ...]
    claim: DigestSet
    scope: DigestSet | None = None
    """None for a run of before there were scopes."""

    @classmethod
    def of(
        cls, sources: Iterable[Digest], claim: Digest, salt: Salt | None, *, scope: Digest | None
    ) -> ReviewTarget:
        """Return what reviews of a release name; `salt` is that of a private one."""
        if salt is None:
            return cls.named(sources, claim, scope=scope, keyed=False)
        scope = salt.keyed(scope) if scope else None
        return cls.named(map(salt.keyed, sources), salt.keyed(claim), scope=scope, keyed=True)

    @classmethod
    def named(
        cls, sources: Iterable[Digest], claim: Digest, *, scope: Digest | None, keyed: bool
    ) -> ReviewTarget:
        """Return it from digests that are keyed already, or need not be, as a public report's."""

        def named(digest: Digest) -> DigestSet:
            return DigestSet(hmac_sha256=digest) if keyed else DigestSet(sha256=digest)

        return cls(
            sources=tuple(named(d) for d in sorted(set(sources))),
            claim=named(claim),
            scope=named(scope) if scope else None,
        )


class ReviewExclusion(StrEnum):
    """Why a review does not count, in words for people."""

    WRONG_TYPE = "its payload is of another type"
    NOT_A_REVIEW = "it is not a review"
    UNKNOWN_KEY = "its key is not in the policy"
    REVOKED_KEY = "its key is revoked"
    BAD_SIGNATURE = "its signature is wrong"
    NAME_OF_ANOTHER = "its key belongs to another name"
    OTHER_SOURCE = "it is about another source"
    OTHER_CLAIM = "it is about another claim"
    OTHER_SCOPE = "it is about another scope"
    NO_SCOPE = "it approves no scope, and the policy requires one"
    FUTURE = "it was made in the future"
    WITHDRAWN = "it was withdrawn"
    REPEATED = "a newer one of the same reviewer counts"
    INCOMPLETE = "not every source was approved"
    SAME_KEY = "another name has used the same key"
    NO_QUESTION = "it is about a question that is not known here"
    NOT_ITS_AUTHOR = "only its author withdraws a question"


@dataclass(frozen=True, kw_only=True, order=True)
class CountedReviewer:
    """A reviewer who counts."""

    reviewer: str
    keyid: str
    scoped: bool = True
    """Whether the scope is approved too, which reviews of format version 1 do not."""


@dataclass(frozen=True, kw_only=True, order=True)
class ExcludedReview:
    """A review that does not count, by the name and key id that it gives itself."""

    reviewer: str
    keyid: str
    why: ReviewExclusion


@dataclass(frozen=True, kw_only=True)
class ReviewCount:
    """Who counts, and why others do not; sorted."""

    counted: tuple[CountedReviewer, ...] = ()
    excluded: tuple[ExcludedReview, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Vote:
    """A review whose signature, name, source and claim are right."""

    statement: ReviewStatement
    key: PublicKey
    digest: Digest

    @property
    def reviewer(self) -> str:
        return self.statement.predicate.reviewer

    @property
    def withdraws(self) -> bool:
        return self.statement.predicate.decision is Decision.WITHDRAW

    @property
    def order(self) -> tuple[datetime, bool, Digest]:
        """Sort key by time; of two at one time a withdrawal is the later one."""
        return self.statement.predicate.decided_on, self.withdraws, self.digest


def count_reviews(
    envelopes: Iterable[Envelope], policy: Policy, target: ReviewTarget, now: datetime
) -> ReviewCount:
    """Count the reviewers of `target` at `now` (UTC); the order of `envelopes` is ignored."""
    read = [_vote(envelope, policy, target, now) for envelope in envelopes]
    votes = sorted((v for v in read if isinstance(v, _Vote)), key=lambda vote: vote.order)
    excluded = [other for other in read if isinstance(other, ExcludedReview)]
    counted: list[CountedReviewer] = []
    keys: set[str] = set()
    for name in sorted({vote.reviewer for vote in votes}):
        mine = [vote for vote in votes if vote.reviewer == name]
        newest = {vote.statement.source: vote for vote in mine}
        why = _reviewer_exclusion(newest, target, keys)
        if why is None:
            keys |= {vote.key.material for vote in newest.values()}
            scoped = all(vote.statement.scope for vote in newest.values())
            keyid = mine[-1].key.keyid
            counted.append(CountedReviewer(reviewer=name, keyid=keyid, scoped=scoped))
        excluded += [
            ExcludedReview(reviewer=name, keyid=vote.key.keyid, why=why or ReviewExclusion.REPEATED)
            for vote in mine
            if why or vote != newest[vote.statement.source]
        ]
    return ReviewCount(counted=tuple(counted), excluded=tuple(sorted(excluded)))


def key_exclusion(key: PublicKey, reviewer: str, policy: Policy) -> ReviewExclusion | None:
    """Return why reviews by `reviewer` with that key do not count, None if they can."""
    owners = {r.name for r in policy.reviewers if r.key.material == key.material}
    if key.keyid in policy.revoked:
        return ReviewExclusion.REVOKED_KEY
    if not owners:
        return ReviewExclusion.UNKNOWN_KEY
    return None if reviewer in owners else ReviewExclusion.NAME_OF_ANOTHER


def review_of(envelope: Envelope) -> ReviewStatement:
    """Return the review in an envelope, verifying nothing; raises `MalformedError`."""
    statement = read_statement(envelope.payload)
    if not isinstance(statement, ReviewStatement):
        raise malformed("the review", got=statement.predicate_type, expected="a review")
    return statement


class _ExcludedError(Exception):
    """A review does not count; its argument is the `ReviewExclusion`."""


def _vote(
    envelope: Envelope, policy: Policy, target: ReviewTarget, now: datetime
) -> _Vote | ExcludedReview:
    """Check one review."""
    keyid, reviewer = envelope.signatures[0].keyid, "unknown"
    try:
        statement = _statement(envelope)
        reviewer = statement.predicate.reviewer
        key = _signer(envelope, reviewer, policy)
        _check_subject(statement, target, policy, now)
    except _ExcludedError as error:
        return ExcludedReview(reviewer=reviewer, keyid=keyid, why=error.args[0])
    return _Vote(statement=statement, key=key, digest=envelope.digest())


def _statement(envelope: Envelope) -> ReviewStatement:
    if envelope.payload_type != PAYLOAD_TYPE:
        raise _ExcludedError(ReviewExclusion.WRONG_TYPE)
    try:
        return review_of(envelope)
    except MalformedError as error:
        raise _ExcludedError(ReviewExclusion.NOT_A_REVIEW) from error


def _signer(envelope: Envelope, reviewer: str, policy: Policy) -> PublicKey:
    """Return the key of `reviewer` that signed and counts."""
    hints = {signature.keyid for signature in envelope.signatures}
    good = [r.key for r in policy.reviewers if r.key.keyid not in policy.revoked]
    try:
        signers = verify_envelope(envelope, good)
    except SignatureError as error:
        if hints & policy.revoked:
            raise _ExcludedError(ReviewExclusion.REVOKED_KEY) from error
        known = hints & {key.keyid for key in good}
        why = ReviewExclusion.BAD_SIGNATURE if known else ReviewExclusion.UNKNOWN_KEY
        raise _ExcludedError(why) from error
    own = {r.key.material for r in policy.reviewers if r.name == reviewer}
    for key in signers:
        if key.material in own:
            return key
    raise _ExcludedError(ReviewExclusion.NAME_OF_ANOTHER)


def _check_subject(
    statement: ReviewStatement, target: ReviewTarget, policy: Policy, now: datetime
) -> None:
    """Check what a review that is rightly signed is about, and its time."""
    review = statement.predicate
    if statement.source not in target.sources:
        raise _ExcludedError(ReviewExclusion.OTHER_SOURCE)
    if statement.claim != target.claim:
        raise _ExcludedError(ReviewExclusion.OTHER_CLAIM)
    if None not in {statement.scope, target.scope} and statement.scope != target.scope:
        raise _ExcludedError(ReviewExclusion.OTHER_SCOPE)
    old = statement.version < policy.oldest_evidence
    if review.decision is Decision.APPROVE and old:
        raise _ExcludedError(ReviewExclusion.NO_SCOPE)
    if review.decision is Decision.APPROVE and review.decided_on > now + SKEW:
        raise _ExcludedError(ReviewExclusion.FUTURE)


def _reviewer_exclusion(
    newest: dict[DigestSet, _Vote], target: ReviewTarget, keys: set[str]
) -> ReviewExclusion | None:
    """Return why a reviewer does not count, None if they do; `keys` have been counted already."""
    if any(vote.withdraws for vote in newest.values()):
        return ReviewExclusion.WITHDRAWN
    if newest.keys() != set(target.sources):
        return ReviewExclusion.INCOMPLETE
    if keys & {vote.key.material for vote in newest.values()}:
        return ReviewExclusion.SAME_KEY
    return None
