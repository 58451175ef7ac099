"""One rebuild: stage the inputs, run the plan in its container, take the outputs.

What comes back says whether the build ran, never whether bytes matched: no shipped byte of the
release is anywhere near.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from builders.build.outputs import take_outputs
from builders.build.plan import GATE, LIBRARY, Plan
from builders.build.result import Output, RebuildResult
from builders.container.scratch import scratch
from builders.container.spec import ContainerResult, EndReason, RunLabels
from builders.core.digest import digest_file
from builders.core.enums import Outcome
from builders.core.errors import BuildFailedError, CancelledError, InfrastructureError, ScratchError
from builders.core.units import format_duration, format_size
from builders.engine import Engine
from builders.inputs.file import InputFile
from builders.inputs.vault import Vault
from builders.methods.clock import format_timestamp
from builders.recipe.recipe import LoadedRecipe

LOG = "build.log"
OUTPUTS = "outputs"
_TAIL = 1 << 16
# What shells and the C library say when the limit was met between two looks at the cgroup.
_NO_FORK = (b"Cannot fork", b"fork: Resource temporarily unavailable")
_SPARE_DISK = 32 << 20
_TELLING = 40  # lines at the end of a log in which an error is looked for
_OWN = "samebits: error:"

__all__ = ["LOG", "OUTPUTS", "RebuildResult", "classify_outcome", "rebuild", "stage_attempt"]


def stage_attempt(plan: Plan, inputs: Sequence[InputFile], vault: Vault, folder: Path) -> None:
    """Lay out the control and input folders of an attempt; every input is checked on its way."""
    folder.mkdir(mode=0o700)
    for name in ("control", "inputs", OUTPUTS):
        (folder / name).mkdir(mode=0o755)
    # In this order: what is not older than the file that declares the clock shows its time.
    for name, data in sorted(plan.control.items()):
        path = folder / "control" / name
        path.write_bytes(data)
        path.chmod(0o755)
    if plan.preload is not None:
        vault.stage(plan.preload, folder / "control" / LIBRARY)
        (folder / "control" / LIBRARY).chmod(0o755)
    os.mkfifo(folder / "control" / GATE)
    (folder / "control" / GATE).chmod(0o644)
    for item in inputs:
        target = folder / "inputs" / item.role / item.name
        target.parent.mkdir(mode=0o755, exist_ok=True)
        vault.stage(item.sha256, target)
        target.chmod(0o444)


def rebuild(
    loaded: LoadedRecipe,
    plan: Plan,
    inputs: Sequence[InputFile],
    *,
    image: str,
    vault: Vault,
    engine: Engine,
    folder: Path,
    labels: RunLabels,
    cancelled: threading.Event,
) -> RebuildResult:
    """Run one attempt in the new folder `folder`; outputs and log stay there.

    Raises `RebuildError`: its `outcome` says how to record the attempt, and only an
    `InfrastructureError` is worth another one.
    """
    try:
        stage_attempt(plan, inputs, vault, folder)
    except OSError as error:
        raise ScratchError(
            "the inputs cannot be staged", got=error.strerror, todo="Free some disk space"
        ) from error
    recipe = loaded.recipe
    with scratch(
        folder,
        recipe.limits.scratch,
        order=recipe.build.folder_order,
        seed=plan.order_seed,
        owner=plan.user,
    ) as mount:
        spec = plan.spec(image=image, folder=folder, scratch=mount, labels=labels)
        result = engine.run(spec, log=folder / LOG, cancelled=cancelled, scratch=mount)
        outcome, reason = classify_outcome(result, plan, loaded, tail=_tail(folder / LOG))
        outputs: tuple[Output, ...] = ()
        if _host_disk_full(folder):
            raise InfrastructureError(
                "this machine's disk is full, so the build cannot be blamed or believed",
                got=reason or outcome,
                todo="Free some disk space and run again",
            )
        if outcome is Outcome.BUILT:
            try:
                outputs = take_outputs(mount / "out", folder / OUTPUTS, loaded.recipe)
            except BuildFailedError as error:
                outcome, reason = error.outcome, str(error)
    return RebuildResult(
        outcome=outcome,
        reason=reason,
        exit_code=result.exit_code,
        signal=result.signal,
        oom_killed=result.oom_killed,
        peak_memory=result.peak_memory,
        wall_seconds=result.wall_seconds,
        log=digest_file(folder / LOG),
        log_truncated=result.log_truncated,
        outputs=outputs,
    )


def classify_outcome(
    result: ContainerResult, plan: Plan, loaded: LoadedRecipe, *, tail: bytes
) -> tuple[Outcome, str | None]:
    """Tell apart the ways a build can end, the surest sign first; raises `CancelledError`."""
    limits = loaded.recipe.limits
    if result.ended is EndReason.CANCELLED:
        raise CancelledError("the run was cancelled")
    if result.ended is EndReason.DEADLINE:
        return Outcome.TIMED_OUT, _late(plan, loaded)
    if result.oom_killed:
        limit = format_size(plan.limits.memory)
        reason = f"memory: the kernel killed a process at the limit of {limit}"
        return Outcome.OUT_OF_RESOURCES, reason
    if result.exit_code == 0:
        return Outcome.BUILT, None
    if result.scratch_full or b"No space left on device" in tail:
        return Outcome.OUT_OF_RESOURCES, f"scratch: {format_size(limits.scratch)} were filled"
    if result.pids_limit_hit or any(word in tail for word in _NO_FORK):
        return Outcome.OUT_OF_RESOURCES, f"processes: the limit of {plan.limits.pids} was reached"
    ending = f"signal {result.signal}" if result.signal else f"exit code {result.exit_code}"
    return Outcome.BUILD_FAILED, f"{ending}; {_telling_line(tail)}"


def _late(plan: Plan, loaded: LoadedRecipe) -> str:
    reason = f"killed at its deadline of {format_duration(plan.limits.seconds)}"
    clock = loaded.recipe.build.clock
    if clock is None or clock.mode != "frozen":
        return reason
    time = format_timestamp(clock.time)
    return (
        f"{reason}; its clock is frozen at {time}, so a build that waits for time to pass never "
        "ends: try mode advancing"
    )


def _telling_line(tail: bytes) -> str:
    """Return the last line that speaks of an error, or else the last one."""
    lines = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return "it printed nothing"
    errors = [line for line in lines[-_TELLING:] if "error" in line.lower()]
    # Ours first: what a loader says before the launcher joins both streams may come after it.
    errors = [line for line in errors if line.startswith(_OWN)] or errors
    said = "its last error" if errors else "its last line"
    return f"{said}: {(errors or lines)[-1].strip()[:300]}"


def _tail(log: Path) -> bytes:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL))
        return stream.read()


def _host_disk_full(folder: Path) -> bool:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize < _SPARE_DISK
