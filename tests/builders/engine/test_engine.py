"""How containers end around their gate: the true ending is told, whatever could not be seen."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from builders.container.cgroup import Cgroup
from builders.container.monitor import is_running, open_gate
from builders.container.spec import ContainerLimits, ContainerResult, ContainerSpec, Mount
from builders.core.errors import EngineError
from builders.engine import container_run
from builders.engine.container_run import ContainerRun
from builders.images.provide import ProvidedImage
from pipelines.verify.session import Session
from tests.command import wait_until
from tests.lab import Lab

HOG = "perl -e '$x = \"a\" x (1 << 30)'"


class AtTheGate:
    """Runs a script in a container that does not wait at its gate."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        os.mkfifo(lab.folder / "gate")
        lab.folder.chmod(0o755)

    def run(self, script: str) -> ContainerResult:
        lab = self.lab
        spec = ContainerSpec(
            image=lab.image.reference,
            command=("/bin/sh", "-c", script),
            environment={"PATH": "/usr/bin:/bin"},
            hostname="builder",
            workdir="/",
            mounts=(Mount(source=lab.folder, target="/samebits"),),
            limits=ContainerLimits(cpus=1, memory=64 << 20, pids=32, seconds=60),
            labels=lab.labels(),
            gate=lab.folder / "gate",
        )
        log = lab.folder / "log"
        return lab.session.engine.run(spec, log=log, cancelled=lab.cancelled)

    def printed(self) -> str:
        return (self.lab.folder / "log").read_text()


@pytest.fixture
def gate(session: Session, build_image: ProvidedImage, tmp_path: Path) -> Iterator[AtTheGate]:
    at = AtTheGate(Lab(session, build_image, tmp_path))
    yield at
    at.lab.assert_nothing_left()


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at a container's limits comes just after its death."""
    look = Cgroup.of

    def of(pid: int) -> Cgroup:
        wait_until(lambda: not is_running(pid))
        return look(pid)

    monkeypatch.setattr(Cgroup, "of", of)


def test_a_container_that_fails_before_its_gate_says_its_code(gate: AtTheGate, late: None) -> None:
    result = gate.run("exit 3")
    assert (result.exit_code, result.signal, result.oom_killed) == (3, None, False)


def test_a_container_out_of_memory_before_its_gate_says_so(gate: AtTheGate, late: None) -> None:
    assert gate.run(HOG).oom_killed


@pytest.mark.parametrize("script", ["exit 0", "kill -KILL $$"])
def test_a_container_that_never_began_its_build_has_not_built(
    gate: AtTheGate, late: None, script: str
) -> None:
    with pytest.raises(EngineError, match="ended before its build began; got exit code"):
        gate.run(script)


def test_a_container_that_lives_and_does_not_come_to_its_gate_is_refused(
    gate: AtTheGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_run, "_GRACE", 0.5)
    with pytest.raises(EngineError, match="does not read its gate"):
        gate.run("sleep 60")


def test_the_gate_stays_shut_until_the_engine_has_promised_to_tell_of_the_end(
    gate: AtTheGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next engine, that kills what it finds, could be asked how a build has ended."""
    answered = threading.Event()

    def late(*_: object) -> Callable[[], bool]:
        answered.wait(60)
        return answered.is_set

    monkeypatch.setattr(container_run, "_GRACE", 0.5)
    monkeypatch.setattr(ContainerRun, "_request_exit", late)
    with pytest.raises(EngineError, match="does not accept the request"):
        gate.run("read -r word < /samebits/gate; echo began; sleep 60")
    answered.set()
    assert gate.printed() == ""


def test_a_container_that_this_machine_cannot_see_is_refused_by_that_name(
    gate: AtTheGate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container that has not the processes of its host: nothing there ever lives."""
    look = Cgroup.of
    monkeypatch.setattr(container_run, "_GRACE", 0.5)
    monkeypatch.setattr(container_run, "is_running", lambda _pid: False)
    monkeypatch.setattr(Cgroup, "of", lambda pid: look(pid, proc=tmp_path))
    with pytest.raises(EngineError, match="process cannot be seen, so its limits cannot"):
        gate.run("sleep 60")


def test_who_dies_at_the_gate_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the opening of the pipe and the word through it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    gone, write = threading.Event(), os.write

    def late_write(descriptor: int, data: bytes) -> int:
        os.close(reader)
        threading.Timer(0.05, gone.set).start()
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", late_write)
    assert open_gate(path, gone, verify=lambda: None, seconds=10) is False


def test_a_gate_that_nobody_comes_to_is_told_in_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    start = time.monotonic()
    with pytest.raises(EngineError, match="does not read its gate"):
        open_gate(tmp_path / "gate", threading.Event(), verify=lambda: None, seconds=0.05)
    assert time.monotonic() - start < 5


def test_a_process_runs_until_it_has_ended() -> None:
    child = subprocess.Popen(["sleep", "60"])
    assert is_running(child.pid)
    child.kill()
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert not is_running(child.pid)
    child.wait()
    assert not is_running(child.pid)
