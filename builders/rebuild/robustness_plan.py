"""Plan a robustness rebuild: the same recipe and container limits, as if on another machine.

It differs from the judged rebuild only in the factors that the recipe does not declare. It may take
longer, because it uses a single core.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from builders.container.folderorder import ORDER_SEED
from builders.container.spec import BUILDER, User
from builders.core.digest import Digest
from builders.inputs.input_file import InputFile
from builders.methods.base import Build
from builders.rebuild.plan import Plan, make_plan
from builders.rebuild.robustness_factors import Factor, KeptFactor, KeptReason, VariedFactor
from builders.recipe.claim import recipe_script
from builders.recipe.recipe import LoadedRecipe


@dataclass(frozen=True, kw_only=True)
class RobustnessPlan:
    """A robustness rebuild before it runs: its recipe, its plan, and what it varies."""

    loaded: LoadedRecipe
    plan: Plan
    varied: tuple[VariedFactor, ...]
    kept: tuple[KeptFactor, ...]


_FIELDS = {
    Factor.HOSTNAME: "hostname",
    Factor.FOLDER_ORDER: "folder_order",
    Factor.TIMEZONE: "timezone",
    Factor.LOCALE: "locale",
}
# A zone in POSIX form needs no file of the image, and every image has the locale C.
_OTHER_VALUES = {Factor.HOSTNAME: "elsewhere", Factor.TIMEZONE: "MOV+11", Factor.LOCALE: "C"}
_OTHER_USER = User(uid=65534, gid=65534)  # nobody, which has a name in images as the builder has


def plan_robustness(
    loaded: LoadedRecipe, inputs: Sequence[InputFile], *, cores: int, run: str
) -> RobustnessPlan:
    """Plan the robustness rebuild of a recipe on a machine of `cores` cores.

    The varied values depend on `run` only; the core does so as well, so that concurrent runs are
    spread over all cores. Raises `RecipeError` as `make_plan` does.
    """
    build, after = loaded.recipe.build, varied_values(run)
    kept = {f: KeptReason.DECLARED for f in Factor if declares(build, f)}
    if cores < 2:
        kept[Factor.CORES] = KeptReason.ALONE
    varied = tuple(
        VariedFactor(factor=f, before=default_value(build, f) or str(cores), after=after[f])
        for f in Factor
        if f not in kept
    )
    fields = {_FIELDS[f]: after[f] for f in _OTHER_VALUES if f not in kept}
    recipe = loaded.recipe.model_copy(update={"build": build.model_copy(update=fields)})
    other = loaded.model_copy(update={"recipe": recipe})
    plan = make_plan(other, inputs, script=recipe_script(other), cores=1)
    # The time grows with the cores that the build loses, plus one: another build may use this core.
    slower = 1 + math.ceil(min(loaded.recipe.limits.cpus, cores))
    usable = sorted(os.sched_getaffinity(0))
    core = usable[int(_run_digits(run)[32:], 16) % len(usable)]
    return RobustnessPlan(
        loaded=other,
        plan=replace(
            plan,
            user=_OTHER_USER,
            limits=replace(plan.limits, seconds=plan.limits.seconds * slower),
            core=None if Factor.CORES in kept else core,
            order_seed=None if Factor.FOLDER_ORDER in kept else after[Factor.FOLDER_ORDER],
        ),
        varied=varied,
        kept=tuple(KeptFactor(factor=f, why=kept[f]) for f in Factor if f in kept),
    )


def varied_values(run: str) -> dict[Factor, str]:
    """Return the value of each factor in the robustness rebuild of a run, if it is varied."""
    return {
        **_OTHER_VALUES,
        Factor.USER: str(_OTHER_USER),
        Factor.CORES: "1",
        Factor.FOLDER_ORDER: str(uuid.UUID(_run_digits(run)[:32])),
    }


def declares(build: Build, factor: Factor) -> bool:
    """Say whether a recipe declares a factor, be it with its default value."""
    return _FIELDS.get(factor) in build.model_fields_set


def default_value(build: Build, factor: Factor) -> str | None:
    """Return the value of a factor in a judged rebuild; None if it depends on the machine."""
    match factor:
        case Factor.CORES:
            return None
        case Factor.USER:
            return str(BUILDER)
        case Factor.FOLDER_ORDER:
            return ORDER_SEED
        case _:
            return str(getattr(build, _FIELDS[factor]))


def _run_digits(run: str) -> str:
    """Return 64 hex digits that depend on the run only."""
    return Digest.of(f"elsewhere\n{run}".encode()).hex
