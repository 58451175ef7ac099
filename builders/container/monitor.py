"""What runs beside a container: its log, the wait for its end, its resource use, and its gate."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import psutil

from builders.container.cgroup import Cgroup
from builders.container.spec import EndReason
from builders.core.errors import EngineError

_POLL = 0.1

Errors = tuple[type[Exception], ...]


class OutputLog:
    """Writes a container's output to a file in a thread of its own, up to a limit.

    The place where the log was cut is marked in the file.
    """

    def __init__(self, stream: Iterator[bytes], path: Path, *, cap: int, errors: Errors) -> None:
        """Start copying `stream` to `path`; `errors` are what a broken stream raises."""
        self.truncated = False
        self._stream, self._path, self._cap, self._errors = stream, path, cap, errors
        self._thread = threading.Thread(target=self._run, name="samebits-log", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # A stream breaks when the engine goes away, which the wait for the end reports.
        with self._path.open("wb") as out, contextlib.suppress(*self._errors):
            self._copy(out)

    def _copy(self, out: BinaryIO) -> None:
        room = self._cap
        for piece in self._stream:
            out.write(piece[:room])
            if len(piece) > room and not self.truncated:
                self.truncated = True
                out.write(f"\n[samebits: log cut after {self._cap} bytes]\n".encode())
            room = max(room - len(piece), 0)

    def join(self, seconds: float) -> None:
        """Wait for the end of the stream, at most `seconds`."""
        self._thread.join(seconds)


class UsageMonitor:
    """Samples what can only be seen while the container runs."""

    def __init__(self, scratch: Path | None) -> None:
        """Observe the file system `scratch`, and a cgroup once it is set."""
        self.cgroup: Cgroup | None = None
        self.peak_memory: int | None = None
        self.pids_limit_hit = False
        self.scratch_full = False
        self._scratch = scratch

    def sample(self) -> None:
        """Take one sample."""
        if self.cgroup is not None:
            self.peak_memory = self.cgroup.peak_memory() or self.peak_memory
            self.pids_limit_hit = self.pids_limit_hit or self.cgroup.pids_limit_hit()
        if self._scratch is not None:
            room = os.statvfs(self._scratch)
            if room.f_bavail * room.f_frsize < 1 << 16 or room.f_favail == 0:
                self.scratch_full = True


class ExitWaiter:
    """Waits for the end of a container in a thread of its own."""

    def __init__(self, request: Callable[[], Callable[[], object]], *, errors: Errors) -> None:
        """Call `request`, and then the function that it returns, which blocks until the end.

        `request` returns once the engine has accepted it. An error among `errors` that either of
        them raises is kept as `error`.
        """
        self._accepted = threading.Event()
        self.done = threading.Event()
        self.error: Exception | None = None
        self._request, self._errors = request, errors
        threading.Thread(target=self._run, name="samebits-wait", daemon=True).start()

    def _run(self) -> None:
        try:
            wait = self._request()
            self._accepted.set()
            wait()
        except self._errors as error:
            self.error = error
        finally:
            self.done.set()
            self._accepted.set()

    def await_acceptance(self, *, seconds: float) -> None:
        """Return once the request is accepted or has failed; raises `EngineError`."""
        if not self._accepted.wait(seconds):
            raise EngineError(
                "the engine does not accept the request to report the container's end",
                expected=f"within {seconds:.0f} s",
            )

    def wait(
        self,
        monitor: UsageMonitor,
        deadline: float,
        cancelled: threading.Event,
        clock: Callable[[], float],
    ) -> EndReason:
        """Return at the end, at the deadline by `clock`, or once the run is cancelled."""
        while True:
            monitor.sample()
            if self.done.wait(_POLL):
                monitor.sample()
                return EndReason.EXITED
            if cancelled.is_set():
                return EndReason.CANCELLED
            if clock() >= deadline:
                return EndReason.DEADLINE


def is_running(pid: int) -> bool:
    """Say whether a process exists and has not ended."""
    try:
        return psutil.Process(pid).status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except (psutil.Error, ValueError):
        return False


def open_gate(
    gate: Path, ended: threading.Event, *, verify: Callable[[], None], seconds: float
) -> bool:
    """Write one line to the FIFO that the container's first process reads from.

    `verify` is called before that, once this process waits at the gate: from then on it is confined
    as the build will be. Returns False once `ended` is set, which means that the container has
    ended. Raises `EngineError`, as `verify` may.
    """
    until = time.monotonic() + seconds
    while not ended.is_set():
        try:
            _write_line(gate, verify)
        except OSError as error:
            # ENXIO: no process has the FIFO open for reading yet. EPIPE: the reader has just died.
            if error.errno not in {errno.ENXIO, errno.EPIPE}:
                raise EngineError("the gate cannot be opened", got=error.strerror) from error
            if time.monotonic() > until:
                raise EngineError(
                    "the container does not read its gate", expected=f"within {seconds:.0f} s"
                ) from error
            time.sleep(0.005)
        else:
            return True
    return False


def _write_line(gate: Path, verify: Callable[[], None]) -> None:
    descriptor = os.open(gate, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            verify()
            os.write(descriptor, b"go\n")
    finally:
        os.close(descriptor)
