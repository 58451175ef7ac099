"""What a center answers requests with, and the receipts that it writes.

Receipts are written once: of two servers of one center one answers, and the other reads its answer.
Both continue from what the store holds, never from what they would have written. Settled requests,
which need no further reading, are remembered in a file of the center's home, one line of JSON for
each. A lost or damaged file costs time only: what is not in it is read from the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from builders.core.digest import Digest, canonical_json
from builders.core.errors import (
    InfrastructureError,
    StoreConflictError,
    StoreError,
    UsageError,
)
from builders.core.frozen_model import FrozenModel
from builders.recipe.recipe import find_recipe
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.statements.people import Answer, Receipt, ReceiptStatement
from pipelines.evidence.statements.statement import DigestSet, Statement
from pipelines.evidence.stored_runs import MAX_REPORT
from pipelines.policy import Policy
from pipelines.requests.messages import (
    FIRST,
    LAST,
    MAX_RECORD,
    UNREADABLE,
    SignedRequest,
    cancellations,
    receipt_from,
    receipt_key,
)
from pipelines.requests.rules import IgnoreReason, RefusalReason, signer_of
from pipelines.storage.names import REPORT, release_run
from pipelines.storage.store import DamagedError, Store, TooLargeError

_SETTLED = "settled.jsonl"


class ReceiptConflictError(StoreError):
    """A record that this center did not sign has the name of its receipt."""


@dataclass(frozen=True, kw_only=True)
class RequestHandler:
    """What a center answers requests with."""

    center: str
    store: Store
    """Where requests and receipts are; not behind an outbox, where records meet too late."""
    reports: Store
    """Where the center's runs leave their reports; may be an outbox."""
    policy: Policy
    """Its reviewers may ask, with keys that are not revoked."""
    recipes: Path
    """The folder of `<vendor>/<product>/<version>.yaml`."""
    sign: Callable[[Statement], Envelope]
    """Signs what the center says of itself."""
    keys: tuple[PublicKey, ...]
    """Its public keys for statements, earlier ones too."""
    home: Path
    """A folder of its own, for what it remembers."""
    log: Callable[[Sequence[str]], object]
    """Takes the names of receipts into the center's log; those that are in it are left alone."""
    limit: int = 20
    """Accepted requests that one requester may have at a time."""


class SettledRequest(FrozenModel):
    """A request whose last receipt stands in the store."""

    digest: Digest
    requester: str
    nonce: str


@dataclass(frozen=True, kw_only=True)
class OpenRequest:
    """A request that is accepted and waits for its run."""

    signed: SignedRequest
    requester: str
    recipe: Path

    @property
    def digest(self) -> Digest:
        """The digest of its record: the name of all that belongs to it."""
        return self.signed.digest

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return self.signed.content.release


@dataclass(frozen=True, kw_only=True)
class RequestOutcome:
    """What a request has come to; `fault` is why it has no answer yet."""

    digest: Digest
    release: str
    requester: str
    receipt: Receipt | None = None
    fault: str | None = None


def answer(
    handler: RequestHandler, item: OpenRequest, report: Report, now: datetime
) -> RequestOutcome:
    """Sign and store that a request is done, with the verdict of its run; `now` is UTC.

    Raises `StoreError` when the run's public report is not in the store, and `InfrastructureError`
    for a report of another release or center; else as `write_receipt` does.
    """
    if (report.release, report.center) != (item.release, handler.center):
        raise InfrastructureError(
            "the run is not the one that was asked for",
            got=f"{report.release} by {report.center}",
            expected=f"{item.release} by {handler.center}",
        )
    folder = release_run(*ReleaseName.parse(item.release).parts, handler.center, report.run)
    digest = Digest.of(handler.reports.get(f"{folder}{REPORT}", MAX_REPORT))
    receipt = write_receipt(
        handler,
        item.signed,
        LAST,
        now,
        answer=Answer.DONE,
        run=report.run,
        verdict=report.verdict,
        report=DigestSet(sha256=digest),
    )
    return settled(handler, item.signed, item.requester, receipt)


def fail(handler: RequestHandler, item: OpenRequest, fault: str, now: datetime) -> RequestOutcome:
    """Say that a run came to no end: left for another try, until the request expires."""
    if item.signed.content.expires > now:
        return RequestOutcome(
            digest=item.digest, release=item.release, requester=item.requester, fault=fault
        )
    receipt = write_receipt(
        handler, item.signed, LAST, now, answer=Answer.REFUSED, reason=RefusalReason.NOT_FINISHED
    )
    return settled(handler, item.signed, item.requester, receipt)


def is_cancelled(handler: RequestHandler, signed: SignedRequest, requester: str) -> bool:
    """Say whether its requester has cancelled a request, with any key that counts for that name.

    Raises `StoreError`.
    """
    policy = handler.policy
    signers = (
        signer_of(envelope, policy.reviewers, policy.revoked)
        for envelope, _ in cancellations(handler.store, handler.center, signed)
    )
    return any(not isinstance(s, IgnoreReason) and s.name == requester for s in signers)


def refuse_cancelled(handler: RequestHandler, item: OpenRequest, now: datetime) -> RequestOutcome:
    """Say that a request was cancelled by its requester; raises as `write_receipt` does."""
    reason = RefusalReason.CANCELLED
    receipt = write_receipt(handler, item.signed, LAST, now, answer=Answer.REFUSED, reason=reason)
    return settled(handler, item.signed, item.requester, receipt)


def write_receipt(
    handler: RequestHandler, signed: SignedRequest, number: int, now: datetime, **fields: Any
) -> Receipt:
    """Write a receipt, and return the one that stands there: another server may have been first.

    Raises `ReceiptConflictError` when another hand wrote there, `StoreError`, and what
    `handler.sign` raises.
    """
    receipt = Receipt(
        center=handler.center,
        release=signed.content.release,
        nonce=signed.content.nonce,
        answered_on=now,
        **fields,
    )
    statement = ReceiptStatement.of(receipt, request=signed.digest)
    key = receipt_key(handler.center, signed.digest, number)
    data = handler.sign(statement).to_bytes()
    try:
        handler.store.put_record(key, data)
    except StoreConflictError:
        try:
            return read_receipt(handler, signed, number)
        except (EvidenceError, DamagedError, TooLargeError) as error:
            raise ReceiptConflictError(
                f"{key} is not a receipt of this center",
                got=error.got,
                expected="nothing, or a receipt that it signed",
                todo="Find out who may write there: requesters need `request.dsse.json` alone",
            ) from error
    return statement.predicate


def read_receipt(handler: RequestHandler, signed: SignedRequest, number: int) -> Receipt:
    """Return a receipt of this center; raises `NotFoundError`, `StoreError`, `EvidenceError`."""
    data = handler.store.get(receipt_key(handler.center, signed.digest, number), MAX_RECORD)
    return receipt_from(data, signed, number, center=handler.center, keys=handler.keys).predicate


def settled(
    handler: RequestHandler, signed: SignedRequest, requester: str, receipt: Receipt
) -> RequestOutcome:
    """Log the receipts of a request that has its last one, and remember it.

    In this order: who dies in between leaves a request that the next look settles. Raises
    `StoreError` and what `handler.log` raises.
    """
    stand = [number for number in (FIRST, LAST) if _stands(handler, signed, number)]
    handler.log([receipt_key(handler.center, signed.digest, number) for number in stand])
    nonce = signed.content.nonce
    _remember(handler.home, SettledRequest(digest=signed.digest, requester=requester, nonce=nonce))
    return RequestOutcome(
        digest=signed.digest, release=signed.content.release, requester=requester, receipt=receipt
    )


def _stands(handler: RequestHandler, signed: SignedRequest, number: int) -> bool:
    """Say whether a receipt of that number stands there that this center signed."""
    try:
        read_receipt(handler, signed, number)
    except UNREADABLE:
        return False
    return True


def settled_requests(home: Path) -> dict[Digest, SettledRequest]:
    """Return the settled requests by digest; lines that cannot be read are forgotten."""
    found = {}
    try:
        lines = (home / _SETTLED).read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"{home} cannot be read", got=error.strerror) from error
    for line in lines:
        with suppress(ValidationError):
            one = SettledRequest.model_validate_json(line, strict=True)
            found[one.digest] = one
    return found


def _remember(home: Path, one: SettledRequest) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        # One write at the end of the file: lines of two servers do not mix. The line break
        # stands in front, so that half a line of one that died spoils none but itself.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(home / _SETTLED, flags, 0o600)
        try:
            os.write(fd, b"\n" + canonical_json(one.model_dump(mode="json")))
        finally:
            os.close(fd)
    except OSError as error:
        raise StoreError(
            f"{home} cannot be written",
            got=error.strerror,
            expected="a folder of the center's home",
            todo="Check its permissions, and free disk space",
        ) from error


def recipe_of(handler: RequestHandler, release: str) -> Path | RefusalReason:
    """Return the recipe of a release, or why there is none that can be run."""
    name = ReleaseName.parse(release)
    try:
        found = find_recipe(handler.recipes, *name.parts)
    except UsageError:
        return RefusalReason.BAD_RECIPE
    return found.path if found else RefusalReason.UNKNOWN_RELEASE
