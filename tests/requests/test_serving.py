"""What a center does about requests: known people are served once, all others are not answered."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Container
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from builders.digest import Digest
from builders.errors import (
    CancelledError,
    InfrastructureError,
    NotFoundError,
    StoreError,
)
from builders.words import Verdict
from pipelines import rounds
from pipelines.center import load_center
from pipelines.evidence.directory import DirectoryStore
from pipelines.evidence.dsse import Envelope, Signature, sign
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements import Statement
from pipelines.evidence.statements.status import Answer, receipt
from pipelines.policy import Reviewer
from pipelines.report import Report
from pipelines.requests import Served, Unanswered, answer, held, look, pending, serve
from pipelines.requests.records import FIRST, LAST, MAX_RECORD, receipt_key, request_key
from pipelines.requests.rules import SKEW, Refusal
from tests.fakes.store import MemoryStore
from tests.requests.office import (
    ADA,
    BOB,
    CENTER,
    DAY,
    ELSEWHERE,
    EVE,
    HERE,
    NOW,
    OTHER_RELEASE,
    RELEASE,
    Center,
    answers,
    by_center,
    report,
    signed,
)

ACCEPTED = (Answer.ACCEPTED, None)
DONE = (Answer.DONE, None)
MINUTE = timedelta(minutes=1)
serving = importlib.import_module("pipelines.requests.serve")


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
        assert answers(center.serve())[-1:] in ([(Answer.REFUSED, Refusal.REPLAYED)], [])
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

REFUSED: dict[Refusal, Callable[[Center], object]] = {
    Refusal.WRONG_NAME: lambda c: c.ask(name="bob"),
    Refusal.OTHER_CENTER: lambda c: c.ask(center=ELSEWHERE),
    Refusal.FUTURE: lambda c: c.ask(ago=-SKEW - timedelta(seconds=1)),
    Refusal.EXPIRED: lambda c: c.ask(ago=DAY),
    Refusal.UNKNOWN_RELEASE: lambda c: c.ask(release="lab/engine@2"),
    Refusal.BAD_RECIPE: lambda c: (
        (c.recipes / "lab" / "engine" / "1.yaml").write_text("schema: samebits/recipe/v1\n"),
        c.ask(),
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_known_person_is_told_why_not(center: Center, why: Refusal) -> None:
    REFUSED[why](center)
    assert answers(center.serve()) == [(Answer.REFUSED, why)]
    assert (center.runs, len(center.records())) == ([], 2)
    assert center.serve() == [], "one receipt each"


def test_the_edges_of_time_are_inside(center: Center) -> None:
    center.ask(nonce="nonce-early", ago=-SKEW)
    center.ask(nonce="nonce-late", ago=DAY - timedelta(seconds=1))
    assert len(center.look().open) == 2


def test_a_recipe_under_the_name_of_another_release_is_not_run(center: Center) -> None:
    folder = center.recipes / "lab"
    (folder / "engine" / "1.yaml").write_bytes((folder / "rules" / "1.yaml").read_bytes())
    center.ask()
    assert answers(center.serve()) == [(Answer.REFUSED, Refusal.BAD_RECIPE)]


def test_a_replayed_nonce_is_refused(center: Center) -> None:
    center.ask(ago=5 * MINUTE)
    center.serve()
    center.ask(ago=MINUTE, release=OTHER_RELEASE)
    assert answers(center.serve()) == [(Answer.REFUSED, Refusal.REPLAYED)]
    assert len(center.runs) == 1


def test_a_replay_is_found_without_the_memory(center: Center) -> None:
    center.ask(ago=5 * MINUTE)
    center.serve()
    (center.folder / "home" / "settled.jsonl").unlink()
    center.ask()
    assert answers(center.serve()) == [(Answer.REFUSED, Refusal.REPLAYED)]


def test_of_two_requests_with_one_nonce_the_older_is_run(center: Center) -> None:
    center.ask(ago=MINUTE)
    old = center.ask(ago=5 * MINUTE)
    seen = center.look()
    assert [item.digest for item in seen.open] == [old.digest]
    assert answers(seen.refused) == [(Answer.REFUSED, Refusal.REPLAYED)]


def test_a_nonce_belongs_to_its_requester(center: Center) -> None:
    center.ask()
    center.ask(signed(BOB, name="bob"))
    assert len(center.look().open) == 2


def test_a_nonce_stays_used_when_its_request_was_refused(center: Center) -> None:
    center.ask(release="lab/engine@2", ago=5 * MINUTE)
    center.ask()
    assert answers(center.serve()) == [
        (Answer.REFUSED, Refusal.UNKNOWN_RELEASE),
        (Answer.REFUSED, Refusal.REPLAYED),
    ]


def test_a_request_copied_from_another_center_is_refused(center: Center, tmp_path: Path) -> None:
    envelope = signed(center=ELSEWHERE)
    center.ask(envelope)
    (served,) = center.serve()
    assert served.receipt
    assert (served.receipt.center, served.receipt.reason) == (HERE, Refusal.OTHER_CENTER)
    assert center.runs == []


def test_a_requester_has_only_so_many_open(center: Center) -> None:
    for number in range(4):
        center.ask(nonce=f"nonce-{number:04}", ago=(9 - number) * MINUTE)
    center.ask(BOB_ASKS)
    seen = pending(replace(center.desk, limit=3), NOW)
    assert answers(seen.refused) == [(Answer.REFUSED, Refusal.TOO_MANY)]
    assert [item.requester for item in seen.open] == ["ada", "ada", "ada", "bob"]


def test_open_ones_of_an_earlier_look_count(center: Center) -> None:
    center.ask(nonce="nonce-0001")
    pending(replace(center.desk, limit=1), NOW)
    center.ask(nonce="nonce-0002")
    seen = pending(replace(center.desk, limit=1), NOW)
    assert (len(seen.open), answers(seen.refused)) == (1, [(Answer.REFUSED, Refusal.TOO_MANY)])


def test_done_ones_do_not_count(center: Center) -> None:
    for number in range(3):
        center.ask(nonce=f"nonce-{number:04}")
        assert answers(serve(replace(center.desk, limit=1), center.run, lambda: NOW)) == [DONE]


def test_requesters_beside_the_reviewers_are_known(center: Center) -> None:
    center.ask(signed(EVE, name="eve"))
    desk = replace(center.desk, requesters=(Reviewer(name="eve", key=EVE.public),))
    assert [item.requester for item in pending(desk, NOW).open] == ["eve"]


def forged(envelope: Envelope) -> Envelope:
    (signature,) = envelope.signatures
    spoilt = bytes([signature.sig[0] ^ 1, *signature.sig[1:]])
    return replace(envelope, signatures=(Signature(keyid=signature.keyid, sig=spoilt),))


def renamed(envelope: Envelope) -> Envelope:
    (signature,) = envelope.signatures
    return replace(envelope, signatures=(Signature(keyid="x", sig=signature.sig),))


STRANGERS = {
    "by-a-stranger": signed(EVE, name="eve"),
    "in-the-name-of-a-known-one": signed(EVE),
    "with-a-broken-signature": forged(signed()),
    "with-another-key-id": renamed(signed()),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_counted_and_makes_nobody_write(center: Center, name: str) -> None:
    center.ask(STRANGERS[name])
    before = center.records()
    seen = center.look()
    assert (seen.open, seen.refused, seen.unanswered) == ([], [], {Unanswered.STRANGER: 1})
    assert center.records() == before
    assert not (center.folder / "home").exists()


def test_a_revoked_key_makes_nobody_write(center: Center) -> None:
    center.revoked = (ADA,)
    center.ask()
    assert center.look().unanswered == {Unanswered.REVOKED: 1}
    assert len(center.records()) == 1


def test_an_expired_policy_knows_nobody(center: Center) -> None:
    center.ask()
    desk = center.desk
    for expires, opened in ((NOW, 0), (NOW + MINUTE, 1)):
        seen = pending(replace(desk, policy=replace(desk.policy, expires=expires)), NOW)
        assert len(seen.open) == opened
        assert seen.unanswered == ({} if opened else {Unanswered.NO_POLICY: 1})


def test_a_copy_makes_no_second_record(center: Center) -> None:
    envelope = signed()
    (signature,) = envelope.signatures
    center.ask(envelope)
    center.serve()
    place = f"public/requests/{HERE}"
    more = replace(envelope, signatures=(signature, Signature(keyid="junk", sig=b"junk")))
    for number, data in enumerate(
        (more.to_bytes(), envelope.to_bytes() + b"\n", b" " + envelope.to_bytes())
    ):
        center.store.put_record(f"{place}/{Digest.of(data)}/request.dsse.json", data)
        assert center.serve() == []
        assert center.look().unanswered == {Unanswered.MALFORMED: number + 1}
    assert len(center.runs) == 1


def test_a_request_under_another_name_is_none(center: Center) -> None:
    data = signed().to_bytes()
    center.store.put_record(request_key(HERE, Digest("0" * 64)), data)
    assert center.look().unanswered == {Unanswered.MALFORMED: 1}


def test_rubbish_in_the_folder_stops_nobody(center: Center) -> None:
    place = f"public/requests/{HERE}"
    rubbish = {
        f"{place}/readme.txt": b"hello",
        f"{place}/{'0' * 64}/request.dsse.json": b"",
        f"{place}/{'1' * 64}/request.dsse.json": b"x" * (MAX_RECORD + 1),
        f"{place}/{'2' * 64}/request.dsse.json": b'{"payload":' * 5000,
        f"{place}/{'3' * 64}/receipt-1.dsse.json": b"{}",
        f"{place}/{'4' * 64}/receipt-9.dsse.json": b"{}",
        f"{place}/{'5' * 64}/request.dsse.json/deeper": b"{}",
        f"{place}/{'A' * 64}/request.dsse.json": b"{}",
        f"{place}/..%2F..%2Fetc/request.dsse.json": b"{}",
    }
    for key, data in rubbish.items():
        center.store.put_record(key, data)
    by_the_center = by_center(
        receipt(
            center=HERE,
            request=Digest("6" * 64),
            release=RELEASE,
            nonce="nonce-0001",
            answer=Answer.ACCEPTED,
            now=NOW,
        )
    )
    data = by_the_center.to_bytes()  # a statement, and not a request
    center.store.put_record(request_key(HERE, Digest.of(data)), data)
    center.ask()
    assert answers(center.serve()) == [DONE]
    assert center.look().unanswered == {Unanswered.MALFORMED: len(rubbish) + 1}


def test_links_and_devices_in_the_folder_stop_nobody(tmp_path: Path) -> None:
    center = Center(folder=tmp_path, store=DirectoryStore(tmp_path / "store"))
    center.ask()
    place = tmp_path / "store" / "public" / "requests" / HERE
    (place / ("0" * 64)).mkdir()
    (place / ("0" * 64) / "request.dsse.json").symlink_to("/etc/passwd")
    (place / ("1" * 64)).symlink_to(place)
    (place / ("2" * 64)).mkdir()
    os.mkfifo(place / ("2" * 64) / "request.dsse.json")
    assert answers(center.serve()) == [DONE]


def test_another_centers_requests_are_not_looked_at(center: Center) -> None:
    data = signed(center=ELSEWHERE).to_bytes()
    center.store.put_record(request_key(ELSEWHERE, Digest.of(data)), data)
    seen = center.look()
    assert (seen.open, seen.unanswered) == ([], {})


@pytest.mark.parametrize("number", [FIRST, LAST])
@pytest.mark.parametrize("forger", [EVE, ADA])
def test_a_receipt_that_the_center_did_not_sign_is_not_believed(
    center: Center, number: int, forger: object
) -> None:
    asked = center.ask()
    told = receipt(
        center=HERE,
        request=asked.digest,
        release=RELEASE,
        nonce=asked.told.nonce,
        answer=Answer.REFUSED,
        reason="forged",
        now=NOW,
    )
    data = sign(told.to_bytes(), forger).to_bytes()  # type: ignore[arg-type]
    center.store.put_record(receipt_key(HERE, asked.digest, number), data)
    seen = center.look()
    assert (seen.open, seen.unanswered) == ([], {Unanswered.BLOCKED: 1})
    assert center.records().count(receipt_key(HERE, asked.digest, number)) == 1
    assert len(center.records()) == 2, "nothing is written beside it"


def test_a_receipt_of_the_center_about_something_else_is_not_believed(center: Center) -> None:
    one = center.ask()
    center.serve()
    two = center.ask(nonce="nonce-0002")
    center.store.put_record(receipt_key(HERE, two.digest, LAST), center.receipt(one, LAST))
    assert center.look().unanswered == {Unanswered.BLOCKED: 1}


def test_an_accepted_request_is_taken_up_after_a_restart(center: Center) -> None:
    asked = center.ask()
    assert len(center.look().open) == 1  # and here the center dies
    first = center.receipt(asked, FIRST)
    center.now += 2 * DAY  # it expires while nobody is there; accepted is accepted
    assert answers(center.another().serve()) == [DONE]
    assert center.receipt(asked, FIRST) == first


def test_a_run_that_fails_is_tried_again_until_the_request_expires(center: Center) -> None:
    center.faults = 3
    center.ask()
    for _ in range(2):
        (served,) = center.serve()
        assert served.receipt is None
        assert "the engine is away" in (served.fault or "")
    center.now += DAY
    assert answers(center.serve()) == [(Answer.REFUSED, Refusal.NOT_FINISHED)]
    assert center.serve() == []


def test_a_server_that_looks_often_tries_a_failed_run_once_in_its_time(
    center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every try is a rebuild with a leaf in the log; another request is not kept waiting."""
    center.faults = 1
    center.ask()

    def one_look(_: object, *, leave: Container[Digest] = ()) -> list[Served]:
        if len(center.runs) == 1:
            center.ask(nonce="nonce-0002")
        return serve(center.desk, center.run, lambda: center.now, leave=leave)

    monkeypatch.setattr(rounds, "serve_round", one_look)
    clock = iter(range(100))
    served = rounds.serve_for_a_while(
        load_center(None), seconds=60, every=5, clock=lambda: next(clock), sleep=lambda _: None
    )
    assert len(center.runs) == 2
    assert [bool(one.fault) for one in served] == [True, False]
    assert answers(center.serve()) == [DONE], "the next server tries again"


def test_a_cancelled_run_leaves_its_request_open(center: Center) -> None:
    def cancelled(recipe: Path) -> Report:
        raise CancelledError("the run was cancelled")

    center.ask()
    with pytest.raises(CancelledError):
        serve(center.desk, cancelled, lambda: NOW)
    assert answers(center.serve()) == [DONE]


def test_a_release_that_goes_away_after_acceptance_is_refused(center: Center) -> None:
    center.ask()
    center.look()
    (center.recipes / "lab" / "engine" / "1.yaml").unlink()
    assert answers(center.serve()) == [(Answer.REFUSED, Refusal.UNKNOWN_RELEASE)]


@pytest.mark.parametrize("change", [{"revoked": (ADA,)}, {"people": {"bob": BOB}}])
def test_a_key_that_goes_away_after_acceptance_is_not_served(
    center: Center, change: dict[str, object]
) -> None:
    center.ask()
    center.look()
    later = center.another(**change)
    assert answers(later.serve()) == [(Answer.REFUSED, Refusal.NO_LONGER_KNOWN)]
    assert later.runs == []


def test_only_a_run_of_that_release_and_center_is_an_answer(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    for made in (
        report(OTHER_RELEASE, verdict=Verdict.IDENTICAL),
        report(center=ELSEWHERE, verdict=Verdict.IDENTICAL),
    ):
        with pytest.raises(InfrastructureError, match="not the one that was asked for"):
            answer(center.desk, item, made, NOW)


def test_a_report_that_is_not_in_the_store_is_no_answer(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    with pytest.raises(NotFoundError):
        answer(center.desk, item, report(verdict=Verdict.IDENTICAL), NOW)
    assert len(center.look().open) == 1


def test_two_servers_at_once_give_one_answer(center: Center, tmp_path: Path) -> None:
    """On two machines: neither sees what the other holds."""
    center = Center(folder=tmp_path, store=DirectoryStore(tmp_path / "store"))
    asked = [center.ask(nonce=f"nonce-{n:04}") for n in range(5)]
    both = [center.another(home=f"home-{n}", verdict=v) for n, v in enumerate(VERDICTS)]
    barrier = Barrier(2)
    found: list[list[object]] = [[], []]

    def work(number: int) -> None:
        barrier.wait()
        found[number] += both[number].serve()

    threads = [Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(server.runs) for server in both) >= len(asked)
    assert len(center.records()) == 3 * len(asked)
    for server in (*both, center.another(home="home-3")):
        assert server.serve() == []
    told = [{s.digest: s.receipt for s in f} for f in found]  # type: ignore[attr-defined]
    for digest in told[0].keys() & told[1].keys():
        assert told[0][digest] == told[1][digest], "both say what stands in the store"


VERDICTS = (Verdict.IDENTICAL, Verdict.DIFFERENT)


def test_the_slower_server_says_what_the_faster_one_wrote(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    slow = center.another(verdict=Verdict.DIFFERENT, home="home-2")
    late = slow.run(item.recipe)
    center.serve()
    served = answer(slow.desk, item, late, NOW)
    assert served.receipt
    assert served.receipt.verdict is Verdict.IDENTICAL


def test_on_one_machine_a_request_is_run_once(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    with held(center.desk, item) as mine:
        assert mine
        assert center.serve() == []
    assert answers(center.serve()) == [DONE]
    assert list((center.folder / "home" / "held").iterdir()) == []


def test_a_hold_on_a_file_that_was_removed_is_none(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    path = center.folder / "home" / "held" / str(item.digest)
    with held(center.desk, item):
        late = os.open(path, os.O_RDWR)  # somebody opens it, and waits too long
    with held(center.desk, item) as mine:
        assert mine
        assert not serving._locked(late, path)
    os.close(late)


def test_a_request_that_was_answered_meanwhile_is_not_run(center: Center) -> None:
    one, two = center.ask(), center.ask(nonce="nonce-0002", ago=timedelta(0))
    other = center.another(home="home-2")

    def run(recipe: Path) -> Report:
        other.serve()
        return center.run(recipe)

    served = serve(center.desk, run, lambda: NOW)
    assert {s.digest for s in served} == {one.digest, two.digest}
    assert (len(center.runs), len(other.runs)) == (1, 2)


@pytest.mark.parametrize("lost_reply", [True, False])
@pytest.mark.parametrize("after", range(3))
def test_a_store_that_fails_at_any_write_loses_and_doubles_nothing(
    tmp_path: Path, after: int, *, lost_reply: bool
) -> None:
    store = MemoryStore()
    center = Center(folder=tmp_path, store=store)
    center.ask()
    store.fail_on("put", after=after, times=1, lost_reply=lost_reply)
    try:
        center.serve()
    except StoreError:
        assert after == 0
    store.heal()
    center.now += MINUTE
    center.serve()
    assert center.serve() == []
    assert len(center.records()) == 3


def test_receipts_are_logged_once_and_before_they_are_forgotten(center: Center) -> None:
    def refuse(keys: object) -> None:
        raise StoreError("the log is away")

    refused = center.ask(release="lab/engine@2")
    for _ in range(2):
        with pytest.raises(StoreError, match="the log is away"):
            pending(replace(center.desk, log=refuse), NOW)
    center.look()
    asked = center.ask(nonce="nonce-0002")
    (served,) = serve(replace(center.desk, log=refuse), center.run, lambda: NOW)
    assert served.fault
    center.serve()
    center.serve()
    assert center.logged == [
        [receipt_key(HERE, refused.digest, FIRST)],
        [receipt_key(HERE, asked.digest, number) for number in (FIRST, LAST)],
    ]
    assert len(center.runs) == 1


def test_a_signer_that_refuses_is_heard(center: Center) -> None:
    def refuse(statement: object) -> Envelope:
        raise EvidenceError("the signer refuses", got="a receipt")

    center.ask()
    with pytest.raises(EvidenceError, match="the signer refuses"):
        pending(replace(center.desk, sign=refuse), NOW)
    assert answers(center.serve()) == [DONE]


@pytest.mark.parametrize("number", [FIRST, LAST])
def test_a_forger_who_is_faster_than_the_center_blocks_that_request_alone(
    center: Center, number: int
) -> None:
    asked = center.ask()
    other = center.ask(nonce="nonce-0002", ago=timedelta(0))
    key = receipt_key(HERE, asked.digest, number)

    def sign_too_late(statement: Statement) -> Envelope:
        told = statement.predicate.to_dict()
        turn = LAST if told["answer"] == "done" else FIRST
        if told["nonce"] == asked.told.nonce and turn == number:
            center.store.put_record(key, b"forged")
        return by_center(statement)

    served = serve(replace(center.desk, sign=sign_too_late), center.run, lambda: NOW)
    assert [s.digest for s in served if s.receipt] == [other.digest]
    assert center.store.get(key, 100) == b"forged"
    assert center.look().unanswered == {Unanswered.BLOCKED: 1}


def test_where_there_are_too_many_every_look_takes_others(
    center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "MAX_READ", 10)
    for number in range(40):
        center.ask(signed(EVE, name="eve", nonce=f"nonce-{number:04}"))
    center.ask()
    assert center.look().left == 31
    moments = (NOW + n * MINUTE for n in range(60))
    assert any(_serves(center, moment) for moment in moments)


def _serves(center: Center, moment: datetime) -> bool:
    center.now = moment
    return answers(center.serve()) == [DONE]


def test_a_look_tells_what_it_counted(center: Center) -> None:
    center.ask(STRANGERS["by-a-stranger"])
    center.ask()
    assert center.look().to_dict() == {
        "open": 1,
        "refused": 0,
        "unanswered": {"stranger": 1},
        "left": 0,
    }
    assert CENTER.public.keyid not in center.desk.policy.revoked
