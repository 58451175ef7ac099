"""One reading of all requests: new ones are refused or accepted, accepted ones continued.

An accepted request without its last receipt is open, whatever became of the server that accepted
it. Unknown requesters and malformed records get no receipt, only a count: anybody can write them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from pipelines.evidence.statements.people import Answer, Receipt
from pipelines.requests.handler import (
    OpenRequest,
    ReceiptConflictError,
    RequestHandler,
    RequestOutcome,
    is_cancelled,
    read_receipt,
    recipe_of,
    settled,
    settled_requests,
    write_receipt,
)
from pipelines.requests.messages import (
    CANCEL,
    FIRST,
    LAST,
    MAX_RECORD,
    REQUEST,
    UNREADABLE,
    SignedRequest,
    final_receipt,
    folders,
    request_from,
    request_key,
)
from pipelines.requests.rules import IgnoreReason, RefusalReason, RequestContext, refusal, signer_of

MAX_READ = 5000
"""Records that one look reads; where there are more, every look begins elsewhere among them."""


@dataclass(kw_only=True)
class TriageResult:
    """What one look found."""

    open: list[OpenRequest] = field(default_factory=list)
    """To be run, oldest first."""
    refused: list[RequestOutcome] = field(default_factory=list)
    unanswered: Counter[IgnoreReason] = field(default_factory=Counter)
    left: int = 0
    """Records that were too many for this look."""


@dataclass(frozen=True, kw_only=True)
class _RequestState:
    """A request with its receipts; `doubt` is why its signer is not known, or not any more.

    `cancelled` is whether the requester has cancelled it.
    """

    signed: SignedRequest
    requester: str
    doubt: IgnoreReason | None
    cancelled: bool
    first: Receipt | None
    last: Receipt | None

    @property
    def nonce(self) -> tuple[str, str]:
        """What is not answered twice."""
        return self.requester, self.signed.content.nonce


def pending(handler: RequestHandler, now: datetime) -> TriageResult:
    """Look at all requests, answer those that need no run, and return those that need one.

    `now` is the time in UTC. Raises `StoreError` when the store cannot be read or written, and what
    `handler.sign` and `handler.log` raise.
    """
    return _Triage(handler, now).round()


class _Triage:
    """The work of `pending`."""

    def __init__(self, handler: RequestHandler, now: datetime) -> None:
        self._handler = handler
        self._now = now
        self._seen = TriageResult()
        self._known = settled_requests(handler.home)
        self._nonces = {(s.requester, s.nonce) for s in self._known.values()}
        self._open: Counter[str] = Counter()
        self._recipes: dict[str, Path | RefusalReason] = {}

    def round(self) -> TriageResult:
        found, others = folders(self._handler.store, self._handler.center)
        fresh = sorted(d for d, there in found.items() if REQUEST in there and d not in self._known)
        orphans = sum(REQUEST not in there for there in found.values())
        self._count(IgnoreReason.MALFORMED, others + orphans)
        if self._handler.policy.expires <= self._now:
            self._count(IgnoreReason.NO_POLICY, len(fresh))
            return self._seen
        chosen = _turn(fresh, self._now)
        self._seen.left = len(fresh) - len(chosen)
        cases = [case for digest in chosen if (case := self._case(digest, found[digest]))]
        cases.sort(key=lambda case: (case.signed.content.requested_on, case.signed.digest))
        self._go_on([case for case in cases if case.first or case.last])
        self._begin([case for case in cases if not (case.first or case.last)])
        self._seen.open.sort(key=lambda item: (item.signed.content.requested_on, item.digest))
        return self._seen

    def _case(self, digest: Digest, there: Container[int]) -> _RequestState | None:
        """Read what stands in a folder; None for what is counted and not answered."""
        try:
            key = request_key(self._handler.center, digest)
            signed = request_from(self._handler.store.get(key, MAX_RECORD))
        except UNREADABLE:
            self._count(IgnoreReason.MALFORMED)
            return None
        if signed.digest != digest:
            self._count(IgnoreReason.MALFORMED)
            return None
        policy = self._handler.policy
        signer = signer_of(signed.envelope, policy.reviewers, policy.revoked)
        if isinstance(signer, IgnoreReason) and not (FIRST in there or LAST in there):
            self._count(signer)
            return None
        try:
            first, last = (
                read_receipt(self._handler, signed, number) if number in there else None
                for number in (FIRST, LAST)
            )
        except UNREADABLE:
            self._count(IgnoreReason.BLOCKED)
            return None
        doubt = signer if isinstance(signer, IgnoreReason) else None
        requester = signed.content.requester if isinstance(signer, IgnoreReason) else signer.name
        return _RequestState(
            signed=signed,
            requester=requester,
            doubt=doubt,
            cancelled=CANCEL in there and is_cancelled(self._handler, signed, requester),
            first=first,
            last=last,
        )

    def _go_on(self, cases: Sequence[_RequestState]) -> None:
        """Take up what was accepted, and remember what is settled."""
        for case in cases:
            self._nonces.add(case.nonce)
            if (final := final_receipt(case.first, case.last)) is not None:
                settled(self._handler, case.signed, case.requester, final)
            elif case.doubt is not None:
                self._refuse(case, LAST, RefusalReason.NO_LONGER_KNOWN)
            elif case.cancelled:
                self._refuse(case, LAST, RefusalReason.CANCELLED)
            else:
                self._resume(case)

    def _begin(self, cases: Sequence[_RequestState]) -> None:
        """Refuse or accept what is new."""
        for case in cases:
            situation = RequestContext(
                center=self._handler.center,
                now=self._now,
                requester=case.requester,
                nonces=self._nonces,
                open=self._open[case.requester],
                limit=self._handler.limit,
                recipe=self._recipe,
            )
            why = refusal(case.signed, situation)
            if why is None and case.cancelled:
                why = RefusalReason.CANCELLED
            self._nonces.add(case.nonce)
            if why is not None:
                self._refuse(case, FIRST, why)
            else:
                self._write(case, FIRST, answer=Answer.ACCEPTED)

    def _refuse(self, case: _RequestState, number: int, why: RefusalReason) -> None:
        self._write(case, number, answer=Answer.REFUSED, reason=why)

    def _write(self, case: _RequestState, number: int, **fields: Any) -> None:
        """Write a receipt, and go on from the one that stands in the store, whoever wrote it."""
        try:
            receipt = write_receipt(self._handler, case.signed, number, self._now, **fields)
        except ReceiptConflictError:
            self._count(IgnoreReason.BLOCKED)
            return
        if receipt.answer is Answer.ACCEPTED:
            self._resume(case)
        else:
            served = settled(self._handler, case.signed, case.requester, receipt)
            if receipt.answer is Answer.REFUSED:
                self._seen.refused.append(served)

    def _resume(self, case: _RequestState) -> None:
        recipe = self._recipe(case.signed.content.release)
        if isinstance(recipe, RefusalReason):
            self._refuse(case, LAST, recipe)
            return
        self._open[case.requester] += 1
        self._seen.open.append(
            OpenRequest(signed=case.signed, requester=case.requester, recipe=recipe)
        )

    def _recipe(self, release: str) -> Path | RefusalReason:
        """Return what `recipe_of` does, read once a look."""
        if release not in self._recipes:
            self._recipes[release] = recipe_of(self._handler, release)
        return self._recipes[release]

    def _count(self, why: IgnoreReason, number: int = 1) -> None:
        if number:
            self._seen.unanswered[why] += number


def _turn(names: Sequence[Digest], now: datetime) -> Sequence[Digest]:
    """Return at most `MAX_READ` of sorted names, from a place that moves with the time."""
    if len(names) <= MAX_READ:
        return names
    start = bisect_left(names, Digest.of(now.isoformat().encode()))
    return [*names[start:], *names[:start]][:MAX_READ]
