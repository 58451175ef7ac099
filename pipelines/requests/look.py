"""One look at the desk: what is new is refused or accepted, what was accepted is gone on with.

An accepted request without its last receipt is open, whatever became of the server that accepted
it. Strangers and rubbish get no receipt and no file, only a count: anybody can write without end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from pipelines.evidence.statements.status import Answer, Receipt
from pipelines.requests.desk import (
    UNREADABLE,
    BlockedError,
    Desk,
    OpenRequest,
    Served,
    read_receipt,
    recipe_of,
    settled,
    write_receipt,
)
from pipelines.requests.memory import Settled
from pipelines.requests.records import (
    FIRST,
    LAST,
    MAX_RECORD,
    Folder,
    SignedRequest,
    folders,
    request_from,
    request_key,
)
from pipelines.requests.rules import Refusal, Situation, Unanswered, refusal, signer_of

MAX_READ = 5000
"""Records that one look reads; where there are more, every look begins elsewhere among them."""


@dataclass(kw_only=True)
class Round:
    """What one look found."""

    open: list[OpenRequest] = field(default_factory=list)
    """To be run, oldest first."""
    refused: list[Served] = field(default_factory=list)
    unanswered: Counter[Unanswered] = field(default_factory=Counter)
    left: int = 0
    """Records that were too many for this look."""

    def to_dict(self) -> dict[str, Any]:
        """Return the counts, for the log."""
        return {
            "open": len(self.open),
            "refused": len(self.refused),
            "unanswered": {str(why): n for why, n in sorted(self.unanswered.items())},
            "left": self.left,
        }


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A request with its receipts; `doubt` is why its signer is not known, or not any more."""

    asked: SignedRequest
    requester: str
    doubt: Unanswered | None
    first: Receipt | None
    last: Receipt | None

    @property
    def final(self) -> Receipt | None:
        """The receipt after which nothing comes."""
        if self.last is None and self.first and self.first.answer is Answer.REFUSED:
            return self.first
        return self.last

    @property
    def nonce(self) -> tuple[str, str]:
        """What is not answered twice."""
        return self.requester, self.asked.told.nonce


def pending(desk: Desk, now: datetime) -> Round:
    """Look at all requests, answer those that need no run, and return those that need one.

    `now` is the time in UTC. Raises `StoreError` when the store cannot be read or written, and what
    `desk.sign` and `desk.log` raise.
    """
    return _Look(desk, now).round()


class _Look:
    """The work of `pending`."""

    def __init__(self, desk: Desk, now: datetime) -> None:
        self._desk = desk
        self._now = now
        self._seen = Round()
        self._known: Mapping[Digest, Settled] = desk.memory.load()
        self._nonces = {(s.requester, s.nonce) for s in self._known.values()}
        self._open: Counter[str] = Counter()
        self._recipes: dict[str, Path | Refusal] = {}

    def round(self) -> Round:
        found, others = folders(self._desk.store, self._desk.center)
        fresh = sorted(d for d, folder in found.items() if folder.request and d not in self._known)
        orphans = sum(not folder.request for folder in found.values())
        self._count(Unanswered.MALFORMED, others + orphans)
        if self._desk.policy.expires is not None and self._desk.policy.expires <= self._now:
            self._count(Unanswered.NO_POLICY, len(fresh))
            return self._seen
        chosen = _turn(fresh, self._now)
        self._seen.left = len(fresh) - len(chosen)
        cases = [case for digest in chosen if (case := self._case(found[digest])) is not None]
        cases.sort(key=lambda case: (case.asked.told.requested_on, case.asked.digest))
        self._go_on([case for case in cases if case.first or case.last])
        self._begin([case for case in cases if not (case.first or case.last)])
        self._seen.open.sort(key=lambda item: (item.asked.told.requested_on, item.digest))
        return self._seen

    def _case(self, folder: Folder) -> _Case | None:
        """Read what stands in a folder; None for what is counted and not answered."""
        try:
            data = self._desk.store.get(request_key(self._desk.center, folder.digest), MAX_RECORD)
            asked = request_from(data)
        except UNREADABLE:
            self._count(Unanswered.MALFORMED)
            return None
        if asked.digest != folder.digest:
            self._count(Unanswered.MALFORMED)
            return None
        signer = signer_of(asked, self._desk.known, self._desk.policy.revoked)
        if isinstance(signer, Unanswered) and not folder.receipts:
            self._count(signer)
            return None
        try:
            first, last = (
                read_receipt(self._desk, asked, number) if number in folder.receipts else None
                for number in (FIRST, LAST)
            )
        except UNREADABLE:
            self._count(Unanswered.BLOCKED)
            return None
        doubt = signer if isinstance(signer, Unanswered) else None
        requester = asked.told.requester if isinstance(signer, Unanswered) else signer.name
        return _Case(asked=asked, requester=requester, doubt=doubt, first=first, last=last)

    def _go_on(self, cases: Sequence[_Case]) -> None:
        """Take up what was accepted, and remember what is settled."""
        for case in cases:
            self._nonces.add(case.nonce)
            if case.final is not None:
                settled(self._desk, case.asked, case.requester, case.final)
            elif case.doubt is not None:
                self._refuse(case, LAST, Refusal.NO_LONGER_KNOWN)
            else:
                self._resume(case)

    def _begin(self, cases: Sequence[_Case]) -> None:
        """Refuse or accept what is new."""
        for case in cases:
            why = refusal(case.asked, self._situation(case))
            self._nonces.add(case.nonce)
            if why is not None:
                self._refuse(case, FIRST, why)
                continue
            told = self._write(case, FIRST, answer=Answer.ACCEPTED)
            if told is not None:
                self._take(case, told)

    def _refuse(self, case: _Case, number: int, why: Refusal) -> None:
        told = self._write(case, number, answer=Answer.REFUSED, reason=why)
        if told is not None:
            self._take(case, told)

    def _take(self, case: _Case, told: Receipt) -> None:
        """Go on from the receipt that stands in the store, whoever wrote it."""
        if told.answer is Answer.ACCEPTED:
            self._resume(case)
        else:
            served = settled(self._desk, case.asked, case.requester, told)
            if told.answer is Answer.REFUSED:
                self._seen.refused.append(served)

    def _resume(self, case: _Case) -> None:
        recipe = self._recipe(case.asked.told.release)
        if isinstance(recipe, Refusal):
            self._refuse(case, LAST, recipe)
            return
        self._open[case.requester] += 1
        self._seen.open.append(
            OpenRequest(asked=case.asked, requester=case.requester, recipe=recipe)
        )

    def _write(self, case: _Case, number: int, **told: Any) -> Receipt | None:
        try:
            return write_receipt(self._desk, case.asked, number, self._now, **told)
        except BlockedError:
            self._count(Unanswered.BLOCKED)
            return None

    def _situation(self, case: _Case) -> Situation:
        return Situation(
            center=self._desk.center,
            now=self._now,
            requester=case.requester,
            nonces=self._nonces,
            open=self._open[case.requester],
            limit=self._desk.limit,
            recipe=self._recipe,
        )

    def _recipe(self, release: str) -> Path | Refusal:
        """Return what `recipe_of` does, read once a look."""
        if release not in self._recipes:
            self._recipes[release] = recipe_of(self._desk, release)
        return self._recipes[release]

    def _count(self, why: Unanswered, number: int = 1) -> None:
        if number:
            self._seen.unanswered[why] += number


def _turn(names: Sequence[Digest], now: datetime) -> Sequence[Digest]:
    """Return at most `MAX_READ` of sorted names, from a place that moves with the time."""
    if len(names) <= MAX_READ:
        return names
    start = bisect_left(names, Digest.of(now.isoformat().encode()))
    return [*names[start:], *names[:start]][:MAX_READ]
