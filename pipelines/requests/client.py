"""The requester's side: one signed request, and the receipts that the center gives for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import EXIT_NOT_CHECKED, NotFoundError, UsageError
from pipelines.evidence.errors import EvidenceError, MalformedError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.people import Answer, Receipt
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.stored_runs import MAX_REPORT
from pipelines.evidence.strictjson import malformed, read_object
from pipelines.judge.finding import verdicts_exit_code, worst_verdict
from pipelines.requests.messages import (
    FIRST,
    LAST,
    MAX_RECORD,
    SignedRequest,
    final_receipt,
    receipt_from,
    receipt_key,
)
from pipelines.storage.names import REPORT, release_run
from pipelines.storage.store import DamagedError, Store, TooLargeError

_FIRST_PAUSE = 0.25
_ANSWER_ERRORS = (EvidenceError, DamagedError, TooLargeError)


@dataclass(frozen=True, kw_only=True)
class RequestStatus:
    """What a center has answered so far."""

    first: Receipt | None = None
    last: Receipt | None = None
    verified: bool = False
    """Whether its key has signed all of that."""
    fault: str | None = None
    """What is wrong with a receipt that is there; no other can come in its place."""

    @property
    def final(self) -> Receipt | None:
        """The receipt after which nothing comes."""
        return final_receipt(self.first, self.last)

    @property
    def over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.final is not None or self.fault is not None

    @property
    def word(self) -> str:
        """Return one line for people."""
        receipt = self.last or self.first
        if self.fault is not None:
            return f"no answer that counts: {self.fault}"
        if receipt is None:
            return "waiting: the center has not looked at it yet"
        doubt = "" if self.verified else " (UNVERIFIED: no key of the center was given)"
        match receipt.answer:
            case Answer.ACCEPTED:
                return f"accepted, running or about to{doubt}"
            case Answer.REFUSED:
                return f"refused: {receipt.reason}{doubt}"
            case Answer.DONE:
                return f"done: {receipt.verdict} in the run {receipt.run}{doubt}"

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "verified": self.verified,
            "fault": self.fault,
            "receipts": [
                receipt.model_dump(mode="json", by_alias=False, exclude_none=True)
                for receipt in (self.first, self.last)
                if receipt
            ],
        }


@contextmanager
def request_errors(valid: timedelta) -> Iterator[None]:
    """Raise `UsageError` for a name, nonce or time that no request can have."""
    try:
        yield
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"]) or "the time for which it holds"
        raise UsageError(
            f"{field} cannot stand in a request",
            got=ascii(fault["input"])[:80] if isinstance(fault["input"], str) else str(valid),
            expected=fault["msg"].removeprefix("Value error, "),
        ) from error


def read_status(store: Store, signed: SignedRequest, keys: Sequence[PublicKey]) -> RequestStatus:
    """Read the receipts of a request; without `keys` they are read and not verified.

    Raises `StoreError` when the store cannot be read.
    """
    center, found = signed.content.center, dict[int, Receipt]()
    for number in (FIRST, LAST):
        try:
            data = store.get(receipt_key(center, signed.digest, number), MAX_RECORD)
            statement = receipt_from(data, signed, number, center=center, keys=keys or None)
            found[number] = statement.predicate
        except NotFoundError:
            pass
        except _ANSWER_ERRORS as error:
            return RequestStatus(first=found.get(FIRST), fault=str(error)[:500])
    return RequestStatus(
        first=found.get(FIRST), last=found.get(LAST), verified=bool(keys and found)
    )


def wait_for(
    store: Store,
    signed: SignedRequest,
    keys: Sequence[PublicKey],
    *,
    seconds: float,
    on_change: Callable[[RequestStatus], None],
    every: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RequestStatus:
    """Read receipts until there is nothing more to wait for, or `seconds` are over.

    `on_change` is called with every new status. Between two reads is a pause that grows to `every`
    seconds. Raises `StoreError`.
    """
    end = clock() + seconds
    pause = _FIRST_PAUSE
    before: RequestStatus | None = None
    while True:
        status = read_status(store, signed, keys)
        if status != before:
            on_change(status)
        left = end - clock()
        if status.over or not left > 0:  # no number is no time to wait
            return status
        before = status
        sleep(min(pause, left))
        pause = min(2 * pause, every)


def exit_code(store: Store, signed: SignedRequest, status: RequestStatus) -> int:
    """Return the exit code of a verdict, by the report that the receipt names.

    2 for everything else: no answer, refused, not verified. Raises `MalformedError` for another
    report than that one, and `StoreError` when there is none.
    """
    receipt = status.last
    if not status.verified or status.fault or receipt is None or receipt.run is None:
        return EXIT_NOT_CHECKED
    asked = signed.content
    folder = release_run(*ReleaseName.parse(asked.release).parts, asked.center, receipt.run)
    data = store.get(f"{folder}{REPORT}", MAX_REPORT)
    if receipt.report != DigestSet(sha256=Digest.of(data)):
        raise MalformedError(
            "the report in the store is not the one that the receipt names",
            got=f"sha256 {Digest.of(data)}",
            expected=receipt.report.sha256 if receipt.report else None,
            todo="Ask the center which of the two it stands for; until then neither counts",
        )
    verdicts = _verdicts(data)
    if worst_verdict(verdicts) is not receipt.verdict:
        raise malformed("the report", got=worst_verdict(verdicts), expected=receipt.verdict)
    return verdicts_exit_code(verdicts)


def _verdicts(data: bytes) -> list[Verdict]:
    report = read_object(data, what="the report", limit=MAX_REPORT, floats=True)
    try:
        return [Verdict(artefact["verdict"]) for artefact in report["artefacts"]]
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(
            "the report", got=type(error).__name__, expected="artefacts with verdicts"
        ) from error
