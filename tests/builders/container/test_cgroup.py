"""Limits that do not hold are refused; the kernel is a folder here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from builders.container.cgroup import Cgroup
from builders.container.spec import ContainerLimits
from builders.core.errors import EngineError

MEMORY = 1 << 30
LIMITS = ContainerLimits(cpus=1.5, memory=MEMORY, pids=100, seconds=60)
V1 = {
    "memory/box/memory.limit_in_bytes": f"{MEMORY}\n",
    "memory/box/memory.memsw.limit_in_bytes": f"{MEMORY}\n",
    "pids/box/pids.max": "100\n",
    "cpu/box/cpu.cfs_quota_us": "150000\n",
    "cpu/box/cpu.cfs_period_us": "100000\n",
}
V2 = {
    "box/memory.max": f"{MEMORY}\n",
    "box/memory.swap.max": "0\n",
    "box/pids.max": "100\n",
    "box/cpu.max": "150000 100000\n",
}
V1_LINES = "12:pids:/box\n5:memory:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/box\n0::/\n"
V2_LINES = "0::/box\n"
SWAP = ("memory/box/memory.memsw.limit_in_bytes", "box/memory.swap.max")
Kernel = Callable[[dict[str, str]], Cgroup]


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    def make(files: dict[str, str]) -> Cgroup:
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        process = tmp_path / "proc" / "42"
        process.mkdir(parents=True)
        first = next(iter(files))
        (process / "cgroup").write_text(V2_LINES if first.startswith("box/") else V1_LINES)
        return Cgroup.of(42, root=tmp_path / "cgroup", proc=tmp_path / "proc")

    return make


@pytest.fixture
def swap(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Gives this machine some swap."""

    def say(size: int) -> None:
        monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(total=size))

    return say


@pytest.mark.parametrize(("files", "version"), [(V1, 1), (V2, 2)])
def test_limits_that_hold_are_let_through(
    kernel: Kernel, files: dict[str, str], version: int
) -> None:
    found = kernel(files)
    assert found.version == version
    found.verify(LIMITS)


def test_the_kernel_counts_memory_in_pages(kernel: Kernel) -> None:
    limits = ContainerLimits(cpus=1.5, memory=MEMORY + 4095, pids=100, seconds=60)
    kernel(V2).verify(limits)


OTHER = [
    (V1, "memory/box/memory.limit_in_bytes", "9223372036854771712", "memory.limit_in_bytes"),
    (V1, "memory/box/memory.limit_in_bytes", str(MEMORY + 4096), "memory.limit_in_bytes"),
    (V1, "memory/box/memory.memsw.limit_in_bytes", str(2 * MEMORY), "memory.memsw"),
    (V1, "pids/box/pids.max", "max", "pids.max"),
    (V1, "cpu/box/cpu.cfs_quota_us", "-1", "limit of cores"),
    (V1, "cpu/box/cpu.cfs_quota_us", "200000", "limit of cores"),
    (V1, "cpu/box/cpu.cfs_period_us", "50000", "limit of cores"),
    (V2, "box/memory.max", "max", "memory.max"),
    (V2, "box/memory.max", str(MEMORY - 4096), "memory.max"),
    (V2, "box/memory.swap.max", "max", "memory.swap.max"),
    (V2, "box/memory.swap.max", "4096", "memory.swap.max"),
    (V2, "box/pids.max", "101", "pids.max"),
    (V2, "box/cpu.max", "max 100000", "limit of cores"),
    (V2, "box/cpu.max", "160000 100000", "limit of cores"),
    (V2, "box/cpu.max", "140000 100000", "limit of cores"),
    (V2, "box/cpu.max", "", "limit of cores"),
    (V1, "cpu/box/cpu.cfs_period_us", "0", "limit of cores"),
]


@pytest.mark.parametrize(("files", "name", "value", "words"), OTHER)
def test_a_limit_that_does_not_hold_is_refused(
    kernel: Kernel, files: dict[str, str], name: str, value: str, words: str
) -> None:
    with pytest.raises(EngineError, match="not set in the kernel") as caught:
        kernel({**files, name: value}).verify(LIMITS)
    assert words in caught.value.what
    assert caught.value.got is not None
    assert caught.value.expected is not None


@pytest.mark.parametrize(("files", "name"), [(f, n) for f in (V1, V2) for n in f if n not in SWAP])
def test_a_limit_that_cannot_be_seen_is_refused(
    kernel: Kernel, files: dict[str, str], name: str
) -> None:
    with pytest.raises(EngineError, match="cannot be verified; got No such file") as caught:
        kernel({n: text for n, text in files.items() if n != name}).verify(LIMITS)
    assert Path(name).name in caught.value.what
    assert caught.value.todo == "Enable the memory, pids and cpu controllers on this machine"


@pytest.mark.parametrize(("files", "name"), [(V1, SWAP[0]), (V2, SWAP[1])])
def test_without_swap_accounting_there_may_be_no_swap(
    kernel: Kernel, swap: Callable[[int], None], files: dict[str, str], name: str
) -> None:
    found = kernel({n: text for n, text in files.items() if n != name})
    swap(0)
    found.verify(LIMITS)
    swap(1)
    with pytest.raises(EngineError, match="does not count swap"):
        found.verify(LIMITS)


def test_a_process_that_is_gone_or_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="limits cannot be verified"):
        Cgroup.of(42, root=tmp_path, proc=tmp_path)


def test_a_process_in_the_root_group_has_no_limit(tmp_path: Path) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "cgroup").write_text("0::/\n")
    with pytest.raises(EngineError, match=r"memory\.max cannot be verified"):
        Cgroup.of(42, root=tmp_path, proc=tmp_path).verify(LIMITS)


@pytest.mark.parametrize(
    ("files", "name"),
    [(V1, "memory/box/memory.max_usage_in_bytes"), (V2, "box/memory.peak")],
)
def test_the_peak_is_read_or_unknown(kernel: Kernel, files: dict[str, str], name: str) -> None:
    found = kernel({**files, name: "12345\n"})
    assert found.peak_memory() == 12345
    (found.memory / Path(name).name).write_text("?")
    assert found.peak_memory() is None
    (found.memory / Path(name).name).unlink()
    assert found.peak_memory() is None


@pytest.mark.parametrize(("files", "folder"), [(V1, "pids/box"), (V2, "box")])
def test_refused_processes_are_noticed(kernel: Kernel, files: dict[str, str], folder: str) -> None:
    found = kernel({**files, f"{folder}/pids.events": "max 0\n"})
    assert not found.pids_limit_hit()
    (found.pids / "pids.events").write_text("max 10\n")
    assert found.pids_limit_hit()
    (found.pids / "pids.events").unlink()
    assert not found.pids_limit_hit()
