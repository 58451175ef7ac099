"""The desk of a center: where it writes what becomes of a request.

Receipts are written once: of two servers at one desk one answers, and the other reads that answer.
Both then go on from what stands in the store, never from what they would have said themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import (
    InfrastructureError,
    NotFoundError,
    StoreConflictError,
    StoreError,
    UsageError,
)
from builders.recipe.recipe import load_recipe
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.records import MAX_REPORT
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.statements import Statement
from pipelines.evidence.statements.status import Answer, Receipt, receipt
from pipelines.policy import Policy, Reviewer
from pipelines.requests.memory import Memory, Settled
from pipelines.requests.records import (
    FIRST,
    LAST,
    MAX_RECORD,
    SignedRequest,
    receipt_from,
    receipt_key,
)
from pipelines.requests.rules import Refusal
from pipelines.storage.names import REPORT, release_run
from pipelines.storage.store import DamagedError, Store, TooLargeError

UNREADABLE = (EvidenceError, DamagedError, TooLargeError, NotFoundError)
"""What is raised for a record that is not what its name says, or not there."""
OPEN_LIMIT = 20
"""Accepted requests that one requester may have at a time."""


class BlockedError(StoreError):
    """Something that this center did not sign stands where its receipt belongs."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a center answers requests with."""

    center: str
    store: Store
    """Where requests and receipts are; not behind an outbox, where records meet too late."""
    reports: Store
    """Where the center's runs leave their reports; may be an outbox."""
    policy: Policy
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
    requesters: tuple[Reviewer, ...] = ()
    """Who may ask, beside the reviewers of the policy."""
    limit: int = OPEN_LIMIT

    @property
    def memory(self) -> Memory:
        """Return what is settled."""
        return Memory(folder=self.home)

    @property
    def known(self) -> tuple[Reviewer, ...]:
        """Return everybody who may ask, with keys that may be revoked."""
        return (*self.policy.reviewers, *self.requesters)


@dataclass(frozen=True, kw_only=True)
class OpenRequest:
    """A request that is accepted and waits for its run."""

    asked: SignedRequest
    requester: str
    recipe: Path

    @property
    def digest(self) -> Digest:
        """The digest of its record: the name of all that belongs to it."""
        return self.asked.digest

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return self.asked.told.release


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a request has come to; `fault` is why it has no answer yet."""

    digest: Digest
    release: str
    requester: str
    receipt: Receipt | None = None
    fault: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for the log and `--json`."""
        return {
            "request": str(self.digest),
            "release": self.release,
            "requester": self.requester,
            "receipt": self.receipt.to_dict() if self.receipt else None,
            "fault": self.fault,
        }


def answer(desk: Desk, item: OpenRequest, report: Report, now: datetime) -> Served:
    """Sign and store that a request is done, with the verdict of its run; `now` is UTC.

    Raises `StoreError` when the run's public report is not in the store, and `InfrastructureError`
    for a report of another release or center; else as `write_receipt` does.
    """
    if (report.release, report.center) != (item.release, desk.center):
        raise InfrastructureError(
            "the run is not the one that was asked for",
            got=f"{report.release} by {report.center}",
            expected=f"{item.release} by {desk.center}",
        )
    name = ReleaseName.parse(item.release)
    folder = release_run(name.vendor, name.product, name.version, desk.center, report.run)
    digest = Digest.of(desk.reports.get(f"{folder}{REPORT}", MAX_REPORT))
    told = write_receipt(
        desk,
        item.asked,
        LAST,
        now,
        answer=Answer.DONE,
        run=report.run,
        verdict=report.verdict,
        report=digest,
    )
    return settled(desk, item.asked, item.requester, told)


def give_up(desk: Desk, item: OpenRequest, fault: str, now: datetime) -> Served:
    """Say that a run came to no end: left for another try, until the request expires."""
    if item.asked.told.expires > now:
        return Served(
            digest=item.digest, release=item.release, requester=item.requester, fault=fault
        )
    told = write_receipt(
        desk, item.asked, LAST, now, answer=Answer.REFUSED, reason=Refusal.NOT_FINISHED
    )
    return settled(desk, item.asked, item.requester, told)


def write_receipt(
    desk: Desk, asked: SignedRequest, number: int, now: datetime, **told: Any
) -> Receipt:
    """Write a receipt, and return the one that stands there: another server may have been first.

    Raises `BlockedError` when what stands there is not of this center, `StoreError`, and what
    `desk.sign` raises.
    """
    statement = receipt(
        center=desk.center,
        request=asked.digest,
        release=asked.told.release,
        nonce=asked.told.nonce,
        now=now,
        **told,
    )
    key, data = receipt_key(desk.center, asked.digest, number), desk.sign(statement).to_bytes()
    try:
        desk.store.put_record(key, data)
    except StoreConflictError:
        try:
            return read_receipt(desk, asked, number)
        except (EvidenceError, DamagedError, TooLargeError) as error:
            raise BlockedError(
                f"{key} is not a receipt of this center",
                got=error.got,
                expected="nothing, or a receipt that it signed",
                todo="Find out who may write there: requesters need `request.dsse.json` alone",
            ) from error
    return statement.predicate


def read_receipt(desk: Desk, asked: SignedRequest, number: int) -> Receipt:
    """Return a receipt of this center; raises `NotFoundError`, `StoreError`, `EvidenceError`."""
    data = desk.store.get(receipt_key(desk.center, asked.digest, number), MAX_RECORD)
    return receipt_from(data, asked, number, center=desk.center, keys=desk.keys).predicate


def settled(desk: Desk, asked: SignedRequest, requester: str, told: Receipt) -> Served:
    """Log the receipts of a request that has its last one, and remember it.

    In this order: who dies in between leaves a request that the next look settles. Raises
    `StoreError` and what `desk.log` raises.
    """
    stand = [number for number in (FIRST, LAST) if _stands(desk, asked, number)]
    desk.log([receipt_key(desk.center, asked.digest, number) for number in stand])
    desk.memory.add(Settled(digest=asked.digest, requester=requester, nonce=asked.told.nonce))
    return Served(
        digest=asked.digest, release=asked.told.release, requester=requester, receipt=told
    )


def _stands(desk: Desk, asked: SignedRequest, number: int) -> bool:
    """Say whether a receipt of that number stands there that this center signed."""
    try:
        read_receipt(desk, asked, number)
    except UNREADABLE:
        return False
    return True


def recipe_of(desk: Desk, release: str) -> Path | Refusal:
    """Return the recipe of a release, or why there is none that can be run."""
    name = ReleaseName.parse(release)
    path = desk.recipes / name.vendor / name.product / f"{name.version}.yaml"
    if not path.is_file():
        return Refusal.UNKNOWN_RELEASE
    try:
        declared = load_recipe(path).recipe.release
    except UsageError:
        return Refusal.BAD_RECIPE
    return path if declared == release else Refusal.BAD_RECIPE
