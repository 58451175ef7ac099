"""A second rebuild in another environment than the judged one: it tells how firm a verdict stands.

Only what the recipe leaves undeclared is moved: what it declares is part of the claim. Nothing that
comes out of it changes a verdict.
"""

from __future__ import annotations

from builders.claim import recipe_script
from builders.errors import CancelledError, RebuildError
from builders.outputs import Part
from builders.plan import make_plan
from builders.rebuild import rebuild
from builders.rebuilt import Rebuild
from builders.recipe import LoadedRecipe
from builders.words import Outcome
from pipelines import progress, steps
from pipelines.job import Job
from pipelines.night.record import Robustness
from pipelines.report import Report

# A zone in POSIX form needs no files of the image, and every image has the locale C.
_ELSEWHERE = {"hostname": "elsewhere", "timezone": "MOV+11", "locale": "C"}
_FOLDER = "moved"


def move(loaded: LoadedRecipe) -> LoadedRecipe:
    """Return a recipe whose undeclared host name, time zone and locale are others."""
    build = loaded.recipe.build
    moved = {k: v for k, v in _ELSEWHERE.items() if k not in build.model_fields_set}
    recipe = loaded.recipe.model_copy(update={"build": build.model_copy(update=moved)})
    return loaded.model_copy(update={"recipe": recipe})


def rebuild_moved(job: Job, report: Report) -> Robustness:
    """Rebuild once more elsewhere, on one core, and compare with what `report` judged.

    Raises `CancelledError`; every other failure is FAILED.
    """
    if report.outcome is not Outcome.BUILT:
        return Robustness.FAILED
    progress.sink().step(job.release, "rebuilding in a moved environment")
    try:
        again = _rebuild(job)
    except CancelledError:
        raise
    except RebuildError:
        return Robustness.FAILED
    if again.outcome is not Outcome.BUILT:
        return Robustness.FAILED
    judged = next(a.rebuild for a in reversed(report.attempts) if a.purpose != steps.CONFIRMING)
    same = _artefacts(again) == _artefacts(judged)
    return Robustness.SAME if same else Robustness.DIFFERS


def _rebuild(job: Job) -> Rebuild:
    shop, loaded = job.shop(), move(job.loaded())
    inputs, image = steps.fetch_inputs(job), steps.provide_image(job)
    plan = make_plan(loaded, inputs, script=recipe_script(loaded), cores=1)
    with shop.budget.share(
        cpus=plan.limits.cpus, memory=plan.limits.memory, cancelled=shop.cancelled
    ):
        shop.go_on()
        return rebuild(
            loaded, plan, inputs, image=image.reference, vault=shop.vault, engine=shop.engine,
            folder=job.folder / _FOLDER, labels=job.labels(), cancelled=shop.cancelled,
        )  # fmt: skip


def _artefacts(made: Rebuild) -> dict[str, str]:
    return {o.name: str(o.sha256) for o in made.outputs if o.part is Part.ARTEFACT}
