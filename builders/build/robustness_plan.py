"""A rebuild of a recipe elsewhere: planned as on another machine, within the same walls.

It differs from the judged one in the factors that the recipe leaves undeclared, and in nothing
else; on a single core it may take longer.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from builders.build.plan import Plan, make_plan
from builders.build.robustness import Factor, KeptFactor, KeptReason, VariedFactor
from builders.container.folderorder import ORDER_SEED
from builders.container.spec import BUILDER, User
from builders.core.digest import Digest
from builders.inputs.file import InputFile
from builders.methods.base import Build
from builders.recipe.claim import recipe_script
from builders.recipe.recipe import LoadedRecipe


@dataclass(frozen=True, kw_only=True)
class RobustnessPlan:
    """A rebuild in a moved environment, before it runs."""

    loaded: LoadedRecipe
    plan: Plan
    moved: tuple[VariedFactor, ...]
    kept: tuple[KeptFactor, ...]


_FIELDS = {
    Factor.HOSTNAME: "hostname",
    Factor.FOLDER_ORDER: "folder_order",
    Factor.TIMEZONE: "timezone",
    Factor.LOCALE: "locale",
}
# A zone in POSIX form needs no files of the image, and every image has the locale C.
_ELSEWHERE = {Factor.HOSTNAME: "elsewhere", Factor.TIMEZONE: "MOV+11", Factor.LOCALE: "C"}
_STRANGER = User(uid=65534, gid=65534)  # "nobody", whom an image knows by a name as it does ours


def plan_robustness(
    loaded: LoadedRecipe, inputs: Sequence[InputFile], *, cores: int, run: str
) -> RobustnessPlan:
    """Plan the rebuild of a recipe elsewhere, on a machine of `cores` cores.

    The same `run` is always moved to the same place, and runs side by side to several cores. Raises
    `RecipeError` as `make_plan` does.
    """
    build, after = loaded.recipe.build, varied_values(run)
    stay = {f: KeptReason.DECLARED for f in Factor if declares(build, f)}
    if cores < 2:
        stay[Factor.CORES] = KeptReason.ALONE
    moved = tuple(
        VariedFactor(factor=f, before=default_value(build, f) or str(cores), after=after[f])
        for f in Factor
        if f not in stay
    )
    fields = {_FIELDS[f]: after[f] for f in _ELSEWHERE if f not in stay}
    recipe = loaded.recipe.model_copy(update={"build": build.model_copy(update=fields)})
    there = loaded.model_copy(update={"recipe": recipe})
    plan = make_plan(there, inputs, script=recipe_script(there), cores=1)
    # As many cores as it loses, and one more: that single core may be another build's as well.
    slower = 1 + math.ceil(min(loaded.recipe.limits.cpus, cores))
    mine = sorted(os.sched_getaffinity(0))
    return RobustnessPlan(
        loaded=there,
        plan=replace(
            plan,
            user=_STRANGER,
            limits=replace(plan.limits, seconds=plan.limits.seconds * slower),
            core=None if Factor.CORES in stay else mine[int(_chance(run)[32:], 16) % len(mine)],
            order_seed=None if Factor.FOLDER_ORDER in stay else after[Factor.FOLDER_ORDER],
        ),
        moved=moved,
        kept=tuple(KeptFactor(factor=f, why=stay[f]) for f in Factor if f in stay),
    )


def varied_values(run: str) -> dict[Factor, str]:
    """Return what the moved rebuild of a run sees of each factor that does not stay."""
    return {
        **_ELSEWHERE,
        Factor.USER: str(_STRANGER),
        Factor.CORES: "1",
        Factor.FOLDER_ORDER: str(uuid.UUID(_chance(run)[:32])),
    }


def declares(build: Build, factor: Factor) -> bool:
    """Say whether a recipe declares a factor, be it as it would be anyway."""
    return _FIELDS.get(factor) in build.model_fields_set


def default_value(build: Build, factor: Factor) -> str | None:
    """Return what a judged rebuild sees; None where that is up to the machine."""
    match factor:
        case Factor.CORES:
            return None
        case Factor.USER:
            return str(BUILDER)
        case Factor.FOLDER_ORDER:
            return ORDER_SEED
        case _:
            return str(getattr(build, _FIELDS[factor]))


def _chance(run: str) -> str:
    """Return 64 hex digits that a run always draws."""
    return Digest.of(f"elsewhere\n{run}".encode()).hex
