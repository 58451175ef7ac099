"""Beside a running container: its output, what it uses, and the gate that it starts at."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from builders.cgroup import Cgroup
from builders.errors import EngineError


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


def open_gate(gate: Path, gone: threading.Event, *, seconds: float) -> None:
    """Write one line into the FIFO that the container's first process waits at."""
    until = time.monotonic() + seconds
    while not gone.is_set():
        try:
            descriptor = os.open(gate, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise EngineError("the gate cannot be opened", got=error.strerror) from error
            if time.monotonic() > until:
                raise EngineError(
                    "the container does not come to its gate", expected=f"within {seconds:.0f} s"
                ) from error
            time.sleep(0.005)
            continue
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"go\n")
        finally:
            os.close(descriptor)
        return
