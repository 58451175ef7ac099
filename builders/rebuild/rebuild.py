"""One rebuild: stage the inputs, run the plan in its container, take the outputs.

The result says whether the build ran, never whether bytes matched: no shipped file of the release
can be reached from here.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from builders.container.spec import ContainerResult, ContainerSpec, EndReason, RunLabels
from builders.core.digest import digest_file
from builders.core.enums import Outcome
from builders.core.errors import BuildFailedError, CancelledError, InfrastructureError
from builders.core.units import format_duration, format_size
from builders.engine import Engine
from builders.inputs.input_file import InputFile
from builders.inputs.vault import Vault
from builders.jail.file_reader import Jail
from builders.methods.clock import format_timestamp
from builders.rebuild.member_outputs import take_members
from builders.rebuild.outputs import take_outputs
from builders.rebuild.packed_outputs import pack_outputs
from builders.rebuild.plan import Plan
from builders.rebuild.rebuild_result import Output, RebuildResult
from builders.rebuild.staging import OUTPUTS, prepared_attempt
from builders.recipe.recipe import LoadedRecipe

LOG = "build.log"
_TAIL = 1 << 16
# Messages of shells and of the C library: the limit can be hit between two samples of the cgroup.
_NO_FORK = (b"Cannot fork", b"fork: Resource temporarily unavailable")
_SPARE_DISK = 32 << 20
_ERROR_LINES = 60  # lines at the end of a log that are searched for an error
_OWN_ERROR = "samebits: error:"
# What make, debhelper, dpkg and pip print after a program that they called has failed.
_PASSED_ON = re.compile(
    r"\*\*\* \[.*\] Error \d+|exit (status|code) \d+|subprocess-exited-with-error|"
    r"with status 'error'|Failed building wheel|not a problem with pip|metadata-generation-failed"
)


def rebuild(
    loaded: LoadedRecipe,
    plan: Plan,
    inputs: Sequence[InputFile],
    *,
    image: str,
    vault: Vault,
    engine: Engine,
    jail: Jail,
    folder: Path,
    labels: RunLabels,
    cancelled: threading.Event,
) -> RebuildResult:
    """Run one attempt in the new folder `folder`, where its outputs and its log are left.

    Raises `RebuildError`, whose `outcome` is recorded; only an `InfrastructureError` is retried.
    """
    with prepared_attempt(plan, inputs, image=image, vault=vault, folder=folder, labels=labels) as (
        spec,
        mount,
    ):
        return run_attempt(
            loaded, plan, spec, mount, engine=engine, jail=jail, folder=folder, cancelled=cancelled
        )


def run_attempt(
    loaded: LoadedRecipe,
    plan: Plan,
    spec: ContainerSpec,
    mount: Path,
    *,
    engine: Engine,
    jail: Jail,
    folder: Path,
    cancelled: threading.Event,
) -> RebuildResult:
    """Run an attempt that is prepared in `folder`, whose scratch space is mounted at `mount`.

    Raises as `rebuild` does.
    """
    log = folder / LOG
    result = engine.run(spec, log=log, cancelled=cancelled, scratch=mount)
    outcome, reason = classify_outcome(result, plan, loaded, tail=_tail(log))
    outputs: tuple[Output, ...] = ()
    _require_room(folder, reason or outcome)
    if outcome is Outcome.BUILT:
        try:
            outputs = take_outputs(mount / "out", folder / OUTPUTS, loaded.recipe)
            outputs = take_members(outputs, folder / OUTPUTS, loaded.recipe, jail)
            outputs = pack_outputs(outputs, folder / OUTPUTS, loaded.recipe, jail)
            _require_room(folder, reason or outcome)
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
        log=digest_file(log),
        log_truncated=result.log_truncated,
        uid_map=result.uid_map,
        outputs=outputs,
    )


def classify_outcome(
    result: ContainerResult, plan: Plan, loaded: LoadedRecipe, *, tail: bytes
) -> tuple[Outcome, str | None]:
    """Return outcome and reason, by the most reliable sign first; raises `CancelledError`."""
    if result.ended is EndReason.CANCELLED:
        raise CancelledError("the run was cancelled")
    if result.ended is EndReason.DEADLINE:
        return Outcome.TIMED_OUT, _deadline_reason(plan, loaded)
    if result.oom_killed:
        limit = format_size(plan.limits.memory)
        reason = f"memory: the kernel killed a process at the limit of {limit}"
        return Outcome.OUT_OF_RESOURCES, reason
    if result.exit_code == 0:
        return Outcome.BUILT, None
    if result.scratch_full or b"No space left on device" in tail:
        return Outcome.OUT_OF_RESOURCES, f"scratch: {format_size(plan.scratch)} were filled"
    if result.pids_limit_hit or any(message in tail for message in _NO_FORK):
        return Outcome.OUT_OF_RESOURCES, f"processes: the limit of {plan.limits.pids} was reached"
    ending = f"signal {result.signal}" if result.signal else f"exit code {result.exit_code}"
    return Outcome.BUILD_FAILED, f"{ending}; {_error_line(tail)}"


def _deadline_reason(plan: Plan, loaded: LoadedRecipe) -> str:
    reason = f"killed at its deadline of {format_duration(plan.limits.seconds)}"
    clock = loaded.recipe.build.clock
    if clock is None or clock.mode != "frozen":
        return reason
    time = format_timestamp(clock.time)
    return (
        f"{reason}; its clock is frozen at {time}, so a build that waits for time to pass never "
        "ends: try mode advancing"
    )


def _error_line(tail: bytes) -> str:
    """Return the last error of the build itself, or else the last line."""
    lines = [line.strip() for line in tail.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return "it printed nothing"
    errors = [line for line in lines[-_ERROR_LINES:] if "error" in line.lower()]
    # Ours first: before the launcher joins both streams, messages of a loader can come after it.
    errors = (
        [line for line in errors if line.startswith(_OWN_ERROR)]
        or [line for line in errors if not _PASSED_ON.search(line)]
        or errors
    )
    which = "its last error" if errors else "its last line"
    return f"{which}: {(errors or lines)[-1][:300]}"


def _tail(log: Path) -> bytes:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL))
        return stream.read()


def _require_room(folder: Path, ended: str) -> None:
    """Raise `InfrastructureError` where a full disk of this machine may be why a build failed."""
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < _SPARE_DISK:
        raise InfrastructureError(
            "this machine's disk is full, so the result of the build does not count",
            got=ended,
            todo="Free some disk space and run again",
        )
