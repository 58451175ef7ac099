"""A background process that outlives the command which started it, and is found again later.

It is identified by pid and start time together, so that a pid which the kernel has reused is never
signalled. Its children inherit a mark in their environment, and are found by it even after their
parent was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from builders.core.errors import InfrastructureError
from pipelines.services.environment import MARK
from pipelines.storage.rotating_log import log_pipe

_POLL = 0.05
_LAST_LINES = 2.0
"""Seconds in which the log gets the last lines of a service that has ended."""
_TAIL = 1 << 12
_KILLS = 10
"""How often SIGKILL is sent, a second apart."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_CHILDREN: list[subprocess.Popen[bytes]] = []
"""What this process has started, so that none of it stays a zombie."""


@dataclass(frozen=True, kw_only=True)
class PidFile:
    """What the pid file of a service holds."""

    pid: int
    started: float
    """When the process began, in seconds since the epoch as psutil has it."""
    boot: str
    """The id of the boot in which it began."""
    mark: str


class Service:
    """One process of a center, with its pid file and its log in one folder."""

    def __init__(
        self, name: str, folder: Path, *, ended_by: signal.Signals = signal.SIGTERM
    ) -> None:
        """Manage `<folder>/<name>.pid` and `<name>.log`; nothing is started.

        `ended_by` is the signal that asks it to end.
        """
        self.name = name
        self._ended_by = ended_by
        self._file = folder / f"{name}.pid"
        self.log = folder / f"{name}.log"
        self._writer: subprocess.Popen[bytes] | None = None

    def known(self) -> PidFile | None:
        """Return what the pid file says, or None where none can be read."""
        try:
            return PidFile(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def pid(self) -> int | None:
        """Return the pid of the service while it runs."""
        known = self.known()
        if known is None or known.boot != _boot() or started(known.pid) != known.started:
            return None
        return known.pid

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start `command` in a session of its own, unless the service runs; returns the pid.

        Raises `InfrastructureError`. Secrets belong in `environment`, never in `command`.
        """
        if (running := self.pid()) is not None:
            return running
        self.stop(seconds=0)  # what a killed one has left
        mark = f"{self.name}-{secrets.token_hex(8)}"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with log_pipe(self.log) as (log, self._writer):
                _CHILDREN.append(self._writer)
                process = subprocess.Popen(
                    _interruptible(command),
                    env={**environment, MARK: mark},
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise InfrastructureError(
                f"the center's {self.name} cannot be started", got=error, todo=f"See {self.log}"
            ) from error
        _CHILDREN.append(process)
        pid, new = process.pid, self._file.with_suffix(".new")
        told = {"pid": pid, "started": started(pid), "boot": _boot(), "mark": mark}
        new.write_text(json.dumps(told))
        new.replace(self._file)
        return pid

    def stop(self, *, seconds: float) -> bool:
        """End the service and all that it started; says whether anything was running.

        All get the signal and `seconds` to clean up; what is left then is killed.
        """
        known = self.known()
        if known is None:
            return False
        there = bool(self._members(known))
        if seconds:
            self._end(known, self._ended_by, seconds)
        if not any(self._end(known, signal.SIGKILL, 1.0) for _ in range(_KILLS)):
            raise InfrastructureError(
                f"the center's {self.name} survived SIGKILL", got=self._members(known)
            )
        self._wait_for_writer()
        _reap_children()
        self._file.unlink(missing_ok=True)
        return there

    def _end(self, known: PidFile, number: signal.Signals, seconds: float) -> bool:
        """Signal all that is left, and wait for its end; says whether it came."""
        until = time.monotonic() + seconds
        for pid in self._members(known):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while self._members(known):
            if time.monotonic() > until:
                return False
            time.sleep(_POLL)
        return True

    def _members(self, known: PidFile) -> list[int]:
        """Return the pids of the service and of all processes with its mark."""
        _reap_children()
        found = marked(known.mark)
        pid = self.pid()
        return sorted({*found, *([] if pid is None else [pid])})

    def _wait_for_writer(self) -> None:
        """Let the log have the last lines of a service that has ended."""
        if self._writer is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._writer.wait(_LAST_LINES)

    def last_log_line(self) -> str:
        """Return the last line of the log of a service that has ended, for a message."""
        self._wait_for_writer()
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(stream.seek(0, os.SEEK_END) - _TAIL, 0))
                lines = stream.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return "no log"
        return lines[-1][:200] if lines else "an empty log"


def started(pid: int) -> float | None:
    """Return when a living process began, in seconds since the epoch; None for one that ended."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def marked(mark: str) -> list[int]:
    """Return the pids of all living processes whose environment holds `mark`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and started(process.pid) is not None:
                found.append(process.pid)
    return found


def _interruptible(command: Sequence[str]) -> list[str]:
    """Return a command that heeds SIGINT, by which Prefect's worker ends its runs.

    A process that a shell starts in the background ignores SIGINT, and so do its children.
    """
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(command[0])
    return ["env", "--default-signal=INT", *command]


def _reap_children() -> None:
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]


def _boot() -> str:
    return _BOOT.read_text().strip()
