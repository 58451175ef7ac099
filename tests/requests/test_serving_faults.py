"""Runs that fail, servers that die or race, stores that break: no answer is lost or doubled."""

from __future__ import annotations

import importlib
import os
from collections.abc import Container
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import CancelledError, InfrastructureError, NotFoundError, StoreError
from pipelines.center.center import load_center
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.report import Report
from pipelines.evidence.statements.people import Answer
from pipelines.evidence.statements.statement import Statement
from pipelines.requests import triage
from pipelines.requests.handler import OpenRequest, RequestOutcome, answer
from pipelines.requests.messages import FIRST, LAST, receipt_key
from pipelines.requests.rules import IgnoreReason, RefusalReason
from pipelines.requests.serve import held, serve
from pipelines.requests.triage import pending
from pipelines.storage.directory import DirectoryStore
from pipelines.verify.session import Session
from tests.fakes.store import MemoryStore
from tests.requests.office import (
    ADA,
    BOB,
    DAY,
    ELSEWHERE,
    EVE,
    HERE,
    NOW,
    OTHER_RELEASE,
    Center,
    answers,
    by_center,
    report,
    signed,
)

DONE = (Answer.DONE, None)
MINUTE = timedelta(minutes=1)
serving = importlib.import_module("pipelines.requests.serve")


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
    assert answers(center.serve()) == [(Answer.REFUSED, RefusalReason.NOT_FINISHED)]
    assert center.serve() == []


def test_a_server_that_looks_often_tries_a_failed_run_once_in_its_time(
    center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every try is a rebuild with a leaf in the log; another request is not kept waiting."""
    center.faults = 1
    center.ask()

    def one_look(_: object, *, leave: Container[Digest] = ()) -> list[RequestOutcome]:
        if len(center.runs) == 1:
            center.ask(nonce="nonce-0002")
        return serve(center.handler, center.run, lambda: center.now, leave=leave)

    monkeypatch.setattr(serving, "serve_round", one_look)
    clock = iter(range(100))
    served = serving.serve_for_a_while(
        Session(load_center(None)),
        seconds=60,
        every=5,
        clock=lambda: next(clock),
        sleep=lambda _: None,
    )
    assert len(center.runs) == 2
    assert [bool(one.fault) for one in served] == [True, False]
    assert answers(center.serve()) == [DONE], "the next server tries again"


def test_a_server_goes_by_the_file_as_it_is_at_each_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path))
    looked = list[str]()

    def one_look(session: Session, *, leave: Container[Digest] = ()) -> list[RequestOutcome]:
        looked.append(session.center.operator)
        if len(looked) == 4:
            first.cancelled.set()
        return []

    monkeypatch.setattr(serving, "serve_round", one_look)
    first = Session(load_center(None))
    other = first.center.model_copy(update={"operator": "other"})
    now = iter([first.center, other, other, other])
    serving.serve_for_a_while(
        first, seconds=1e9, every=0, sleep=lambda _: None, reread=lambda: next(now)
    )
    assert looked == ["local", "local", "other", "other"], "it ends with its session"


def test_a_cancelled_run_leaves_its_request_open(center: Center) -> None:
    def cancelled(item: OpenRequest) -> Report:
        raise CancelledError("the run was cancelled")

    center.ask()
    with pytest.raises(CancelledError):
        serve(center.handler, cancelled, lambda: NOW)
    assert answers(center.serve()) == [DONE]


def test_a_release_that_goes_away_after_acceptance_is_refused(center: Center) -> None:
    center.ask()
    center.look()
    (center.recipes / "lab" / "engine" / "1.yaml").unlink()
    assert answers(center.serve()) == [(Answer.REFUSED, RefusalReason.UNKNOWN_RELEASE)]


@pytest.mark.parametrize("change", [{"revoked": (ADA,)}, {"people": {"bob": BOB}}])
def test_a_key_that_goes_away_after_acceptance_is_not_served(
    center: Center, change: dict[str, object]
) -> None:
    center.ask()
    center.look()
    later = center.another(**change)
    assert answers(later.serve()) == [(Answer.REFUSED, RefusalReason.NO_LONGER_KNOWN)]
    assert later.runs == []


def test_only_a_run_of_that_release_and_center_is_an_answer(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    for made in (
        report(OTHER_RELEASE, verdict=Verdict.IDENTICAL),
        report(center=ELSEWHERE, verdict=Verdict.IDENTICAL),
    ):
        with pytest.raises(InfrastructureError, match="not the one that was asked for"):
            answer(center.handler, item, made, NOW)


def test_a_report_that_is_not_in_the_store_is_no_answer(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    with pytest.raises(NotFoundError):
        answer(center.handler, item, report(verdict=Verdict.IDENTICAL), NOW)
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
    late = slow.run(item)
    center.serve()
    served = answer(slow.handler, item, late, NOW)
    assert served.receipt
    assert served.receipt.verdict is Verdict.IDENTICAL


def test_on_one_machine_a_request_is_run_once(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    with held(center.handler, item) as mine:
        assert mine
        assert center.serve() == []
    assert answers(center.serve()) == [DONE]
    assert list((center.folder / "home" / "held").iterdir()) == []


def test_a_hold_on_a_file_that_was_removed_is_none(center: Center) -> None:
    center.ask()
    (item,) = center.look().open
    path = center.folder / "home" / "held" / str(item.digest)
    with held(center.handler, item):
        late = os.open(path, os.O_RDWR)  # somebody opens it, and waits too long
    with held(center.handler, item) as mine:
        assert mine
        assert not serving._locked(late, path)
    os.close(late)


def test_a_request_that_was_answered_meanwhile_is_not_run(center: Center) -> None:
    one, two = center.ask(), center.ask(nonce="nonce-0002", ago=timedelta(0))
    other = center.another(home="home-2")

    def run(item: OpenRequest) -> Report:
        other.serve()
        return center.run(item)

    served = serve(center.handler, run, lambda: NOW)
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
            pending(replace(center.handler, log=refuse), NOW)
    center.look()
    asked = center.ask(nonce="nonce-0002")
    (served,) = serve(replace(center.handler, log=refuse), center.run, lambda: NOW)
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
        pending(replace(center.handler, sign=refuse), NOW)
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
        if told["nonce"] == asked.content.nonce and turn == number:
            center.store.put_record(key, b"forged")
        return by_center(statement)

    served = serve(replace(center.handler, sign=sign_too_late), center.run, lambda: NOW)
    assert [s.digest for s in served if s.receipt] == [other.digest]
    assert center.store.get(key, 100) == b"forged"
    assert center.look().unanswered == {IgnoreReason.BLOCKED: 1}


def test_where_there_are_too_many_every_look_takes_others(
    center: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triage, "MAX_READ", 10)
    for number in range(40):
        center.ask(signed(EVE, name="eve", nonce=f"nonce-{number:04}"))
    center.ask()
    assert center.look().left == 31
    moments = (NOW + n * MINUTE for n in range(60))
    assert any(_serves(center, moment) for moment in moments)


def _serves(center: Center, moment: datetime) -> bool:
    center.now = moment
    return answers(center.serve()) == [DONE]
