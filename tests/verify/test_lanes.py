"""What becomes of runs that are cancelled: by signals, before a verdict, and after one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.core.errors import CancelledError, InputUnavailableError
from builders.images.provide import ProvidedImage
from pipelines.center.center import Center
from pipelines.verify.judging import fetch_shipped
from pipelines.verify.lanes import in_lanes
from pipelines.verify.session import Session
from tests.lab import verified, write_recipe

DEAF = """
import sys, time
from pathlib import Path
from pipelines.center.center import Center
from pipelines.verify.lanes import cancelled_by_signals, in_lanes
from pipelines.verify.session import Session

def work(_):
    print("begun", flush=True)
    time.sleep(60)  # a step that does not look whether it was cancelled

home = Path(sys.argv[1])
session = Session(Center(id="lab", home=home, store=home / "store"))
with cancelled_by_signals(session):
    in_lanes(session, work, [1], lanes=1)
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Session]:
    """A session that may be cancelled: no other test has it."""
    home = tmp_path / "home"
    with Session(Center(id="local", home=home, store=home / "store")) as session:
        yield session


def reports(session: Session) -> list[Path]:
    return list(session.center.home.rglob("report.json"))


def test_results_stand_in_the_order_of_what_was_given(own: Session) -> None:
    later = threading.Event()

    def work(number: int) -> int:
        if number == 1:
            assert later.wait(timeout=300)
        else:
            later.set()
        return number * number

    assert in_lanes(own, work, [1, 2, 3], lanes=2) == [1, 4, 9]
    assert not own.cancelled.is_set()


def test_what_is_raised_ends_every_lane_and_begins_nothing_more(own: Session) -> None:
    begun, both = list[int](), threading.Barrier(2)

    def work(number: int) -> None:
        begun.append(number)
        if number > 2:
            assert own.cancelled.wait(timeout=300)
            return
        both.wait(timeout=300)
        if number == 1:
            raise InputUnavailableError("gone")
        assert own.cancelled.wait(timeout=300)

    with pytest.raises(InputUnavailableError, match="gone"):
        in_lanes(own, work, [1, 2, 3, 4], lanes=2)
    assert sorted(begun) in ([1, 2], [1, 2, 3]), "the lane that is free may take one more before"
    assert own.cancelled.is_set()


def test_a_fault_of_a_single_item_cancels_nobody_elses_work(own: Session) -> None:
    """A flow run is one item, and others of its session go on beside it."""

    def work(_: int) -> None:
        raise InputUnavailableError("gone")

    with pytest.raises(InputUnavailableError, match="gone"):
        in_lanes(own, work, [1], lanes=1)
    assert not own.cancelled.is_set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_what_does_not_heed_the_first(
    tmp_path: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-c", DEAF, tmp_path / "home"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.kill(process.pid, number)
        time.sleep(0.3)
        os.kill(process.pid, number)  # as a shell hands the same Ctrl-C on
        time.sleep(1)
        assert process.poll() is None
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    first, second = err.splitlines()
    assert first.startswith("samebits: cancelling, and removing what was begun")
    assert second.startswith("samebits: ended at once; `samebits reap` removes")


def test_what_was_cancelled_before_a_verdict_is_not_published(own: Session, tmp_path: Path) -> None:
    def fetch_inputs(_job: Any) -> Any:
        own.cancelled.set()
        own.raise_if_cancelled()

    recipe = write_recipe(tmp_path / "early", [["true"]])
    with pytest.raises(CancelledError):
        verified(own, recipe, fetch_inputs=fetch_inputs)
    assert reports(own) == []


def test_what_was_cancelled_after_its_seal_was_logged_is_completed(
    own: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    def fetch(job: Any, **options: Any) -> Any:
        own.cancelled.set()
        return fetch_shipped(own, job, **options)

    script = ["sh", "-c", "echo one > /out/out.bin"]
    recipe = write_recipe(tmp_path / "late", [script], shipped=b"one\n")
    report = verified(own, recipe, fetch_shipped=fetch)
    assert report.verdict == "IDENTICAL"
    assert reports(own), "both twins of it"
