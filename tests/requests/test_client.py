"""The side of who asks: nothing counts but what the asked center has signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import NotFoundError
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.report import Report
from pipelines.evidence.statements.people import Answer
from pipelines.requests.client import RequestStatus, exit_code, read_status, wait_for
from pipelines.requests.messages import FIRST, LAST, SignedRequest, receipt_key, store_request
from pipelines.storage.names import REPORT, release_run
from tests.evidence.examples import receipt
from tests.fakes.store import MemoryStore
from tests.requests.office import CENTER, EVE, HERE, NOW, Center, report, signed

KEYS = [CENTER.public]


class Clock:
    """Seconds that pass when somebody sleeps; `then` is what happens meanwhile."""

    def __init__(self, then: Callable[[float], object] = lambda _: None) -> None:
        self.seconds, self.then = 0.0, then

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.then(self.seconds)


def waited(
    center: Center, asked: SignedRequest, clock: Clock, *, keys: Any = KEYS, seconds: float = 20
) -> tuple[RequestStatus, list[str]]:
    words: list[str] = []
    heard = wait_for(
        center.store,
        asked,
        keys,
        seconds=seconds,
        on_change=lambda news: words.append(news.word),
        clock=lambda: clock.seconds,
        sleep=clock.sleep,
    )
    return heard, words


@pytest.mark.parametrize(
    ("verdict", "code"),
    [(Verdict.IDENTICAL, 0), (Verdict.DIFFERENT, 1), (Verdict.NOT_CHECKED, 2)],
)
def test_who_waits_hears_every_step_and_gets_the_exit_code(
    center: Center, verdict: Verdict, code: int
) -> None:
    center.verdict = verdict
    asked = center.ask()
    steps: dict[float, Callable[[], object]] = {0.75: center.look, 3.75: center.serve}
    heard, words = waited(center, asked, Clock(lambda at: steps.get(at, lambda: None)()))
    assert [word.split()[0].strip(":,") for word in words] == ["waiting", "accepted", "done"]
    assert str(verdict) in words[-1]
    assert (heard.verified, exit_code(center.store, asked, heard)) == (True, code)


def test_a_refusal_is_heard_with_its_reason(center: Center) -> None:
    asked = center.ask(release="lab/engine@2")
    center.serve()
    heard, words = waited(center, asked, Clock())
    assert words == ["refused: unknown-release"]
    assert exit_code(center.store, asked, heard) == 2


def test_no_answer_in_time_is_not_a_pass(center: Center) -> None:
    asked = center.ask()
    center.look()
    clock = Clock()
    heard, _ = waited(center, asked, clock, seconds=5)
    assert (heard.over, clock.seconds) == (False, 5)
    assert exit_code(center.store, asked, heard) == 2


def test_without_a_key_of_the_center_nothing_is_believed(center: Center) -> None:
    asked = center.ask()
    center.serve()
    heard, words = waited(center, asked, Clock(), keys=[])
    assert "UNVERIFIED" in words[-1]
    assert (heard.verified, exit_code(center.store, asked, heard)) == (False, 2)


@pytest.mark.parametrize("number", [FIRST, LAST])
@pytest.mark.parametrize("rubbish", [b"", b"{}", b"x" * 100_000])
def test_rubbish_in_place_of_a_receipt_is_no_answer(
    center: Center, number: int, rubbish: bytes
) -> None:
    asked = center.ask()
    center.store.put_record(receipt_key(HERE, asked.digest, number), rubbish)
    for keys in (KEYS, []):
        clock = Clock()
        heard, words = waited(center, asked, clock, keys=keys)
        assert words[-1].startswith("no answer that counts")
        assert clock.seconds == 0, "there is nothing to wait for"
        assert exit_code(center.store, asked, heard) == 2


def test_a_pass_that_somebody_else_signed_is_no_answer(center: Center) -> None:
    asked = center.ask()
    _forge(center, asked, EVE, report(verdict=Verdict.IDENTICAL))
    heard = read_status(center.store, asked, KEYS)
    assert heard.fault
    assert exit_code(center.store, asked, heard) == 2


def test_a_report_that_the_receipt_does_not_name_is_no_answer(center: Center) -> None:
    asked = center.ask()
    made = report(verdict=Verdict.IDENTICAL)
    _forge(center, asked, CENTER, made)
    heard = read_status(center.store, asked, KEYS)
    with pytest.raises(NotFoundError):
        exit_code(center.store, asked, heard)
    center.store.put_record(_place(made), made.to_json() + b"\n")
    with pytest.raises(MalformedError, match="not the one that the receipt names"):
        exit_code(center.store, asked, heard)


@pytest.mark.parametrize(
    "data", [report(verdict=Verdict.DIFFERENT).to_json(), b"{}", b'{"artefacts":[{}]}', b"x"]
)
def test_a_report_with_another_verdict_than_the_receipt_is_no_answer(
    center: Center, data: bytes
) -> None:
    asked = center.ask()
    made = report(verdict=Verdict.IDENTICAL)
    _forge(center, asked, CENTER, made, digest=Digest.of(data))
    center.store.put_record(_place(made), data)
    with pytest.raises(MalformedError):
        exit_code(center.store, asked, read_status(center.store, asked, KEYS))


def test_the_worst_verdict_is_not_the_exit_code(center: Center) -> None:
    """NOT_CHECKED is worse than EQUIVALENT, and says less: the exit code is that of both."""
    asked = center.ask()
    made = report(verdict=Verdict.NOT_CHECKED)
    data = b'{"artefacts":[{"verdict":"NOT_CHECKED"},{"verdict":"EQUIVALENT"}]}'
    _forge(center, asked, CENTER, made, digest=Digest.of(data))
    center.store.put_record(_place(made), data)
    assert exit_code(center.store, asked, read_status(center.store, asked, KEYS)) == 1


def test_what_was_heard_is_told_to_programs(center: Center) -> None:
    asked = center.ask()
    center.serve()
    told = read_status(center.store, asked, KEYS).to_dict()
    assert [r["answer"] for r in told["receipts"]] == ["accepted", "done"]
    assert (told["verified"], told["fault"]) == (True, None)
    assert replace(read_status(center.store, asked, KEYS), first=None).final


def _forge(
    center: Center, asked: SignedRequest, key: Any, made: Report, *, digest: Digest | None = None
) -> None:
    statement = receipt(
        center=HERE,
        request=asked.digest,
        release=asked.content.release,
        nonce=asked.content.nonce,
        answer=Answer.DONE,
        now=NOW,
        run=made.run,
        verdict=made.verdict,
        report=digest or Digest.of(made.to_json()),
    )
    data = sign_envelope(statement.to_bytes(), key).to_bytes()
    center.store.put_record(receipt_key(HERE, asked.digest, LAST), data)


def _place(made: Report) -> str:
    folder = release_run(made.vendor, made.product, made.version, made.center, made.run)
    return f"{folder}{REPORT}"


def test_a_wait_that_is_no_number_is_no_wait() -> None:
    store = MemoryStore()
    asked = store_request(store, signed())
    heard = wait_for(store, asked, [], seconds=float("nan"), on_change=lambda _: None, sleep=_never)
    assert heard.final is None


def _never(_: float) -> None:
    message = "it waits"
    raise AssertionError(message)
