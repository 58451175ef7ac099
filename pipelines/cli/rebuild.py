"""`samebits rebuild` and `samebits reap`: a rebuild alone, and the removal of what runs left.

Both work without a scheduler and without any shipped byte.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.enums import Outcome
from builders.core.errors import EXIT_NOT_CHECKED, EngineError, UsageError
from pipelines.cli import options
from pipelines.cli.terminal import screen, show, warn

if TYPE_CHECKING:
    from builders.images.provide import ProvidedImage
    from builders.inputs.input_file import InputFile
    from pipelines.verify.session import Job, Session


@click.command()
@click.argument("recipe", type=options.RECIPE)
@options.file("--out", metavar="DIR", help="New folder for the outputs.")
@click.option("--shell", is_flag=True, help="Open a shell in the build container instead.")
@options.offline
@options.common
def rebuild(session: Session, recipe: Path, out: Path | None, *, shell: bool) -> None:
    """Rebuild one release into DIR and seal it; no shipped file is fetched or read.

    The build log is written to DIR.log. With --shell the container stays open: the inputs are in
    /inputs, the build script is /samebits/method.sh, outputs go to /out.

    \b
    Examples:
      samebits rebuild recipes/releases/debian/netbase/6.5.yaml --out /tmp/netbase
      samebits rebuild recipes/releases/debian/netbase/6.5.yaml --shell

    Exit codes: 0 built, 2 not built, 64 usage or bad recipe.
    """
    from builders.container.scratch import require_root
    from builders.rebuild.lint import check_recipe
    from pipelines.verify import steps
    from pipelines.verify.verify import job_for

    if (out is None) == (not shell):
        raise UsageError("give a folder for the outputs, or --shell", expected="--out or --shell")
    if out is not None:
        options.require_new(out, "folder")
    check_recipe(recipe, session.images, unshipped=True)
    require_root()
    session.engine.info()
    with job_for(session, recipe, unshipped=True) as job:
        with screen(session):
            inputs = steps.fetch_inputs(session, job)
            image = steps.provide_image(session, job)
            attempt = None if out is None else steps.run_rebuild(session, job, inputs, image)
        if attempt is None or out is None:
            sys.exit(_open_shell(session, job, inputs, image))
        result = attempt.rebuild
        built = result.outcome is Outcome.BUILT
        seal = steps.seal_outputs(session, job, attempt) if built else None
        log = out.with_name(f"{out.name}.log")
        _copy_results(job.attempt(attempt.number), out, log)
    document = {"run": job.run, "seal": str(seal.digest) if seal else None}
    show(
        document | result.model_dump(mode="json"),
        f"{result.outcome}{': ' + result.reason if result.reason else ''}",
        *(f"{output.sha256}  {out / output.name}  ({output.part})" for output in result.outputs),
        f"log: {log}",
    )
    sys.exit(0 if built else EXIT_NOT_CHECKED)


def _copy_results(folder: Path, out: Path, log: Path) -> None:
    """Copy outputs and log out of the folder of the run, which is removed at its end."""
    from builders.rebuild.rebuild import LOG
    from builders.rebuild.staging import OUTPUTS

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder / OUTPUTS, out)
        if (folder / LOG).is_file():
            shutil.copyfile(folder / LOG, log)
    except OSError as error:
        shutil.rmtree(out, ignore_errors=True)
        raise UsageError(f"{out} cannot be written", got=error.strerror) from error


def _open_shell(
    session: Session, job: Job, inputs: tuple[InputFile, ...], image: ProvidedImage
) -> int:
    """Run a shell in the container of the plan, with the engine's own command line client."""
    from builders.rebuild.plan import make_plan
    from builders.rebuild.staging import prepared_attempt
    from builders.recipe.claim import recipe_script

    script, cores = recipe_script(job.loaded), session.engine.info().cpus
    plan = make_plan(job.loaded, inputs, script=script, cores=cores)
    with prepared_attempt(
        plan,
        inputs,
        image=image.reference,
        vault=session.vault,
        folder=job.attempt(1),
        labels=job.labels,
        interactive=True,
    ) as (spec, _):
        warn(f"the build would run: {' '.join(plan.command[3:])}")
        with session.engine.created(spec, terminal=True) as container:
            command = ["docker", "start", "--attach", "--interactive", container]
            try:
                return subprocess.run(command, check=False).returncode
            except OSError as error:
                raise EngineError(
                    "a shell needs the engine's command line client",
                    got=error.strerror,
                    expected="docker",
                    todo="`bash infra/bootstrap.sh` installs it",
                ) from error


@click.command()
@options.common
def reap(session: Session) -> None:
    """Complete runs that were cut off after their commitment, and remove what others have left.

    A run commits to what it built in the log, before it opens what was shipped. If it was killed
    after that, it is completed from its folder: shipped files are fetched and compared, and the
    evidence is published. Of all other runs that are no longer alive containers, mounts and folders
    are removed. Living runs are never touched, so it can run at any time, also from a timer. What
    cannot be removed is told, and keeps nothing else from being removed.

    \b
    Example:
      samebits reap

    Exit codes: 0 done, 2 a run could not be completed, or something not be removed.
    """
    from pipelines.nightly.periodic import reap_center

    with screen(session):
        found = reap_center(session)
    gone = found.removed
    show(
        {
            "completed": [{"run": one.run, "verdict": str(one.verdict)} for one in found.completed],
            "uncompleted": list(found.uncompleted),
            "containers": list(gone.containers),
            "folders": list(gone.folders),
            "files": list(gone.files),
            "half_written": found.half_written,
            "failed": [vars(one) for one in gone.failed],
        },
        *(f"completed {one.run} of {one.release}: {one.verdict}" for one in found.completed),
        *(f"not completed yet: {run}" for run in found.uncompleted),
        *(f"not removed: {one.name}: {one.reason}" for one in gone.failed),
        f"removed {len(gone.containers)} containers, {len(gone.folders)} folders of runs, "
        f"{len(gone.files)} half-made files, {found.half_written} half-written objects",
    )
    sys.exit(EXIT_NOT_CHECKED if found.uncompleted or gone.failed else 0)
