"""The side of who asks: one signed request, and the receipts that the center gives for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import EXIT_NOT_CHECKED, NotFoundError, UsageError
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign
from pipelines.evidence.errors import EvidenceError, MalformedError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.records import MAX_REPORT
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.statements.request import request
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.statements.status import Answer, Receipt
from pipelines.evidence.strictjson import malformed, read_object
from pipelines.judge.finding import exit_code_of, worst_of
from pipelines.requests.records import (
    FIRST,
    LAST,
    MAX_RECORD,
    SignedRequest,
    receipt_from,
    receipt_in,
    receipt_key,
)
from pipelines.storage.names import REPORT, release_run
from pipelines.storage.store import DamagedError, Store, TooLargeError

_FIRST_PAUSE = 0.25
_ANSWER_ERRORS = (EvidenceError, DamagedError, TooLargeError)


@dataclass(frozen=True, kw_only=True)
class Heard:
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
        if self.last is None and self.first and self.first.answer is Answer.REFUSED:
            return self.first
        return self.last

    @property
    def over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.final is not None or self.fault is not None

    @property
    def word(self) -> str:
        """Return one line for people."""
        told = self.last or self.first
        if self.fault is not None:
            return f"no answer that counts: {self.fault}"
        if told is None:
            return "waiting: the center has not looked at it yet"
        doubt = "" if self.verified else " (UNVERIFIED: no key of the center was given)"
        match told.answer:
            case Answer.ACCEPTED:
                return f"accepted, running or about to{doubt}"
            case Answer.REFUSED:
                return f"refused: {told.reason}{doubt}"
            case Answer.DONE:
                return f"done: {told.verdict} in the run {told.run}{doubt}"

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "verified": self.verified,
            "fault": self.fault,
            "receipts": [told.to_dict() for told in (self.first, self.last) if told],
        }


def sign_request(
    *,
    center: str,
    release: ReleaseName,
    nonce: str,
    requester: str,
    key: EnvelopeSigner,
    now: datetime,
    valid: timedelta,
) -> Envelope:
    """Sign a request; raises `UsageError` for a name, nonce or time that no request can have."""
    try:
        statement = request(
            center=center,
            release=str(release),
            nonce=nonce,
            requester=requester,
            now=now,
            valid=valid,
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"]) or "the time for which it holds"
        raise UsageError(
            f"{field} cannot stand in a request",
            got=ascii(fault["input"])[:80] if isinstance(fault["input"], str) else str(valid),
            expected=fault["msg"].removeprefix("Value error, "),
        ) from error
    return sign(statement.to_bytes(), key)


def hear(store: Store, asked: SignedRequest, keys: Sequence[PublicKey]) -> Heard:
    """Read the receipts of a request; without `keys` they are read and not verified.

    Raises `StoreError` when the store cannot be read.
    """
    found: list[Receipt | None] = []
    for number in (FIRST, LAST):
        try:
            found.append(_receipt(store, asked, number, keys))
        except NotFoundError:
            found.append(None)
        except _ANSWER_ERRORS as error:
            return Heard(first=found[0] if found else None, fault=str(error)[:500])
    first, last = found
    return Heard(first=first, last=last, verified=bool(keys) and (first or last) is not None)


def wait_for(
    store: Store,
    asked: SignedRequest,
    keys: Sequence[PublicKey],
    *,
    seconds: float,
    told: Callable[[Heard], None],
    every: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Heard:
    """Read receipts until there is nothing more to wait for, or `seconds` are over.

    `told` hears of every change. Between two looks is a pause that grows to `every` seconds. Raises
    `StoreError`.
    """
    end = clock() + seconds
    pause = _FIRST_PAUSE
    before: Heard | None = None
    while True:
        heard = hear(store, asked, keys)
        if heard != before:
            told(heard)
        left = end - clock()
        if heard.over or not left > 0:  # no number is no time to wait
            return heard
        before = heard
        sleep(min(pause, left))
        pause = min(2 * pause, every)


def exit_code(store: Store, asked: SignedRequest, heard: Heard) -> int:
    """Return the exit code of a verdict, by the report that the receipt names.

    2 for everything else: nothing heard, refused, not verified. Raises `MalformedError` for another
    report than that, and `StoreError` when there is none.
    """
    told = heard.last
    if not heard.verified or heard.fault or told is None or told.run is None:
        return EXIT_NOT_CHECKED
    name = ReleaseName.parse(asked.told.release)
    folder = release_run(name.vendor, name.product, name.version, asked.told.center, told.run)
    data = store.get(f"{folder}{REPORT}", MAX_REPORT)
    if told.report != DigestSet(sha256=Digest.of(data)):
        raise MalformedError(
            "the report in the store is not the one that the receipt names",
            got=f"sha256 {Digest.of(data)}",
            expected=told.report.sha256 if told.report else None,
            todo="Ask the center which of the two it stands for; until then neither counts",
        )
    verdicts = _verdicts(data)
    if worst_of(verdicts) is not told.verdict:
        raise malformed("the report", got=worst_of(verdicts), expected=told.verdict)
    return exit_code_of(verdicts)


def _verdicts(data: bytes) -> list[Verdict]:
    report = read_object(data, what="the report", limit=MAX_REPORT, floats=True)
    try:
        return [Verdict(artefact["verdict"]) for artefact in report["artefacts"]]
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(
            "the report", got=type(error).__name__, expected="artefacts with verdicts"
        ) from error


def _receipt(store: Store, asked: SignedRequest, number: int, keys: Sequence[PublicKey]) -> Receipt:
    center = asked.told.center
    data = store.get(receipt_key(center, asked.digest, number), MAX_RECORD)
    if keys:
        return receipt_from(data, asked, number, center=center, keys=keys).predicate
    return receipt_in(Envelope.from_bytes(data), asked, number, center=center).predicate
