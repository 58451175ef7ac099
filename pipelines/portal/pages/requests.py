"""The pages of requests: how to ask for a rebuild, and what became of each that was asked for.

A page sees no key: it prepares a request, which is signed in a terminal. Only requests that someone
whom the policy names has signed are shown, since anybody can write a record.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.people import Answer
from pipelines.evidence.statements.statement import Time
from pipelines.policy import Policy
from pipelines.portal.paths import release_path
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.translation import translatable
from pipelines.requests.offer import Offer, newest_offer
from pipelines.requests.overview import (
    RequestOverview,
    RequestState,
    is_over,
    requests_of,
)
from pipelines.requests.rules import IgnoreReason, signer_of
from pipelines.storage.store import DamagedError, Store

REQUESTS = "requests/"
"""The folder of the pages."""
MAX_OVER = 500
"""Requests that are over, and have a page all the same: the newest ones."""
MAX_OFFERED = 200
"""Releases that a page proposes by name."""

_IN_LINE = frozenset({RequestState.WAITING, RequestState.ACCEPTED})

MEANINGS: dict[RequestState, str] = {
    RequestState.WAITING: translatable("The center has not looked at it yet."),
    RequestState.EXPIRED: translatable("The center has not looked at it in time."),
    RequestState.ACCEPTED: translatable("The center has accepted it, and has not begun."),
    RequestState.RUNNING: translatable("The center rebuilds the release now."),
    RequestState.CANCELLING: translatable("The requester has taken it back."),
    RequestState.CANCELLED: translatable("The requester has taken it back, and nothing was run."),
    RequestState.REFUSED: translatable("The center does not run it."),
    RequestState.ANSWERED: translatable("The center has rebuilt the release."),
    RequestState.DISPUTED: translatable(
        "Something that is no receipt of the center stands where its answer belongs."
    ),
}
"""What each state means, in one sentence."""
WORDS: dict[RequestState, str] = {
    RequestState.WAITING: translatable("waiting"),
    RequestState.EXPIRED: translatable("expired"),
    RequestState.ACCEPTED: translatable("accepted"),
    RequestState.RUNNING: translatable("running"),
    RequestState.CANCELLING: translatable("being cancelled"),
    RequestState.CANCELLED: translatable("cancelled"),
    RequestState.REFUSED: translatable("refused"),
    RequestState.ANSWERED: translatable("answered"),
    RequestState.DISPUTED: translatable("disputed"),
}


class ShownReceipt(FrozenModel):
    """A receipt of the center, which its key has signed."""

    answer: Answer
    answered_on: Time
    reason: str | None = None
    verdict: Verdict | None = None
    run: str | None = None


class ShownRequest(FrozenModel):
    """One request, and how far it is."""

    request: Digest
    center: str
    release: str
    requester: str
    requested_on: Time
    expires: Time
    state: RequestState
    position: int | None = None
    """Its place among those that are not over, from 1; None for one that is over or running."""
    runs: tuple[str, ...] = ()
    """Those that the center has begun for it, oldest first."""
    receipts: tuple[ShownReceipt, ...] = ()
    fault: str | None = None
    """What is wrong with a receipt."""
    has_page: bool = False
    """Whether the portal has a page of its release."""

    @property
    def path(self) -> str:
        """The folder of its page."""
        return f"{REQUESTS}{self.request}/"

    @property
    def release_page(self) -> str | None:
        """The folder of the page of its release, once there is one."""
        return release_path(ReleaseName.parse(self.release)) if self.has_page else None

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more."""
        return is_over(self.state)

    @property
    def word(self) -> str:
        """Its state, to be translated."""
        return WORDS[self.state]

    @property
    def meaning(self) -> str:
        """What its state means, to be translated."""
        return MEANINGS[self.state]

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of its run, once there is one."""
        return next((receipt.verdict for receipt in self.receipts if receipt.verdict), None)


class RequestsPage(PortalPage):
    """The requests to a center, and how to make one."""

    TEMPLATE: ClassVar[str] = "requests.html.j2"
    SCRIPTS: ClassVar[tuple[str, ...]] = ("assets/request-form.js", "assets/follow.js")
    STYLES: ClassVar[tuple[str, ...]] = ("assets/requests.css",)

    schema_: Literal["samebits/portal/requests/v1"] = Field(
        default="samebits/portal/requests/v1", alias="schema"
    )
    center: str
    requesters: tuple[str, ...]
    """The names of those whom the center answers."""
    releases: tuple[str, ...]
    """Releases that can be asked for; empty where they are too many to be listed."""
    offered: int | None
    """How many can be asked for; None where the center has not said so."""
    requests: tuple[ShownRequest, ...]
    """Newest first."""
    unknown: int
    """Records that nobody whom the policy knows has signed."""

    @property
    def path(self) -> str:
        """The folder of all requests."""
        return REQUESTS

    @property
    def open(self) -> tuple[ShownRequest, ...]:
        """The requests that are not over, next first."""
        found = [one for one in self.requests if not one.is_over]
        return tuple(sorted(found, key=lambda one: (one.position or 0, one.requested_on)))

    @property
    def over(self) -> tuple[ShownRequest, ...]:
        """The requests that are over, newest first."""
        return tuple(one for one in self.requests if one.is_over)


class RequestPage(PortalPage):
    """One request, as its requester follows it."""

    TEMPLATE: ClassVar[str] = "request.html.j2"
    SCRIPTS: ClassVar[tuple[str, ...]] = ("assets/follow.js",)
    STYLES: ClassVar[tuple[str, ...]] = ("assets/requests.css",)

    schema_: Literal["samebits/portal/request/v1"] = Field(
        default="samebits/portal/request/v1", alias="schema"
    )
    request: ShownRequest
    waiting: int
    """How many requests are not over."""

    @property
    def path(self) -> str:
        """The folder of the request."""
        return self.request.path


def request_pages(
    store: Store,
    center: str,
    keys: Sequence[PublicKey],
    policy: Policy,
    now: datetime,
    *,
    releases: Container[str] = (),
) -> Iterator[RequestsPage | RequestPage]:
    """Yield the page of all requests to a center, and one for each.

    They depend on the center's records, the policy, and on `now` (UTC) for what has expired. `keys`
    are the center's for statements, `releases` have a page. Raises `StoreError`.
    """
    every = requests_of(store, center, keys, now)
    known = [one for one in every if _is_known(one, policy)]
    shown = [*_shown(known, releases)]
    offer = _offer(store, center)
    yield RequestsPage(
        center=center,
        requesters=tuple(offer.requesters) if offer else (),
        releases=offer.releases if offer and len(offer.releases) <= MAX_OFFERED else (),
        offered=len(offer.releases) if offer else None,
        requests=tuple(shown),
        unknown=len(every) - len(known),
    )
    waiting = sum(not one.is_over for one in shown)
    for one in shown:
        yield RequestPage(request=one, waiting=waiting)


def _offer(store: Store, center: str) -> Offer | None:
    """Return what the center can be asked; it decides nothing, so a damaged one is none."""
    try:
        return newest_offer(store, center)
    except DamagedError:
        return None


def _is_known(one: RequestOverview, policy: Policy) -> bool:
    """Whether a request is by somebody whom the center answers, or has answered."""
    signer = signer_of(one.signed.envelope, policy.reviewers, policy.revoked)
    return one.status.verified or not isinstance(signer, IgnoreReason)


def _shown(known: Iterable[RequestOverview], releases: Container[str]) -> Iterator[ShownRequest]:
    """Yield requests, newest first: all that are not over, and the newest of those that are."""
    every = list(known)
    line = sorted(
        (one for one in every if one.state in _IN_LINE),
        key=lambda one: (one.signed.content.requested_on, one.signed.digest),
    )
    positions = {one.signed.digest: number for number, one in enumerate(line, start=1)}
    over = 0
    for one in every:
        over += is_over(one.state)
        if is_over(one.state) and over > MAX_OVER:
            continue
        asked, status = one.signed.content, one.status
        yield ShownRequest(
            request=one.signed.digest,
            **asked.only("center", "release", "requester", "requested_on", "expires"),
            state=one.state,
            position=positions.get(one.signed.digest),
            runs=one.runs,
            receipts=tuple(
                ShownReceipt(**one.only("answer", "answered_on", "reason", "verdict", "run"))
                for one in (status.first, status.last)
                if one is not None
            ),
            fault=status.fault,
            has_page=asked.release in releases,
        )
