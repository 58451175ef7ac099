"""What the processes of a standing center use while it works: CPU, and memory at its height.

What the containers and their engine use is left out: their processes are nobody's children here.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.center.center import Center
from pipelines.services import supervisor
from pipelines.services.environment import WORKER

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE = slice(3, 5)  # of the first line of /proc/stat: idle, and waiting for a disk
_CPU = slice(11, 15)  # of /proc/<pid>/stat after the name: own and ended children's CPU
_FLOW_RUN = b"PREFECT__FLOW_RUN_ID="


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What had been used by a moment, in seconds of CPU since some beginning."""

    at: float
    """Seconds since 1970."""
    center: float
    idle: float
    machine: float
    """All that the cores had to give, used or not."""

    def since(self, before: Sample) -> Sample:
        """Return what was used between two moments; `at` are seconds too."""
        return Sample(
            at=self.at - before.at,
            center=self.center - before.center,
            idle=self.idle - before.idle,
            machine=self.machine - before.machine,
        )


class Usage:
    """Looks at the processes of a center, whenever it is asked or again and again."""

    def __init__(self, center: Center) -> None:
        """Watch `center`; one of its flow runs is its night, once that has an id."""
        self.center = center
        self.night = ""
        self.samples: list[Sample] = []
        self.peaks: dict[str, int] = defaultdict(int)
        """Bytes: the most that one process of each kind ever had, and all of them at once."""
        self._spent: dict[tuple[str, int], float] = {}

    def look(self) -> Sample:
        """Take a sample, and return it."""
        cpu, together = 0.0, 0
        for pid, role in self._processes():
            with suppress(OSError):
                told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks = [int(field) for field in told[_CPU]]
                cpu += sum(ticks) / _TICKS
                self._spent[role, pid] = sum(ticks[:2]) / _TICKS
                status = _memory(pid)
                together += status["VmRSS"]
                self.peaks[role] = max(self.peaks[role], status["VmHWM"])
        self.peaks["together"] = max(self.peaks["together"], together)
        cores = [int(word) / _TICKS for word in Path("/proc/stat").read_text().split()[1:9]]
        sample = Sample(at=time.time(), center=cpu, idle=sum(cores[_IDLE]), machine=sum(cores))
        self.samples.append(sample)
        return sample

    @contextmanager
    def watching(self, *, every: float) -> Iterator[None]:
        """Look again and again while the body runs, with so many seconds in between."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(every):
                self.look()

        self.look()
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            self.look()

    def between(self, start: float, end: float) -> Sample:
        """Return what was used between two moments, as near to them as samples were taken."""
        times = [sample.at for sample in self.samples]
        first, last = (min(bisect_left(times, moment), len(times) - 1) for moment in (start, end))
        return self.samples[last].since(self.samples[first])

    def mebibytes(self) -> dict[str, int]:
        """Return the peaks by kind of process."""
        return {role: peak >> 20 for role, peak in sorted(self.peaks.items())}

    def seconds(self) -> dict[str, float]:
        """Return the CPU of each kind of process, as far as it was seen before they ended."""
        found: dict[str, float] = defaultdict(float)
        for (role, _), spent in self._spent.items():
            found[role] += spent
        return {role: round(spent, 1) for role, spent in sorted(found.items())}

    def _processes(self) -> Iterator[tuple[int, str]]:
        """Yield the pid and kind of every process of the center, whatever these have started."""
        for name, pid in supervisor.pids(self.center).items():
            kind = WORKER if name.startswith(WORKER) else name
            yield pid, kind
            for child in _descendants(pid):
                yield child, self._kind(child) if kind == WORKER else kind

    def _kind(self, pid: int) -> str:
        with suppress(OSError):
            for word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                if word.startswith(_FLOW_RUN):
                    return "night" if word.endswith(self.night.encode()) else "shard"
        return WORKER


def _descendants(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, path.read_text().split()):
                yield child
                yield from _descendants(child)


def _memory(pid: int) -> dict[str, int]:
    """Return the sizes in a process's status, in bytes."""
    found = {"VmRSS": 0, "VmHWM": 0}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, told = line.partition(":")
        if name in found:
            found[name] = int(told.split()[0]) << 10
    return found
