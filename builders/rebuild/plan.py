"""The plan of one rebuild: everything about its container, before anything runs.

It depends only on the recipe and its inputs, so it can be read and tested without an engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builders.container.folderorder import HASHED
from builders.container.spec import (
    BUILDER,
    ContainerLimits,
    ContainerSpec,
    Mount,
    RunLabels,
    User,
)
from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.inputs.input_file import InputFile
from builders.methods import METHODS
from builders.methods.method import CONTROL, INPUTS, OUTPUTS, launcher_bytes, zone_script
from builders.preload.preload_lock import preload_lock, probe_bytes
from builders.recipe.recipe import LoadedRecipe

GATE = "gate"
LIBRARY = "clock.so"
# The loader reads this file for every program, whatever the build does to its environment.
PRELOAD = "/etc/ld.so.preload"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything about the container except where its folders are on this machine."""

    command: tuple[str, ...]
    start: tuple[str, ...] = ()
    """The first words of the command: what prepares the build, before its method begins."""
    environment: Mapping[str, str]
    hostname: str
    path: str
    limits: ContainerLimits
    control: Mapping[str, bytes]
    """Files of the control folder, by name."""
    scratch: int
    """Size of the scratch space in bytes."""
    preload: Digest | None = None
    """The library of a declared clock, which the vault holds."""
    user: User = BUILDER
    core: int | None = None
    """The only core that the build sees; None for all of this machine."""
    folder_order: str = HASHED
    order_seed: str | None = None
    """Replaces the hash seed of the folder order, as a UUID."""

    def spec(
        self,
        *,
        image: str,
        scratch: Path,
        labels: RunLabels,
    ) -> ContainerSpec:
        """Return the container of this plan, whose folders are in the space of an attempt."""
        control = scratch / "control"
        preload = (Mount(source=control / "preload", target=PRELOAD),) if self.preload else ()
        return ContainerSpec(
            image=image,
            command=self.command,
            environment=self.environment,
            hostname=self.hostname,
            workdir=self.path,
            mounts=(
                Mount(source=control, target=CONTROL),
                *preload,
                Mount(source=scratch / "inputs", target=INPUTS),
                Mount(source=scratch / "work", target=self.path, read_only=False),
                Mount(source=scratch / "out", target=OUTPUTS, read_only=False),
                Mount(source=scratch / "tmp", target="/tmp", read_only=False),  # noqa: S108
            ),
            limits=self.limits,
            labels=labels,
            gate=control / GATE,
            user=self.user,
            core=self.core,
        )


def make_plan(
    loaded: LoadedRecipe, inputs: Sequence[InputFile], *, script: bytes | None, cores: int
) -> Plan:
    """Plan the rebuild of a recipe on a machine of `cores` cores.

    `script` is the recipe's own script file, if it has one. Raises `RecipeError` if the inputs do
    not fit the method.
    """
    recipe = loaded.recipe
    build = recipe.build
    method = METHODS[build.method]
    cpus = min(recipe.limits.cpus, float(cores))
    try:
        command = method.command(build, [i.staged() for i in inputs], max(1, int(cpus)))
    except ValueError as error:
        raise RecipeError(
            f"the inputs do not fit method {method.name}",
            file=str(loaded.path),
            field="inputs",
            got=error,
        ) from error
    control = {"launch.sh": launcher_bytes(), "method.sh": method.script_bytes()}
    if script is not None:
        control["recipe-script"] = script
    probe: tuple[str, ...] = ()
    if build.needs_zone_file:
        probe = ("/bin/sh", f"{CONTROL}/zone.sh")
        control["zone.sh"] = zone_script()
    if build.clock is not None:
        probe += ("/bin/sh", f"{CONTROL}/clock.sh")
        control |= {
            "clock": build.clock.configuration(),
            "clock.sh": probe_bytes(),
            "preload": f"{CONTROL}/{LIBRARY}\n".encode(),
        }
    start = ("/bin/sh", f"{CONTROL}/launch.sh", build.umask, *probe)
    return Plan(
        command=(*start, "/bin/sh", f"{CONTROL}/method.sh", *command.arguments),
        start=start,
        environment={**command.variables, **build.variables()},
        hostname=build.hostname,
        path=build.path,
        limits=ContainerLimits(
            cpus=cpus,
            memory=recipe.limits.memory,
            pids=recipe.limits.pids,
            seconds=recipe.limits.time,
        ),
        control=control,
        scratch=recipe.limits.scratch,
        folder_order=build.folder_order,
        preload=preload_lock().library if build.clock else None,
    )
