"""What a center does about requests: known people are served once, all others are not answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.evidence.clocks import CENTER_SKEW
from pipelines.evidence.statements.people import Answer
from pipelines.policy import Reviewer
from pipelines.requests.messages import FIRST, LAST, receipt_key, request_key
from pipelines.requests.rules import RefusalReason
from pipelines.requests.serve import serve
from pipelines.requests.triage import pending
from tests.fakes.store import MemoryStore
from tests.requests.office import (
    BOB,
    DAY,
    ELSEWHERE,
    EVE,
    HERE,
    NOW,
    OTHER_RELEASE,
    Center,
    answers,
    signed,
)

DONE = (Answer.DONE, None)
MINUTE = timedelta(minutes=1)


def test_a_known_person_is_answered_with_nonce_verdict_and_report(center: Center) -> None:
    asked = center.ask(nonce="my-own-nonce")
    (served,) = center.serve()
    told = served.receipt
    assert told
    assert (told.answer, told.nonce, told.verdict) == (Answer.DONE, "my-own-nonce", "IDENTICAL")
    (key,) = center.store.list(f"public/releases/lab/engine/1/{HERE}/{told.run}/")
    assert told.report
    assert told.report.sha256 == Digest.of(center.store.get(key, 1 << 20))
    assert center.runs == [center.recipes / "lab" / "engine" / "1.yaml"]
    assert center.records() == [
        receipt_key(HERE, asked.digest, FIRST),
        receipt_key(HERE, asked.digest, LAST),
        request_key(HERE, asked.digest),
    ]


@pytest.mark.parametrize("verdict", [Verdict.DIFFERENT, Verdict.NOT_CHECKED])
def test_a_bad_verdict_is_an_answer_too(center: Center, verdict: Verdict) -> None:
    center.verdict = verdict
    center.ask()
    (served,) = center.serve()
    assert served.receipt
    assert served.receipt.verdict is verdict


def test_what_is_answered_is_not_run_again(center: Center) -> None:
    center.ask()
    center.serve()
    before = center.records()
    assert center.serve() == []
    assert (len(center.runs), center.records()) == (1, before)


def test_what_is_answered_is_not_even_read_again(center: Center, tmp_path: Path) -> None:
    store = MemoryStore()
    center = Center(folder=tmp_path, store=store)
    center.ask()
    center.serve()
    store.calls.clear()
    center.serve()
    assert [operation for operation, _ in store.calls] == ["list"]


def test_a_lost_or_spoilt_memory_costs_time_only(center: Center) -> None:
    center.ask()
    center.serve()
    for spoilt in (None, b'\x00{"digest": \n\n{}\n{"digest":"' + b"a" * 70):
        (center.folder / "home" / "settled.jsonl").unlink()
        if spoilt:
            (center.folder / "home" / "settled.jsonl").write_bytes(spoilt)
        assert center.serve() == []
        center.ask(signed(ago=2 * MINUTE))
        assert answers(center.serve())[-1:] in ([(Answer.REFUSED, RefusalReason.REPLAYED)], [])
    assert len(center.runs) == 1


def test_who_asked_first_is_served_first(center: Center) -> None:
    late = center.ask(nonce="nonce-late", ago=MINUTE)
    early = center.ask(nonce="nonce-early", release=OTHER_RELEASE, ago=9 * MINUTE)
    middle = center.ask(BOB_ASKS)
    assert [item.digest for item in center.look().open] == [
        early.digest,
        middle.digest,
        late.digest,
    ]


BOB_ASKS = signed(BOB, name="bob", nonce="nonce-bob", ago=5 * MINUTE)

REFUSED: dict[RefusalReason, Callable[[Center], object]] = {
    RefusalReason.WRONG_NAME: lambda c: c.ask(name="bob"),
    RefusalReason.OTHER_CENTER: lambda c: c.ask(center=ELSEWHERE),
    RefusalReason.FUTURE: lambda c: c.ask(ago=-CENTER_SKEW - timedelta(seconds=1)),
    RefusalReason.EXPIRED: lambda c: c.ask(ago=DAY),
    RefusalReason.UNKNOWN_RELEASE: lambda c: c.ask(release="lab/engine@2"),
    RefusalReason.BAD_RECIPE: lambda c: (
        (c.recipes / "lab" / "engine" / "1.yaml").write_text("schema: samebits/recipe/v1\n"),
        c.ask(),
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_known_person_is_told_why_not(center: Center, why: RefusalReason) -> None:
    REFUSED[why](center)
    assert answers(center.serve()) == [(Answer.REFUSED, why)]
    assert (center.runs, len(center.records())) == ([], 2)
    assert center.serve() == [], "one receipt each"


def test_the_edges_of_time_are_inside(center: Center) -> None:
    center.ask(nonce="nonce-early", ago=-CENTER_SKEW)
    center.ask(nonce="nonce-late", ago=DAY - timedelta(seconds=1))
    assert len(center.look().open) == 2


def test_a_recipe_under_the_name_of_another_release_is_not_run(center: Center) -> None:
    folder = center.recipes / "lab"
    (folder / "engine" / "1.yaml").write_bytes((folder / "rules" / "1.yaml").read_bytes())
    center.ask()
    assert answers(center.serve()) == [(Answer.REFUSED, RefusalReason.BAD_RECIPE)]


def test_a_replayed_nonce_is_refused(center: Center) -> None:
    center.ask(ago=5 * MINUTE)
    center.serve()
    center.ask(ago=MINUTE, release=OTHER_RELEASE)
    assert answers(center.serve()) == [(Answer.REFUSED, RefusalReason.REPLAYED)]
    assert len(center.runs) == 1


def test_a_replay_is_found_without_the_memory(center: Center) -> None:
    center.ask(ago=5 * MINUTE)
    center.serve()
    (center.folder / "home" / "settled.jsonl").unlink()
    center.ask()
    assert answers(center.serve()) == [(Answer.REFUSED, RefusalReason.REPLAYED)]


def test_of_two_requests_with_one_nonce_the_older_is_run(center: Center) -> None:
    center.ask(ago=MINUTE)
    old = center.ask(ago=5 * MINUTE)
    seen = center.look()
    assert [item.digest for item in seen.open] == [old.digest]
    assert answers(seen.refused) == [(Answer.REFUSED, RefusalReason.REPLAYED)]


def test_a_nonce_belongs_to_its_requester(center: Center) -> None:
    center.ask()
    center.ask(signed(BOB, name="bob"))
    assert len(center.look().open) == 2


def test_a_nonce_stays_used_when_its_request_was_refused(center: Center) -> None:
    center.ask(release="lab/engine@2", ago=5 * MINUTE)
    center.ask()
    assert answers(center.serve()) == [
        (Answer.REFUSED, RefusalReason.UNKNOWN_RELEASE),
        (Answer.REFUSED, RefusalReason.REPLAYED),
    ]


def test_a_request_copied_from_another_center_is_refused(center: Center, tmp_path: Path) -> None:
    envelope = signed(center=ELSEWHERE)
    center.ask(envelope)
    (served,) = center.serve()
    assert served.receipt
    assert (served.receipt.center, served.receipt.reason) == (HERE, RefusalReason.OTHER_CENTER)
    assert center.runs == []


def test_a_requester_has_only_so_many_open(center: Center) -> None:
    for number in range(4):
        center.ask(nonce=f"nonce-{number:04}", ago=(9 - number) * MINUTE)
    center.ask(BOB_ASKS)
    seen = pending(replace(center.handler, limit=3), NOW)
    assert answers(seen.refused) == [(Answer.REFUSED, RefusalReason.TOO_MANY)]
    assert [item.requester for item in seen.open] == ["ada", "ada", "ada", "bob"]


def test_open_ones_of_an_earlier_look_count(center: Center) -> None:
    center.ask(nonce="nonce-0001")
    pending(replace(center.handler, limit=1), NOW)
    center.ask(nonce="nonce-0002")
    seen = pending(replace(center.handler, limit=1), NOW)
    assert (len(seen.open), answers(seen.refused)) == (
        1,
        [(Answer.REFUSED, RefusalReason.TOO_MANY)],
    )


def test_done_ones_do_not_count(center: Center) -> None:
    for number in range(3):
        center.ask(nonce=f"nonce-{number:04}")
        assert answers(serve(replace(center.handler, limit=1), center.run, lambda: NOW)) == [DONE]


def test_the_reviewers_of_the_policy_are_those_who_may_ask(center: Center) -> None:
    center.ask(signed(EVE, name="eve"))
    assert pending(center.handler, NOW).open == []
    reviewers = (Reviewer(name="eve", key=EVE.public),)
    handler = replace(center.handler, policy=replace(center.handler.policy, reviewers=reviewers))
    assert [item.requester for item in pending(handler, NOW).open] == ["eve"]
