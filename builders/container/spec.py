"""The specification of a container, and the result of running it; independent of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from builders.container.idmap import IdMap

LABEL_RUN = "samebits.run"
LABEL_FLOW_RUN = "samebits.flow-run"
LABEL_DEADLINE = "samebits.deadline"
LABEL_CENTER = "samebits.center"


@dataclass(frozen=True, kw_only=True)
class User:
    """The user and group that a build runs as."""

    uid: int
    gid: int

    def __str__(self) -> str:
        """Return `uid:gid`, the form that engines and mkfs take."""
        return f"{self.uid}:{self.gid}"


BUILDER = User(uid=1000, gid=1000)


class EndReason(StrEnum):
    """Why a container stopped."""

    EXITED = "exited"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A path of this machine inside the container."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True, kw_only=True)
class ContainerLimits:
    """Hard limits: cores, bytes, processes, seconds, bytes of log."""

    cpus: float
    memory: int
    pids: int
    seconds: int
    log: int = 64 << 20


@dataclass(frozen=True, kw_only=True)
class RunLabels:
    """The run that a container belongs to; set as labels on everything that is created."""

    run: str
    center: str
    flow_run: str = ""

    def to_dict(self, deadline: datetime) -> dict[str, str]:
        """Return the engine's labels; the deadline is written in ISO 8601, UTC."""
        return {
            LABEL_RUN: self.run,
            LABEL_CENTER: self.center,
            LABEL_FLOW_RUN: self.flow_run,
            LABEL_DEADLINE: deadline.astimezone(UTC).isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """One container. Network, capabilities and a writable root cannot be requested."""

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    hostname: str
    workdir: str
    mounts: tuple[Mount, ...]
    limits: ContainerLimits
    labels: RunLabels
    gate: Path
    """Host path of a FIFO that the first process reads from before it does anything else."""
    user: User = BUILDER
    core: int | None = None
    """The only core that it may run on, by the kernel's number; None for all of them.

    `nproc` then reports one core; programs that count cores in /sys still see all.
    """


@dataclass(frozen=True, kw_only=True)
class ContainerResult:
    """How a container ended, and what it used. `peak_memory` is sampled, in bytes."""

    ended: EndReason
    exit_code: int | None
    signal: int | None
    oom_killed: bool
    pids_limit_hit: bool
    scratch_full: bool
    peak_memory: int | None
    wall_seconds: float
    log_truncated: bool
    uid_map: IdMap = ()
    """What its user ids were on this machine; empty if its build never began."""
