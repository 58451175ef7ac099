"""The folders and the container of one attempt, as its plan describes them.

Everything that a container sees lies in its own scratch space: the source of a mount of any other
folder is shown to the build, and names the center's folder, the run and the attempt.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from builders.container.scratch import make_mounted_folder, scratch
from builders.container.spec import ContainerSpec, RunLabels
from builders.core.errors import ScratchError
from builders.inputs.input_file import InputFile
from builders.inputs.vault import Vault
from builders.rebuild.plan import GATE, LIBRARY, Plan

OUTPUTS = "outputs"
_MIB = 1 << 20


@contextmanager
def prepared_attempt(
    plan: Plan,
    inputs: Sequence[InputFile],
    *,
    image: str,
    vault: Vault,
    folder: Path,
    labels: RunLabels,
) -> Iterator[tuple[ContainerSpec, Path]]:
    """Stage an attempt in the new folder `folder`, and mount its scratch space.

    Yields the container's specification and the mount point, which is gone afterwards; inputs and
    outputs stay in `folder`. Raises `RebuildError`.
    """
    staged = folder / "inputs"
    with _no_room():
        folder.mkdir(mode=0o700)
        make_mounted_folder(folder / OUTPUTS)
        stage_inputs(inputs, vault, staged)

    def fill(mount: Path) -> None:
        with _no_room():
            stage_control(plan, vault, mount / "control")
            _lay_out(inputs, mount / "inputs", partial(_copy, staged))

    with scratch(
        folder,
        plan.scratch + _room_for(plan, staged),
        order=plan.folder_order,
        seed=plan.order_seed,
        owner=plan.user,
        fill=fill,
    ) as mount:
        yield plan.spec(image=image, scratch=mount, labels=labels), mount


def stage_control(plan: Plan, vault: Vault, control: Path) -> None:
    """Make the control folder of an attempt, with its gate."""
    make_mounted_folder(control)
    # Sorted: files that are not older than the one that declares the clock show its time.
    for name, data in sorted(plan.control.items()):
        path = control / name
        path.write_bytes(data)
        path.chmod(0o755)
    if plan.preload is not None:
        vault.stage(plan.preload, control / LIBRARY)
        (control / LIBRARY).chmod(0o755)
    os.mkfifo(control / GATE)
    (control / GATE).chmod(0o644)


def stage_inputs(inputs: Sequence[InputFile], vault: Vault, folder: Path) -> None:
    """Make the folder with the inputs of an attempt; every input is checked on the way."""
    _lay_out(inputs, folder, lambda item, target: vault.stage(item.sha256, target))


def _lay_out(
    inputs: Sequence[InputFile], folder: Path, put: Callable[[InputFile, Path], object]
) -> None:
    """Make a folder with the inputs by role; `put` writes each of them to a new file."""
    make_mounted_folder(folder)
    for item in inputs:
        target = folder / item.role / item.name
        if not target.parent.exists():
            make_mounted_folder(target.parent)
        put(item, target)
        target.chmod(0o444)


def _copy(staged: Path, item: InputFile, target: Path) -> None:
    shutil.copyfile(staged / item.role / item.name, target)


def _room_for(plan: Plan, inputs: Path) -> int:
    """Return the bytes that inputs and control files take, so that the build has its own left."""
    size = sum(path.stat().st_size for path in inputs.glob("*/*"))
    size += sum(len(data) for data in plan.control.values())
    # An eighth more, for the tables of a larger file system and half-used blocks.
    return (size + size // 8) // _MIB * _MIB + 2 * _MIB


@contextmanager
def _no_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ScratchError(
            "the inputs cannot be staged", got=error.strerror, todo="Free some disk space"
        ) from error
