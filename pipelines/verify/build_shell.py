"""A shell in the container of a build, by hand: nothing that is done in it becomes evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from builders.container.spec import ContainerSpec
from builders.images.provide import ProvidedImage
from builders.inputs.input_file import InputFile
from builders.rebuild.plan import make_plan
from builders.rebuild.rebuild import run_attempt
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.shell import open_shell
from builders.recipe.claim import recipe_script
from pipelines.verify.session import Job, Session


def open_build_shell(
    session: Session,
    job: Job,
    inputs: tuple[InputFile, ...],
    image: ProvidedImage,
    *,
    after_failure: bool,
    terminal: bool,
    greet: Callable[[RebuildResult | None], object],
) -> tuple[RebuildResult | None, int]:
    """Open a shell where the build would start, or `after_failure` where it has failed.

    The build holds its share of the machine while it runs, the shell none. Returns the result of
    the build, if it was run, and the exit code of the shell. Raises `RebuildError`.
    """
    script, cores = recipe_script(job.loaded), session.engine.info().cpus
    plan = make_plan(job.loaded, inputs, script=script, cores=cores)
    folder, cancelled = job.attempt(1), session.cancellation(job.run)

    def build(spec: ContainerSpec, mount: Path) -> RebuildResult:
        limits = plan.limits
        with session.budget.share(cpus=limits.cpus, memory=limits.memory, cancelled=cancelled):
            session.progress.step(job.release, "rebuilding")
            return run_attempt(
                job.loaded,
                plan,
                spec,
                mount,
                engine=session.engine,
                jail=session.jail,
                folder=folder,
                cancelled=cancelled,
            )

    return open_shell(
        plan,
        inputs,
        image=image.reference,
        vault=session.vault,
        engine=session.engine,
        folder=folder,
        labels=job.labels,
        terminal=terminal,
        first=build if after_failure else None,
        greet=greet,
    )
