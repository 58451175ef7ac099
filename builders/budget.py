"""A machine's cores and memory, shared out between rebuilds that run side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """Lets a rebuild start when its cores and memory are free; one that asks for more gets all."""

    def __init__(self, *, cpus: float, memory: int) -> None:
        """Share out `cpus` cores and `memory` bytes."""
        self.cpus, self.memory = cpus, memory
        self._free_cpus, self._free_memory = cpus, memory
        self._changed = threading.Condition()

    @contextmanager
    def share(self, *, cpus: float, memory: int, cancelled: threading.Event) -> Iterator[None]:
        """Hold a share while the body runs; a cancelled run stops waiting for it at once."""
        cpus, memory = min(cpus, self.cpus), min(memory, self.memory)
        with self._changed:
            while cpus > self._free_cpus or memory > self._free_memory:
                self._changed.wait(0.2)
                if cancelled.is_set():
                    break
            self._free_cpus -= cpus
            self._free_memory -= memory
        try:
            yield
        finally:
            with self._changed:
                self._free_cpus += cpus
                self._free_memory += memory
                self._changed.notify_all()
