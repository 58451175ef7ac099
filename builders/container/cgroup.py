"""Verify in the kernel's cgroup files, versions 1 and 2, that the requested limits are set.

Formats: kernel documentation, admin-guide/cgroup-v1 and admin-guide/cgroup-v2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from builders.container.spec import ContainerLimits
from builders.core.errors import EngineError

ROOT = Path("/sys/fs/cgroup")
_PAGE = 4096


@dataclass(frozen=True, kw_only=True)
class Cgroup:
    """The folders of the controllers of one group of processes."""

    memory: Path
    pids: Path
    cpu: Path
    version: int

    @classmethod
    def of(cls, pid: int, *, root: Path = ROOT, proc: Path = Path("/proc")) -> Cgroup:
        """Find the cgroup of a process; raises `EngineError` if this machine cannot see it."""
        try:
            lines = (proc / str(pid) / "cgroup").read_text().splitlines()
        except OSError as error:
            raise EngineError(
                "the container's process cannot be seen, so its limits cannot be verified",
                got=error.strerror,
                todo="Run samebits as root on the machine of the engine",
            ) from error
        groups: dict[str, str] = {}
        for line in lines:
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                groups[controller] = path.lstrip("/")
        if "memory" in groups:
            memory, pids, cpu = (root / name / groups[name] for name in ("memory", "pids", "cpu"))
            return cls(memory=memory, pids=pids, cpu=cpu, version=1)
        folder = root / groups.get("", "")
        return cls(memory=folder, pids=folder, cpu=folder, version=2)

    def verify(self, limits: ContainerLimits) -> None:
        """Compare the kernel's limits with the requested ones; raises `EngineError`."""
        memory = str(limits.memory // _PAGE * _PAGE)
        if self.version == 1:
            self._expect(self.memory / "memory.limit_in_bytes", memory)
            self._verify_swap(self.memory / "memory.memsw.limit_in_bytes", memory)
            quota = self._read(self.cpu / "cpu.cfs_quota_us")
            period = self._read(self.cpu / "cpu.cfs_period_us")
        else:
            self._expect(self.memory / "memory.max", memory)
            self._verify_swap(self.memory / "memory.swap.max", "0")
            quota, _, period = self._read(self.cpu / "cpu.max").partition(" ")
        self._expect(self.pids / "pids.max", str(limits.pids))
        if not _cores_match(quota, period, limits.cpus):
            raise EngineError(
                "the limit of cores is not set in the kernel",
                got=f"quota {quota!r} of {period!r}",
                expected=limits.cpus,
            )

    def peak_memory(self) -> int | None:
        """Return the highest use so far in bytes; None if the kernel does not report it."""
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        try:
            return int((self.memory / name).read_text())
        except (OSError, ValueError):
            return None

    def pids_limit_hit(self) -> bool:
        """Say whether the kernel has refused a new process."""
        try:
            lines = (self.pids / "pids.events").read_text().splitlines()
        except OSError:
            return False
        return any(line.startswith("max ") and line != "max 0" for line in lines)

    def _verify_swap(self, path: Path, value: str) -> None:
        """Without swap accounting, the memory limit holds only on a machine without swap."""
        if path.exists():
            self._expect(path, value)
        elif total := psutil.swap_memory().total:
            raise EngineError(
                "the kernel does not count swap, and this machine has some",
                got=f"{total} bytes of swap",
                expected="swap accounting, or no swap",
                todo="Boot with swapaccount=1 or turn swap off",
            )

    def _expect(self, path: Path, value: str) -> None:
        got = self._read(path)
        if got != value:
            what = f"the limit {path.name} is not set in the kernel"
            raise EngineError(what, got=got, expected=value)

    @staticmethod
    def _read(path: Path) -> str:
        try:
            return path.read_text().strip()
        except OSError as error:
            raise EngineError(
                f"the limit {path.name} cannot be verified",
                got=error.strerror,
                todo="Enable the memory, pids and cpu controllers on this machine",
            ) from error


def _cores_match(quota: str, period: str, cpus: float) -> bool:
    """Say whether `quota` of `period` microseconds is `cpus` cores; `max` means no limit."""
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return False
    return abs(int(quota) / int(period) - cpus) <= 0.01
