"""A machine's cores and memory, shared out between rebuilds of several processes.

Each rebuild holds a lock on a file that says how much it uses. The share of a killed process is
free at once, because the kernel releases its lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_POLL = 0.2
_MASTER = "ledger.lock"


class Ledger:
    """Lets a rebuild start when its share is free; one that asks for more than all gets all.

    It holds between all processes that use the same folder on one machine.
    """

    def __init__(self, folder: Path, *, cpus: float, memory: int) -> None:
        """Share out `cpus` cores and `memory` bytes among the users of `folder`."""
        self.cpus, self.memory = cpus, memory
        self._folder = folder

    @contextmanager
    def share(self, *, cpus: float, memory: int, cancelled: threading.Event) -> Iterator[None]:
        """Hold a share while the body runs; a cancelled run stops waiting for it at once."""
        cpus, memory = min(cpus, self.cpus), min(memory, self.memory)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while (held := self._take(cpus, memory)) is None and not cancelled.is_set():
            time.sleep(_POLL)
        try:
            yield
        finally:
            if held is not None:
                path, descriptor = held
                with suppress(FileNotFoundError):
                    path.unlink()
                os.close(descriptor)

    def _take(self, cpus: float, memory: int) -> tuple[Path, int] | None:
        """Write down a share if it fits beside those that are held; returns its file, locked."""
        with (self._folder / _MASTER).open("wb") as master:
            fcntl.flock(master, fcntl.LOCK_EX)
            taken = list(self._held())
            free_cpus = self.cpus - sum(share[0] for share in taken)
            free_memory = self.memory - sum(share[1] for share in taken)
            if cpus > free_cpus + 1e-9 or memory > free_memory:
                return None
            path = self._folder / f"{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, json.dumps([cpus, memory]).encode())
            return path, descriptor

    def _held(self) -> Iterator[tuple[float, int]]:
        """Yield the shares of the living, and clear away those of the dead."""
        for path in self._folder.iterdir():
            if path.name == _MASTER:
                continue
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                cpus, memory = json.loads(os.read(descriptor, 200))
                yield float(cpus), int(memory)
            else:
                path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)
