"""The rules that a request has to meet, each with the reason that a receipt gives.

`RULES` are checked in order; the first that is broken is the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pipelines.evidence.clocks import CENTER_SKEW
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.errors import SignatureError
from pipelines.evidence.statements.people import Request
from pipelines.policy import Reviewer
from pipelines.requests.messages import SignedRequest


class IgnoreReason(StrEnum):
    """Why a record gets no receipt: anybody could write without end, and so could the center."""

    MALFORMED = "malformed"
    STRANGER = "stranger"
    REVOKED = "revoked-key"
    NO_POLICY = "policy-expired"
    BLOCKED = "blocked"
    """Something that this center did not sign stands where its receipt belongs."""


class RefusalReason(StrEnum):
    """Why a known requester is refused, or an accepted request given up, as receipts say it."""

    WRONG_NAME = "wrong-name"
    OTHER_CENTER = "other-center"
    REPLAYED = "replayed"
    FUTURE = "from-the-future"
    EXPIRED = "expired"
    UNKNOWN_RELEASE = "unknown-release"
    BAD_RECIPE = "bad-recipe"
    TOO_MANY = "too-many-open"
    NO_LONGER_KNOWN = "no-longer-known"
    """Its key was revoked, or left the policy, after it was accepted."""
    NOT_FINISHED = "not-finished"
    """It was accepted, and has expired without a run that came to its end."""
    CANCELLED = "cancelled"
    """By its requester, before a run for it had committed to its outputs."""


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """What a request is held against."""

    center: str
    now: datetime
    requester: str
    """The name that the policy gives to the key that signed."""
    nonces: AbstractSet[tuple[str, str]]
    """Requester and nonce of every other request that was answered."""
    open: int
    """Requests of the same requester that are accepted and not done."""
    limit: int
    """How many of these one requester may have."""
    recipe: Callable[[str], Path | RefusalReason]
    """Returns the recipe of a release, or why there is none that can be run."""


Broken = Callable[[Request, RequestContext], bool]

RULES: Mapping[RefusalReason, Broken] = {
    RefusalReason.WRONG_NAME: lambda request, at: request.requester != at.requester,
    RefusalReason.OTHER_CENTER: lambda request, at: request.center != at.center,
    RefusalReason.REPLAYED: lambda request, at: (at.requester, request.nonce) in at.nonces,
    RefusalReason.FUTURE: lambda request, at: request.requested_on > at.now + CENTER_SKEW,
    RefusalReason.EXPIRED: lambda request, at: request.expires <= at.now,
    RefusalReason.UNKNOWN_RELEASE: lambda request, at: (
        at.recipe(request.release) is RefusalReason.UNKNOWN_RELEASE
    ),
    RefusalReason.BAD_RECIPE: lambda request, at: (
        at.recipe(request.release) is RefusalReason.BAD_RECIPE
    ),
    RefusalReason.TOO_MANY: lambda _, at: at.open >= at.limit,
}


def refusal(signed: SignedRequest, at: RequestContext) -> RefusalReason | None:
    """Return the first of `RULES` that a request breaks, None if it keeps them all."""
    return next((why for why, broken in RULES.items() if broken(signed.content, at)), None)


def signer_of(
    envelope: Envelope, known: Sequence[Reviewer], revoked: AbstractSet[str]
) -> Reviewer | IgnoreReason:
    """Return who signed a request or its cancellation: a requester whose key is not revoked.

    There is one signature. The key id has to be right, too: with another one the same request would
    be another record.
    """
    if len(envelope.signatures) != 1:
        return IgnoreReason.STRANGER
    keyid = envelope.signatures[0].keyid
    named = [person for person in known if person.key.keyid == keyid]
    if not named:
        return IgnoreReason.STRANGER
    try:
        verify_envelope(envelope, [named[0].key])
    except SignatureError:
        return IgnoreReason.STRANGER
    return IgnoreReason.REVOKED if keyid in revoked else named[0]
