"""The cgroup's own files, versions 1 and 2: the limits that were asked for must really hold.

Formats: kernel documentation, admin-guide/cgroup-v1 and admin-guide/cgroup-v2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builders.container.container import ContainerLimits
from builders.core.errors import EngineError

ROOT = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
_PAGE = 4096


@dataclass(frozen=True, kw_only=True)
class Cgroup:
    """The folders that hold one process group's controllers."""

    memory: Path
    pids: Path
    cpu: Path
    version: int

    @classmethod
    def of(cls, pid: int, *, root: Path = ROOT, proc: Path = Path("/proc")) -> Cgroup:
        """Find the cgroup of a process; raises `EngineError` when this machine cannot see it."""
        try:
            lines = (proc / str(pid) / "cgroup").read_text().splitlines()
        except OSError as error:
            raise EngineError(
                "the container's process cannot be seen, so its limits cannot be verified",
                got=error.strerror,
                todo="Run samebits on the machine of the engine, as root",
            ) from error
        groups: dict[str, str] = {}
        for line in lines:
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                groups[controller] = path.lstrip("/")
        if "memory" in groups:
            return cls(
                memory=root / "memory" / groups["memory"],
                pids=root / "pids" / groups["pids"],
                cpu=root / "cpu" / groups["cpu"],
                version=1,
            )
        folder = root / groups.get("", "")
        return cls(memory=folder, pids=folder, cpu=folder, version=2)

    def verify(self, limits: ContainerLimits) -> None:
        """Compare the kernel's limits with those asked for; raises `EngineError`."""
        memory = limits.memory // _PAGE * _PAGE
        if self.version == 1:
            self._expect(self.memory / "memory.limit_in_bytes", str(memory))
            if (self.memory / "memory.memsw.limit_in_bytes").exists():
                self._expect(self.memory / "memory.memsw.limit_in_bytes", str(memory))
            else:
                _refuse_swap()
            quota = self._read(self.cpu / "cpu.cfs_quota_us")
            period = self._read(self.cpu / "cpu.cfs_period_us")
        else:
            self._expect(self.memory / "memory.max", str(memory))
            if (self.memory / "memory.swap.max").exists():
                self._expect(self.memory / "memory.swap.max", "0")
            else:
                _refuse_swap()
            quota, _, period = self._read(self.cpu / "cpu.max").partition(" ")
        self._expect(self.pids / "pids.max", str(limits.pids))
        if not _cores_hold(quota, period, limits.cpus):
            raise EngineError(
                "the kernel does not keep the limit of cores",
                got=f"quota {quota!r} of {period!r}",
                expected=limits.cpus,
            )

    def peak_memory(self) -> int | None:
        """Return the highest use so far in bytes, or None when the kernel does not say."""
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        try:
            return int((self.memory / name).read_text())
        except (OSError, ValueError):
            return None

    def pids_limit_hit(self) -> bool:
        """Say whether a new process was ever refused."""
        try:
            return any(
                line.startswith("max ") and line != "max 0"
                for line in (self.pids / "pids.events").read_text().splitlines()
            )
        except OSError:
            return False

    def _expect(self, path: Path, value: str) -> None:
        got = self._read(path)
        if got != value:
            raise EngineError(
                f"the kernel does not keep the limit {path.name}", got=got, expected=value
            )

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


def _cores_hold(quota: str, period: str, cpus: float) -> bool:
    """Say whether `quota` of `period` microseconds are `cpus` cores; no number is no limit."""
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return False
    return abs(int(quota) / int(period) - cpus) <= 0.01


def _refuse_swap() -> None:
    """Without swap accounting the memory limit holds only where there is no swap."""
    for line in MEMINFO.read_text().splitlines():
        if line.startswith("SwapTotal:") and int(line.split()[1]) > 0:
            raise EngineError(
                "the kernel counts no swap, and this machine has some",
                got=line,
                expected="swap accounting, or no swap",
                todo="Boot with swapaccount=1 or turn swap off",
            )
