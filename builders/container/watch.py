"""Beside a running container: its output, its end, what it uses, and the gate that it starts at."""

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

from builders.container.cgroup import Cgroup
from builders.container.container import Ended
from builders.core.errors import EngineError

_POLL = 0.1
_DEAD = "ZX"


class LogPump:
    """Drains what a container prints into a file, capped, with a mark where it was cut."""

    def __init__(
        self,
        stream: Iterator[bytes],
        path: Path,
        *,
        cap: int,
        faults: tuple[type[Exception], ...],
    ) -> None:
        """Start draining `stream` to `path`; `faults` are what the stream raises when it breaks."""
        self.count = 0
        self.truncated = False
        self._stream, self._path, self._cap, self._faults = stream, path, cap, faults
        self._thread = threading.Thread(target=self._pump, name="samebits-log", daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        with self._path.open("wb") as out:
            self._drain(out)

    def _drain(self, out: BinaryIO) -> None:
        # The stream breaks when the engine goes away; whoever waits for the end reports that.
        with contextlib.suppress(*self._faults):
            for piece in self._stream:
                room = self._cap - self.count
                out.write(piece[: max(room, 0)])
                self.count += len(piece)
                if self.count > self._cap and not self.truncated:
                    self.truncated = True
                    out.write(f"\n[samebits: log cut after {self._cap} bytes]\n".encode())

    def join(self, seconds: float) -> None:
        """Wait for the end of the stream, at most `seconds`."""
        self._thread.join(seconds)


class Watch:
    """Samples what can only be seen while the container lives."""

    def __init__(self, scratch: Path | None) -> None:
        """Watch `scratch`, and the cgroup once it is known."""
        self.cgroup: Cgroup | None = None
        self.peak_memory: int | None = None
        self.pids_limit_hit = False
        self.scratch_full = False
        self._scratch = scratch

    def sample(self) -> None:
        """Look once."""
        if self.cgroup is not None:
            self.peak_memory = self.cgroup.peak_memory() or self.peak_memory
            self.pids_limit_hit = self.pids_limit_hit or self.cgroup.pids_limit_hit()
        if self._scratch is not None:
            room = os.statvfs(self._scratch)
            if room.f_bavail * room.f_frsize < 1 << 16 or room.f_favail == 0:
                self.scratch_full = True


class Waiter:
    """Waits for the end of a container in a thread of its own."""

    def __init__(
        self, ask: Callable[[], Callable[[], object]], *, faults: tuple[type[Exception], ...]
    ) -> None:
        """Call `ask`, which returns once the question is taken, with what returns at the end.

        What either raises of `faults` is kept as `fault`.
        """
        self._taken = threading.Event()
        self.done = threading.Event()
        self.fault: Exception | None = None
        self._ask, self._faults = ask, faults
        threading.Thread(target=self._call, name="samebits-wait", daemon=True).start()

    def _call(self) -> None:
        try:
            answer = self._ask()
            self._taken.set()
            answer()
        except self._faults as error:
            self.fault = error
        finally:
            self.done.set()
            self._taken.set()

    def promised(self, *, seconds: float) -> None:
        """Return once the question is taken, or has failed; raises `EngineError`."""
        if not self._taken.wait(seconds):
            raise EngineError(
                "the engine does not promise to tell of the end", expected=f"within {seconds:.0f} s"
            )

    def wait(
        self,
        watch: Watch,
        deadline: float,
        cancelled: threading.Event,
        clock: Callable[[], float],
    ) -> Ended:
        """Return at the end, at the deadline by `clock`, or once the run is cancelled."""
        while True:
            watch.sample()
            if self.done.wait(_POLL):
                watch.sample()
                return Ended.EXITED
            if cancelled.is_set():
                return Ended.CANCELLED
            if clock() >= deadline:
                return Ended.DEADLINE


def lives(pid: int, *, proc: Path = Path("/proc")) -> bool:
    """Say whether a process is there and has not ended."""
    try:
        line = (proc / str(pid) / "stat").read_text()
    except OSError:
        return False
    return line.rpartition(")")[2].split()[0] not in _DEAD


def open_gate(gate: Path, gone: threading.Event, *, seconds: float) -> bool:
    """Write one line into the FIFO that the container's first process waits at.

    Returns False once `gone` says that the container has ended. Raises `EngineError`.
    """
    until = time.monotonic() + seconds
    while not gone.is_set():
        try:
            return _pass(gate)
        except OSError as error:
            # ENXIO: nobody waits there yet. EPIPE: who waited has just died.
            if error.errno not in {errno.ENXIO, errno.EPIPE}:
                raise EngineError("the gate cannot be opened", got=error.strerror) from error
            if time.monotonic() > until:
                raise EngineError(
                    "the container does not come to its gate", expected=f"within {seconds:.0f} s"
                ) from error
            time.sleep(0.005)
    return False


def _pass(gate: Path) -> bool:
    descriptor = os.open(gate, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.write(descriptor, b"go\n")
    finally:
        os.close(descriptor)
    return True
