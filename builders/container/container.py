"""What is asked of a container, and what is known of it once it is gone; no engine in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

LABEL_RUN = "samebits.run"
LABEL_FLOW_RUN = "samebits.flow-run"
LABEL_DEADLINE = "samebits.deadline"
LABEL_CENTER = "samebits.center"

BUILDER_UID = 1000
BUILDER_GID = 1000


@dataclass(frozen=True, kw_only=True)
class User:
    """Whom a build runs as."""

    uid: int
    gid: int

    def __str__(self) -> str:
        """Return `uid:gid`, as engines and file systems take it."""
        return f"{self.uid}:{self.gid}"


BUILDER = User(uid=BUILDER_UID, gid=BUILDER_GID)


class Ended(StrEnum):
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
    """Whose a container is; on everything that is created."""

    run: str
    center: str
    flow_run: str = ""

    def to_dict(self, deadline: datetime) -> dict[str, str]:
        """Return the engine's labels; the deadline is ISO 8601 in UTC."""
        return {
            LABEL_RUN: self.run,
            LABEL_CENTER: self.center,
            LABEL_FLOW_RUN: self.flow_run,
            LABEL_DEADLINE: deadline.astimezone(UTC).isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """One container: no network, read-only root, no capabilities; none of that can be asked for."""

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    hostname: str
    workdir: str
    mounts: tuple[Mount, ...]
    limits: ContainerLimits
    labels: RunLabels
    gate: Path
    """Host path of the FIFO that the first process reads before it does anything."""
    user: User = BUILDER
    core: int | None = None
    """The only core of this machine that it may run on, as `nproc` tells it; None for all of them.

    What counts the cores in /sys still finds all.
    """


@dataclass(frozen=True, kw_only=True)
class ContainerResult:
    """How it ended, and what it used. `peak_memory` is sampled, in bytes."""

    ended: Ended
    exit_code: int | None
    signal: int | None
    oom_killed: bool
    pids_limit_hit: bool
    scratch_full: bool
    peak_memory: int | None
    wall_seconds: float
    log_bytes: int
    log_truncated: bool
