"""A container for one tool that reads foreign files: no network, no rights, nothing kept.

What it is given is read-only, and what it leaves is copied out as hostile.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builders.container.scratch import make_mounted_folder, scratch
from builders.container.spec import (
    ContainerLimits,
    ContainerResult,
    ContainerSpec,
    Mount,
    RunLabels,
)
from builders.core.errors import BuildFailedError
from builders.engine import Engine
from builders.methods.base import BASE_VARIABLES
from builders.methods.method import CONTROL, INPUTS, OUTPUTS, launcher_bytes
from builders.rebuild.outputs import copy_files
from builders.rebuild.plan import GATE

_SCRATCH = 4 << 30
_LOG_TAIL = 1 << 16
_MAX_OUTPUTS = 16


@dataclass(frozen=True, kw_only=True)
class ToolLimits:
    """What one run of a tool may cost."""

    seconds: int = 600
    memory: int = 2 << 30


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """How a tool ended and what it left."""

    container: ContainerResult
    outputs: tuple[str, ...]
    """Names of the files that now are in the output folder."""
    log: bytes = field(repr=False)
    """The end of what it printed."""


def run_in_container(
    argv: Sequence[str],
    *,
    inputs: Mapping[str, Path],
    outputs: Path,
    limits: ToolLimits,
    engine: Engine,
    image: str,
    workdir: Path,
    labels: RunLabels,
    cancelled: threading.Event,
) -> ToolResult:
    """Run `argv` in a container of `image`, and return how it ended.

    `inputs` maps names, which may have folders in them, to files that the tool sees read-only at
    `/inputs/<name>`. What it leaves in `/out` is put in the folder `outputs`, also when it was
    stopped. Files are kept in `workdir` meanwhile. Raises `InfrastructureError` when it cannot be
    run at all.
    """
    folder = Path(tempfile.mkdtemp(dir=workdir, prefix="tool-"))
    control = folder / "control"
    make_mounted_folder(control)
    (control / "launch.sh").write_bytes(launcher_bytes())
    os.mkfifo(control / GATE)
    for path in (control / "launch.sh", control / GATE, *inputs.values()):
        path.chmod(0o644)
    try:
        with scratch(folder, _SCRATCH) as mount:
            spec = ContainerSpec(
                image=image,
                command=("/bin/sh", f"{CONTROL}/launch.sh", "022", *argv),
                environment={**BASE_VARIABLES, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                hostname="tool",
                workdir="/tmp",  # noqa: S108  # inside the container
                mounts=(
                    Mount(source=control, target=CONTROL),
                    Mount(source=mount / "out", target=OUTPUTS, read_only=False),
                    Mount(source=mount / "tmp", target="/tmp", read_only=False),  # noqa: S108
                    *(
                        Mount(source=path, target=f"{INPUTS}/{name}")
                        for name, path in inputs.items()
                    ),
                ),
                limits=ContainerLimits(
                    cpus=1, memory=limits.memory, pids=512, seconds=limits.seconds, log=_LOG_TAIL
                ),
                labels=labels,
                gate=control / GATE,
            )
            result = engine.run(spec, log=folder / "log", cancelled=cancelled, scratch=mount)
            note = b""
            try:
                taken = copy_files(mount / "out", outputs, count=_MAX_OUTPUTS, room=_SCRATCH)
            except BuildFailedError as error:
                taken, note = {}, f"\n[samebits: {error}]\n".encode()
            said = (folder / "log").read_bytes()[-_LOG_TAIL:]
            return ToolResult(container=result, outputs=tuple(taken), log=said + note)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
