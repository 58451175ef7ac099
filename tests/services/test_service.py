"""Processes that outlive their command: found again, ended with all of theirs, never mistaken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from builders.core.errors import InfrastructureError
from pipelines.services.service import Service, marked, started
from tests.command import wait_until

SLEEP = ["sleep", "60"]
PARENT = ["sh", "-c", "setsid sleep 60 & exec sleep 60"]
DEAF = [
    sys.executable,
    "-c",
    "import signal,time;signal.signal(15,signal.SIG_IGN);print(1,flush=True);time.sleep(60)",
]


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Service]:
    service = Service("one", tmp_path)
    yield service
    service.stop(seconds=0)


def start(one: Service, command: list[str]) -> int:
    return one.start(command, dict(os.environ))


def test_it_is_found_again_by_the_next_command(one: Service, tmp_path: Path) -> None:
    pid = start(one, SLEEP)
    assert Service("one", tmp_path).pid() == pid
    assert start(Service("one", tmp_path), SLEEP) == pid, "what runs is not started twice"


def test_it_ends_with_everything_that_it_started(one: Service) -> None:
    start(one, PARENT)
    known = one.known()
    assert known is not None
    wait_until(lambda: len(marked(known.mark)) == 2)
    assert one.stop(seconds=5)
    assert marked(known.mark) == []
    assert one.pid() is None
    assert not one.stop(seconds=5)


def test_what_a_killed_one_started_is_ended_too(one: Service) -> None:
    pid = start(one, PARENT)
    known = one.known()
    assert known is not None
    wait_until(lambda: len(marked(known.mark)) == 2)
    os.kill(pid, 9)
    wait_until(lambda: started(pid) is None)
    assert one.pid() is None
    assert one.stop(seconds=5)
    assert marked(known.mark) == []


def test_one_that_drops_its_environment_is_still_known(one: Service) -> None:
    pid = start(one, ["env", "-i", "sleep", "60"])
    known = one.known()
    assert known is not None
    wait_until(lambda: marked(known.mark) == [])
    assert one.stop(seconds=5)
    assert started(pid) is None


def test_one_that_will_not_end_is_killed(one: Service) -> None:
    pid = start(one, DEAF)
    wait_until(lambda: one.log.read_bytes() == b"1\n")
    assert one.stop(seconds=0.3)
    assert started(pid) is None


def test_it_hears_an_interrupt_though_its_starter_does_not(one: Service) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as of `samebits center up &`
    try:
        pid = start(one, SLEEP)
    finally:
        signal.signal(signal.SIGINT, before)
    wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    os.kill(pid, signal.SIGINT)
    wait_until(lambda: started(pid) is None)


def test_a_pid_that_went_to_somebody_else_is_left_alone(one: Service, tmp_path: Path) -> None:
    start(one, SLEEP)
    one.stop(seconds=5)
    with subprocess.Popen(SLEEP) as stranger:
        file = tmp_path / "one.pid"
        moment = started(stranger.pid)
        assert moment is not None
        told = {"pid": stranger.pid, "started": moment - 1, "boot": boot(), "mark": "one-gone"}
        file.write_text(json.dumps(told))
        assert one.pid() is None
        assert not one.stop(seconds=1)
        assert stranger.poll() is None
        file.write_text(json.dumps({**told, "started": moment, "boot": "another"}))
        assert one.pid() is None, "ticks of another boot say nothing"
        assert not one.stop(seconds=1)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("text", ["", "nonsense", "{}", "[1]"])
def test_a_damaged_pid_file_names_nobody(one: Service, tmp_path: Path, text: str) -> None:
    (tmp_path / "one.pid").write_text(text)
    assert one.pid() is None
    assert start(one, SLEEP) > 0


def test_a_log_that_grows_in_a_loop_is_kept_small(one: Service, tmp_path: Path) -> None:
    """Whatever a service says and for however long: it must not fill the disk."""
    line = "x" * 30_000
    start(one, ["sh", "-c", f"yes {line} | head -c 64M; echo the end; exec sleep 60"])

    def has_ended() -> bool:
        with suppress(FileNotFoundError):  # while it is rotated
            return one.log.read_bytes().endswith(b"the end\n")
        return False

    wait_until(has_ended)
    assert sum(path.stat().st_size for path in tmp_path.glob("one.log*")) <= 50 << 20


def test_a_program_that_is_not_there_is_one_message(one: Service) -> None:
    with pytest.raises(InfrastructureError, match="the center's one cannot be started"):
        start(one, ["/nowhere/program"])


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
