"""The two lanes of a shard, with a release of our own in the place of each rebuild."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import InputUnavailableError
from pipelines.center.center import load_center
from pipelines.flows import verify_shard as module
from pipelines.nightly.night_plan import DueRelease
from pipelines.nightly.record import DueReason
from pipelines.verify import lanes
from pipelines.verify.session import Session

Work = Callable[[str], None]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    path = tmp_path / "center.yaml"
    path.write_text("schema: samebits/center/v1\nid: lab\nhome: home\n")
    monkeypatch.setattr(Session, "prepare", lambda _: None)
    monkeypatch.setattr(module, "get_run_logger", lambda: logging.getLogger("shard"))
    return Session(load_center(path))


def run(
    session: Session, monkeypatch: pytest.MonkeyPatch, work: Work, names: str = "abcde"
) -> None:
    def one(_session: Session, _night: str, due: DueRelease, **_: Any) -> SimpleNamespace:
        work(due.release)
        return SimpleNamespace(verdict="IDENTICAL", mode="rebuilt", why=due.why)

    monkeypatch.setattr(module, "run_release", one)
    module._verify_all(session, "night", [due(n).model_dump(mode="json") for n in names])


def due(name: str) -> DueRelease:
    digest = Digest.of(name.encode())
    return DueRelease(
        recipe=f"{name}.yaml",
        release=name,
        claim=digest,
        published=digest,
        why=DueReason.NEW,
        number=1,
    )


def test_two_releases_are_worked_on_at_once_and_no_more(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, lock, here, most = threading.Barrier(2), threading.Lock(), list[str](), 0

    def work(name: str) -> None:
        nonlocal most
        with lock:
            here.append(name)
            most = max(most, len(here))
        both.wait(timeout=300)
        with lock:
            here.remove(name)

    run(session, monkeypatch, work, "abcdef")
    assert most == 2


def test_what_breaks_costs_no_other_its_turn(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def work(name: str) -> None:
        if name in "bd":
            raise InputUnavailableError("broken", got=name)
        done.append(name)

    with pytest.raises(RuntimeError, match="2 of 5 releases have no result"):
        run(session, monkeypatch, work)
    assert sorted(done) == ["a", "c", "e"]


def test_who_stops_it_stops_both_lanes_and_begins_nothing_more(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended, both = [], [], threading.Barrier(3)

    def work(name: str) -> None:
        begun.append(name)
        both.wait(timeout=300)
        assert session.cancelled.wait(timeout=300)
        ended.append(name)
        session.raise_if_cancelled()

    def stop() -> None:
        both.wait(timeout=300)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    # A shell that starts tests in the background lets them ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=stop).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(session, monkeypatch, work)
    finally:
        signal.signal(signal.SIGINT, before)
    assert sorted(begun) == sorted(ended) == ["a", "b"]


def test_a_lane_that_starts_while_it_is_stopped_is_waited_for(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt can come after a thread has started and before its pool knows of it."""
    ended, began = [], threading.Event()

    class Stopped(ThreadPoolExecutor):
        def submit(self, *words: Any, **named: Any) -> Future[Any]:
            super().submit(*words, **named)
            assert began.wait(timeout=300)
            self._threads = set()
            raise KeyboardInterrupt

    def work(name: str) -> None:
        began.set()
        assert session.cancelled.wait(timeout=300)
        time.sleep(0.2)
        ended.append(name)

    monkeypatch.setattr(lanes, "ThreadPoolExecutor", Stopped)
    with pytest.raises(KeyboardInterrupt):
        run(session, monkeypatch, work)
    assert ended == ["a"]
