"""The requests to a center as its store shows them: the state of each, and how old it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from builders.core.errors import UsageError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.people import Answer, Receipt
from pipelines.evidence.statements.statement import show_time
from pipelines.requests.client import RequestStatus, read_status
from pipelines.requests.messages import (
    MAX_RECORD,
    REQUEST,
    UNREADABLE,
    SignedRequest,
    cancellations,
    folders,
    noted_runs,
    request_from,
    request_key,
)
from pipelines.requests.rules import RefusalReason
from pipelines.storage.store import Store

MAX_LISTED = 5000


class RequestState(StrEnum):
    """How far a request is."""

    WAITING = "waiting"
    """The center has not looked at it yet, or does not answer whoever made it."""
    EXPIRED = "expired"
    """It was never looked at, and cannot be served any more."""
    ACCEPTED = "accepted"
    RUNNING = "running"
    CANCELLING = "cancelling"
    """Its requester has cancelled it, and the center has not said so yet."""
    CANCELLED = "cancelled"
    REFUSED = "refused"
    ANSWERED = "answered"
    DISPUTED = "disputed"
    """Something that is no receipt of the center stands where its answer belongs."""


@dataclass(frozen=True, kw_only=True)
class RequestOverview:
    """One request, and all that belongs to it."""

    signed: SignedRequest
    status: RequestStatus
    runs: tuple[str, ...]
    """Those that the center has noted, oldest first."""
    state: RequestState
    age: timedelta

    @property
    def answer(self) -> str:
        """What the center has said last, in a word or two; empty before that."""
        if self.status.fault is not None:
            return "not a receipt of the center"
        receipt = self.status.final
        if receipt is None:
            return ""
        return str(receipt.verdict or receipt.reason or "")

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        asked = self.signed.content
        return {
            "request": str(self.signed.digest),
            **asked.model_dump(mode="json", by_alias=False),
            "state": str(self.state),
            "age_seconds": int(self.age.total_seconds()),
            "runs": list(self.runs),
            "answer": self.status.to_dict(),
        }

    def lines(self) -> list[str]:
        """Return it for people."""
        asked = self.signed.content
        shown = [
            f"{asked.release}, asked of {asked.center} by {asked.requester}: {self.state}",
            f"  request   {self.signed.digest}",
            f"  nonce     {asked.nonce}",
            f"  asked     {show_time(asked.requested_on)}, {show_age(self.age)} ago",
            f"  expires   {show_time(asked.expires)}",
            *(f"  run       {run}" for run in self.runs),
        ]
        receipts = [r for r in (self.status.first, self.status.last) if r is not None]
        shown += [f"  {_said(receipt)}" for receipt in receipts]
        if self.status.fault is not None:
            shown.append(f"  no answer that counts: {self.status.fault}")
        elif receipts and not self.status.verified:
            shown.append("  UNVERIFIED: no key of the center was given")
        return shown


def requests_of(
    store: Store, center: str, keys: Sequence[PublicKey], now: datetime
) -> list[RequestOverview]:
    """Return the requests to a center, newest first, of at most `MAX_LISTED` records.

    Receipts are verified with the center's `keys`, if any are given; who has signed a request is
    not. Records that are no requests are left out. Raises `StoreError`.
    """
    found = [overview(store, one, keys, now) for one in _read(store, center)]
    return sorted(found, key=lambda one: one.signed.content.requested_on, reverse=True)


def overview(
    store: Store, signed: SignedRequest, keys: Sequence[PublicKey], now: datetime
) -> RequestOverview:
    """Return one request with all that belongs to it at `now` (UTC); raises `StoreError`."""
    status, center = read_status(store, signed, keys), signed.content.center
    runs = tuple(noted_runs(store, center, signed.digest))
    return RequestOverview(
        signed=signed,
        status=status,
        runs=runs,
        state=_state(store, signed, status, now, running=bool(runs)),
        age=max(now - signed.content.requested_on, timedelta(0)),
    )


def find_request(store: Store, center: str, name: str) -> SignedRequest:
    """Return the request with that nonce, or whose digest begins so.

    Raises `UsageError` unless there is exactly one, and `StoreError`.
    """
    every = list(_read(store, center))
    found = [
        one
        for one in every
        if one.content.nonce == name or (len(name) >= 8 and one.digest.hex.startswith(name))
    ]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"center {center} has {len(found) or 'no'} requests of that nonce or digest",
        got=ascii(name[:80]),
        expected="the nonce of one request, or the first 8 digits of its digest or more",
        todo="`samebits request list` shows them",
    )


def is_over(state: RequestState) -> bool:
    """Say whether nothing comes after a state."""
    return state in {
        RequestState.EXPIRED,
        RequestState.CANCELLED,
        RequestState.REFUSED,
        RequestState.ANSWERED,
        RequestState.DISPUTED,
    }


def show_age(age: timedelta) -> str:
    """Return a length of time in its largest unit."""
    seconds = int(age.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _read(store: Store, center: str) -> Iterator[SignedRequest]:
    found, _ = folders(store, center)
    for digest in sorted(d for d, there in found.items() if REQUEST in there)[:MAX_LISTED]:
        try:
            signed = request_from(store.get(request_key(center, digest), MAX_RECORD))
        except UNREADABLE:
            continue
        if signed.digest == digest and signed.content.center == center:
            yield signed


def _state(
    store: Store, signed: SignedRequest, status: RequestStatus, now: datetime, *, running: bool
) -> RequestState:
    if status.fault is not None:
        return RequestState.DISPUTED
    if (final := status.final) is not None:
        if final.answer is Answer.DONE:
            return RequestState.ANSWERED
        cancelled = final.reason == RefusalReason.CANCELLED
        return RequestState.CANCELLED if cancelled else RequestState.REFUSED
    if any(True for _ in cancellations(store, signed.content.center, signed)):
        return RequestState.CANCELLING
    if status.first is not None:
        return RequestState.RUNNING if running else RequestState.ACCEPTED
    return RequestState.EXPIRED if signed.content.expires <= now else RequestState.WAITING


def _said(receipt: Receipt) -> str:
    moment = show_time(receipt.answered_on)
    match receipt.answer:
        case Answer.ACCEPTED:
            return f"accepted  {moment}"
        case Answer.REFUSED:
            return f"refused   {moment}: {receipt.reason}"
        case Answer.DONE:
            return f"done      {moment}: {receipt.verdict} in the run {receipt.run}"
