"""Requests that are cancelled: by their requester alone, before, in and after their run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.report import Report
from pipelines.evidence.statements.people import Answer
from pipelines.evidence.statements.statement import subject
from pipelines.requests.handler import OpenRequest
from pipelines.requests.messages import (
    MAX_CANCELLATIONS,
    SignedRequest,
    cancellation_of,
    store_cancellation,
)
from pipelines.requests.overview import (
    RequestState,
    find_request,
    is_over,
    overview,
    requests_of,
    show_age,
)
from pipelines.requests.rules import RefusalReason
from pipelines.requests.serve import serve
from tests.policy.reviews.people import Person
from tests.requests.office import ADA, BOB, CENTER, DAY, EVE, HERE, NOW, Center, answers, signed

WITHDRAWN = [(Answer.REFUSED, RefusalReason.CANCELLED)]
KEYS = [CENTER.public]


def envelope(asked: SignedRequest, person: Person = ADA, **changes: Any) -> Envelope:
    statement = cancellation_of(asked, NOW)
    predicate = statement.predicate.model_copy(update=changes)
    return sign_envelope(statement.model_copy(update={"predicate": predicate}).to_bytes(), person)


def cancelled(office: Center, asked: SignedRequest, person: Person = ADA, **changes: Any) -> None:
    store_cancellation(office.store, asked, envelope(asked, person, **changes))


def state(center: Center, asked: SignedRequest) -> RequestState:
    return overview(center.store, asked, KEYS, center.now).state


def test_a_request_that_is_cancelled_before_it_is_looked_at_is_never_run(center: Center) -> None:
    asked = center.ask()
    cancelled(center, asked)
    assert state(center, asked) is RequestState.CANCELLING
    assert answers(center.serve()) == WITHDRAWN
    assert (center.runs, state(center, asked)) == ([], RequestState.CANCELLED)
    assert center.serve() == []


def test_an_accepted_request_that_is_cancelled_is_not_run(center: Center) -> None:
    asked = center.ask()
    center.look()
    cancelled(center, asked)
    assert center.look().open == []
    assert (center.runs, state(center, asked)) == ([], RequestState.CANCELLED)


def test_one_that_is_cancelled_while_it_waits_behind_another_is_not_run(center: Center) -> None:
    first, second = center.ask(), center.ask(nonce="nonce-0002", ago=DAY / 1440 / 2)

    def run(item: OpenRequest) -> Report:
        cancelled(center, second)
        return center.run(item)

    served = serve(center.handler, run, lambda: NOW)
    assert [(s.digest, s.receipt and s.receipt.answer) for s in served] == [
        (first.digest, Answer.DONE),
        (second.digest, Answer.REFUSED),
    ]
    assert len(center.runs) == 1


@pytest.mark.parametrize(
    ("outcome", "withdrawn", "expected"),
    [
        (Outcome.CANCELLED, True, WITHDRAWN),
        (Outcome.CANCELLED, False, [(Answer.DONE, None)]),
        (Outcome.BUILT, True, [(Answer.DONE, None)]),
    ],
    ids=["with-its-request", "by-the-operator", "after-its-seal-was-logged"],
)
def test_a_run_that_is_cancelled_answers_by_what_it_came_to(
    center: Center, outcome: Outcome, withdrawn: bool, expected: object
) -> None:
    asked = center.ask()
    center.verdict = Verdict.NOT_CHECKED if outcome is Outcome.CANCELLED else Verdict.IDENTICAL

    def run(item: OpenRequest) -> Report:
        if withdrawn:
            cancelled(center, asked)
        return center.run(item).model_copy(update={"outcome": outcome})

    assert answers(serve(center.handler, run, lambda: NOW)) == expected


FORGED: dict[str, Callable[[Center, SignedRequest], object]] = {
    "by-a-stranger": lambda c, a: cancelled(c, a, EVE),
    "by-another-reviewer": lambda c, a: cancelled(c, a, BOB),
    "by-another-reviewer-in-his-own-name": lambda c, a: cancelled(c, a, BOB, requester="bob"),
    "of-another-release": lambda c, a: cancelled(c, a, release="lab/rules@1"),
    "of-another-center": lambda c, a: cancelled(c, a, center="europe"),
    "of-another-nonce": lambda c, a: cancelled(c, a, nonce="nonce-0009"),
    "with-two-signatures": lambda c, a: store_cancellation(
        c.store,
        a,
        envelope(a).model_copy(
            update={"signatures": (*envelope(a).signatures, *envelope(a, BOB).signatures)}
        ),
    ),
    "the-request-itself": lambda c, a: store_cancellation(c.store, a, a.envelope),
    "of-another-request": lambda c, a: store_cancellation(
        c.store,
        a,
        sign_envelope(
            cancellation_of(a, NOW)
            .model_copy(update={"subject": (subject("request", Digest("1" * 64)),)})
            .to_bytes(),
            ADA,
        ),
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_nobody_else_cancels_a_request(center: Center, name: str) -> None:
    asked = center.ask()
    FORGED[name](center, asked)
    assert answers(center.serve()) == [(Answer.DONE, None)]
    assert center.look().unanswered == {}


def test_rubbish_beside_a_cancellation_does_not_hide_it(center: Center) -> None:
    asked = center.ask()
    place = f"public/requests/{HERE}/{asked.digest}/cancel"
    for number in range(MAX_CANCELLATIONS - 1):
        center.store.put_record(f"{place}/{number:064x}.dsse.json", b"x")
    cancelled(center, asked)
    assert answers(center.serve()) == WITHDRAWN


def test_a_revoked_key_cancels_nothing_more(center: Center) -> None:
    asked = center.ask()
    cancelled(center, asked)
    center.revoked = (ADA,)
    assert center.look().open == []
    assert state(center, asked) is RequestState.CANCELLING


def test_what_is_answered_stays_answered(center: Center) -> None:
    asked = center.ask()
    center.serve()
    cancelled(center, asked)
    assert center.serve() == []
    assert state(center, asked) is RequestState.ANSWERED


def test_every_request_has_a_state_an_age_and_an_answer(center: Center) -> None:
    done = center.ask(nonce="nonce-0001", ago=DAY / 2)
    center.serve()
    center.ask(nonce="nonce-0002", release="lab/engine@2", ago=DAY / 24)
    waiting = center.ask(signed(EVE, name="eve", ago=DAY / 1440))
    accepted = center.ask(nonce="nonce-0003", ago=DAY / 48)
    center.look()
    old = center.ask(nonce="nonce-0004", ago=2 * DAY)
    disputed = center.ask(nonce="nonce-0005", ago=DAY / 12)
    center.store.put_record(f"public/requests/{HERE}/{disputed.digest}/receipt-1.dsse.json", b"x")
    found = requests_of(center.store, HERE, KEYS, NOW)
    assert [(str(one.state), show_age(one.age), one.answer) for one in found] == [
        ("waiting", "1 min", ""),
        ("accepted", "30 min", ""),
        ("refused", "1 h", "unknown-release"),
        ("disputed", "2 h", "not a receipt of the center"),
        ("answered", "12 h", "IDENTICAL"),
        ("expired", "2 d", ""),
    ]
    assert [is_over(one.state) for one in found] == [False, False, True, True, True, True]
    told = found[4].to_dict()
    assert (told["request"], told["state"], told["age_seconds"]) == (
        str(done.digest),
        "answered",
        43200,
    )
    assert [r["answer"] for r in told["answer"]["receipts"]] == ["accepted", "done"]
    assert {waiting.digest, accepted.digest, old.digest} <= {one.signed.digest for one in found}


def test_a_run_that_was_noted_is_shown(center: Center) -> None:
    from pipelines.requests.messages import note_run

    asked, run = center.ask(), "20260102T030405Z-0a1b2c3d"
    center.look()
    note_run(center.store, HERE, asked.digest, run)
    center.store.put_record(f"public/requests/{HERE}/{asked.digest}/runs/rubbish.json", b"x")
    seen = overview(center.store, asked, KEYS, NOW)
    assert (seen.state, seen.runs) == (RequestState.RUNNING, (run,))
    assert f"  run       {run}" in seen.lines()
    assert center.look().unanswered == {}


def test_a_request_is_found_by_its_nonce_or_the_begin_of_its_digest(center: Center) -> None:
    from builders.core.errors import UsageError

    asked = center.ask()
    center.ask(nonce="nonce-0002")
    for name in ("nonce-0001", asked.digest.hex, asked.digest.hex[:8]):
        assert find_request(center.store, HERE, name).digest == asked.digest
    for name in ("nonce-0003", asked.digest.hex[:7], "", "\x1b[2J"):
        with pytest.raises(UsageError, match="no requests of that nonce") as raised:
            find_request(center.store, HERE, name)
        assert "\x1b" not in str(raised.value)
