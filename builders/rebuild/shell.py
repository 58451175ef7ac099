"""A shell in the container of a build: prepared as for the build, or as a failed build left it.

Network, root, limits and confinement are those of the build; only its time does not end a shell.
What is done in it stays in the scratch space of its run, which is removed: nothing of it is taken.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from builders.container.spec import ContainerSpec, RunLabels
from builders.core.enums import Outcome
from builders.engine import Engine
from builders.inputs.input_file import InputFile
from builders.inputs.vault import Vault
from builders.methods.method import CONTROL
from builders.rebuild.plan import Plan
from builders.rebuild.rebuild import LOG
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.staging import prepared_attempt

BUILD = f"{CONTROL}/build"
"""Starts the build by hand, as it would have been started."""
_RC = "shellrc"
_BASH = f"/bin/bash --noprofile --rcfile {CONTROL}/{_RC} -i"
_SHELL = ("/bin/sh", "-c", f"[ ! -x /bin/bash ] || exec {_BASH}; exec /bin/sh -i")
_PROMPT = "PS1='samebits:\\w$ '\n"  # not exported: a build by hand has the variables of the build
First = Callable[[ContainerSpec, Path], RebuildResult]


def open_shell(
    plan: Plan,
    inputs: Sequence[InputFile],
    *,
    image: str,
    vault: Vault,
    engine: Engine,
    folder: Path,
    labels: RunLabels,
    terminal: bool,
    first: First | None = None,
    greet: Callable[[RebuildResult | None], object],
) -> tuple[RebuildResult | None, int]:
    """Open a shell on this process's terminal, or its input and output; returns its exit code.

    `first` runs the build in the prepared attempt, before the shell sees what that left; a build
    that does not fail gets no shell. `greet` is called before the shell. Raises `RebuildError`.
    """
    with prepared_attempt(plan, inputs, image=image, vault=vault, folder=folder, labels=labels) as (
        spec,
        mount,
    ):
        result = first(spec, mount) if first else None
        if result is not None and result.outcome is Outcome.BUILT:
            return result, 0
        _add_helpers(plan, mount / "control", folder / LOG)
        greet(result)
        shell = replace(spec, command=(*plan.start, *_SHELL))
        return result, engine.attach(shell, terminal=terminal)


def _add_helpers(plan: Plan, control: Path, log: Path) -> None:
    """Add what starts the build by hand, and the log of a build that was run, to the container."""
    words = plan.command[len(plan.start) :]
    # The engine sets it for a terminal, which a build does not have.
    unset = "" if "TERM" in plan.environment else "unset TERM\n"
    for name, text in (
        (Path(BUILD).name, f"#!/bin/sh\n{unset}exec {shlex.join(words)}\n"),
        (_RC, _PROMPT),
    ):
        (control / name).write_text(text)
        (control / name).chmod(0o755)
    if log.is_file():
        shutil.copyfile(log, control / LOG)
        (control / LOG).chmod(0o644)
