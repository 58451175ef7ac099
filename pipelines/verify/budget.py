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
from typing import BinaryIO

from pipelines.storage.files import held

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
        while (mine := self._take(cpus, memory)) is None and not cancelled.is_set():
            time.sleep(_POLL)
        try:
            yield
        finally:
            if mine is not None:
                Path(mine.name).unlink(missing_ok=True)
                mine.close()

    def _take(self, cpus: float, memory: int) -> BinaryIO | None:
        """Write down a share if it fits beside those that are held; returns its file, locked."""
        with held(self._folder / _MASTER):
            taken = list(self._held())
            free_cpus = self.cpus - sum(share[0] for share in taken)
            free_memory = self.memory - sum(share[1] for share in taken)
            if cpus > free_cpus + 1e-9 or memory > free_memory:
                return None
            path = self._folder / f"{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
            mine = path.open("xb", buffering=0)
            fcntl.flock(mine, fcntl.LOCK_EX)
            mine.write(json.dumps([cpus, memory]).encode())
            return mine

    def _held(self) -> Iterator[tuple[float, int]]:
        """Yield the shares of the living, and clear away those of the dead."""
        for path in self._folder.iterdir():
            if path.name == _MASTER:
                continue
            with suppress(FileNotFoundError), path.open("r+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    cpus, memory = json.loads(file.read())
                    yield float(cpus), int(memory)
                else:
                    path.unlink(missing_ok=True)
