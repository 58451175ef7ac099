"""The folders and the container of one attempt, as its plan describes them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from builders.container.scratch import make_mounted_folder, scratch
from builders.container.spec import ContainerSpec, RunLabels
from builders.core.errors import ScratchError
from builders.inputs.input_file import InputFile
from builders.inputs.vault import Vault
from builders.rebuild.plan import GATE, LIBRARY, Plan

OUTPUTS = "outputs"


@contextmanager
def prepared_attempt(
    plan: Plan,
    inputs: Sequence[InputFile],
    *,
    image: str,
    vault: Vault,
    folder: Path,
    labels: RunLabels,
    interactive: bool = False,
) -> Iterator[tuple[ContainerSpec, Path]]:
    """Stage an attempt in the new folder `folder`, and mount its scratch space.

    Yields the container's specification and the mount point, which is gone afterwards. Raises
    `RebuildError`.
    """
    try:
        stage_attempt(plan, inputs, vault, folder)
    except OSError as error:
        raise ScratchError(
            "the inputs cannot be staged", got=error.strerror, todo="Free some disk space"
        ) from error
    with scratch(
        folder, plan.scratch, order=plan.folder_order, seed=plan.order_seed, owner=plan.user
    ) as mount:
        spec = plan.spec(
            image=image, folder=folder, scratch=mount, labels=labels, interactive=interactive
        )
        yield spec, mount


def stage_attempt(plan: Plan, inputs: Sequence[InputFile], vault: Vault, folder: Path) -> None:
    """Fill the control and input folders of an attempt; every input is checked on the way."""
    folder.mkdir(mode=0o700)
    for name in ("control", "inputs", OUTPUTS):
        make_mounted_folder(folder / name)
    # Sorted: files that are not older than the one that declares the clock show its time.
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
        if not target.parent.exists():
            make_mounted_folder(target.parent)
        vault.stage(item.sha256, target)
        target.chmod(0o444)
