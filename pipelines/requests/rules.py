"""Whether a center does what it is asked: pure rules, one word for each that a request breaks.

`RULES` are asked in order, and the first that is broken is the reason that the receipt gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from pipelines.evidence.dsse import verify
from pipelines.evidence.errors import SignatureError
from pipelines.evidence.statements.request import Request
from pipelines.policy import Reviewer
from pipelines.requests.records import SignedRequest

SKEW = timedelta(hours=1)
"""How far the clock of a requester may be ahead."""


class Unanswered(StrEnum):
    """Why a record gets no receipt: anybody could write without end, and so could the center."""

    MALFORMED = "malformed"
    STRANGER = "stranger"
    REVOKED = "revoked-key"
    NO_POLICY = "policy-expired"
    BLOCKED = "blocked"
    """Something that this center did not sign stands where its receipt belongs."""


class Refusal(StrEnum):
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


@dataclass(frozen=True, kw_only=True)
class Situation:
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
    recipe: Callable[[str], Path | Refusal]
    """Returns the recipe of a release, or why there is none that can be run."""


Broken = Callable[[Request, Situation], bool]

RULES: Mapping[Refusal, Broken] = {
    Refusal.WRONG_NAME: lambda told, at: told.requester != at.requester,
    Refusal.OTHER_CENTER: lambda told, at: told.center != at.center,
    Refusal.REPLAYED: lambda told, at: (at.requester, told.nonce) in at.nonces,
    Refusal.FUTURE: lambda told, at: told.requested_on > at.now + SKEW,
    Refusal.EXPIRED: lambda told, at: told.expires <= at.now,
    Refusal.UNKNOWN_RELEASE: lambda told, at: at.recipe(told.release) is Refusal.UNKNOWN_RELEASE,
    Refusal.BAD_RECIPE: lambda told, at: at.recipe(told.release) is Refusal.BAD_RECIPE,
    Refusal.TOO_MANY: lambda _, at: at.open >= at.limit,
}


def refusal(asked: SignedRequest, at: Situation) -> Refusal | None:
    """Return the first of `RULES` that a request breaks, None if it keeps them all."""
    return next((why for why, broken in RULES.items() if broken(asked.told, at)), None)


def signer_of(
    asked: SignedRequest, known: Sequence[Reviewer], revoked: AbstractSet[str]
) -> Reviewer | Unanswered:
    """Return who signed a request: a known requester whose key is not revoked.

    The key id has to be right, too: with another one the same request would be another record.
    """
    keyid = asked.envelope.signatures[0].keyid
    named = [person for person in known if person.key.keyid == keyid]
    if not named:
        return Unanswered.STRANGER
    try:
        verify(asked.envelope, [named[0].key])
    except SignatureError:
        return Unanswered.STRANGER
    return Unanswered.REVOKED if keyid in revoked else named[0]
