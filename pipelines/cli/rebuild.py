"""`samebits rebuild`: a rebuild alone, without a scheduler and without any shipped byte."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, EngineError, UsageError
from pipelines.cli.options import PATH, center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from builders.images.provide import ProvidedImage
    from builders.inputs.input_file import InputFile
    from pipelines.evidence.report import Attempt
    from pipelines.verify.job import Job
    from pipelines.verify.session import Session


@click.command()
@click.argument("recipe", type=PATH)
@click.option("--out", type=PATH, metavar="DIR", help="New folder for the outputs and the log.")
@click.option("--shell", is_flag=True, help="Open a shell where the build would run, instead.")
@json_option
@center_option
def command(
    recipe: Path, out: Path | None, shell: bool, as_json: bool, center_file: Path | None
) -> None:
    """Rebuild one release into DIR and seal it; no shipped file is fetched or looked at.

    The build log is left as DIR.log. With --shell the container stays open for a person: the inputs
    are in /inputs, the build script is /samebits/method.sh, outputs go to /out.

    \b
    Examples:
      samebits rebuild recipes/releases/debian/netbase/6.5.yaml --out /tmp/netbase
      samebits rebuild recipes/releases/debian/netbase/6.5.yaml --shell

    Exit codes: 0 built, 2 not built, 64 usage or bad recipe.
    """
    from builders.container.scratch import require_root
    from builders.core.enums import Outcome
    from pipelines.cli.lint import check_recipe
    from pipelines.cli.terminal import screen
    from pipelines.verify import steps
    from pipelines.verify.verify import job_for

    if (out is None) == (not shell):
        raise UsageError(
            "say where the outputs go, or ask for a shell", expected="--out or --shell"
        )
    if out is not None and out.exists():
        raise UsageError(f"{out} exists", expected="a new folder", todo="Choose another --out")
    session = open_session(center_file)
    check_recipe(recipe, session.images)
    require_root()
    session.engine.info()
    with job_for(session, recipe) as job:
        with screen() as sink:
            session.progress = sink
            inputs = steps.fetch_inputs(session, job)
            image = steps.provide_image(session, job)
            attempt = None if shell else steps.run_rebuild(session, job, inputs, image)
        if attempt is None:
            sys.exit(_open_shell(session, job, inputs, image))
        built = attempt.rebuild.outcome is Outcome.BUILT
        seal = steps.seal_outputs(session, job, attempt) if built else None
        _hand_over(job, attempt, _given(out))
    result = {
        "run": job.run,
        "seal": str(seal.digest) if seal else None,
        **attempt.rebuild.model_dump(mode="json"),
    }
    if as_json:
        print_json(result)
    else:
        _show(attempt, _given(out))
    sys.exit(0 if built else EXIT_NOT_CHECKED)


def _given(out: Path | None) -> Path:
    if out is None:
        message = "no output folder"
        raise ValueError(message)
    return out


def _hand_over(job: Job, attempt: Attempt, out: Path) -> None:
    """Move outputs and log out of the folder of the run, before that is cleared away."""
    import shutil

    from builders.build.rebuild import LOG
    from builders.build.staging import OUTPUTS

    folder = job.attempt(attempt.number)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder / OUTPUTS, out)
        if (folder / LOG).is_file():
            shutil.copyfile(folder / LOG, out.with_name(f"{out.name}.log"))
    except OSError as error:
        shutil.rmtree(out, ignore_errors=True)
        raise UsageError(f"{out} cannot be written", got=error.strerror) from error


def _show(attempt: Attempt, out: Path) -> None:
    result = attempt.rebuild
    click.echo(f"{result.outcome}{': ' + result.reason if result.reason else ''}")
    for output in result.outputs:
        click.echo(f"{output.sha256}  {out / output.name}  ({output.part})")
    click.echo(f"log: {out.with_name(out.name + '.log')}")


def _open_shell(
    session: Session, job: Job, inputs: tuple[InputFile, ...], image: ProvidedImage
) -> int:
    """Run a shell in the container of the plan, with the engine's own command line client."""
    import subprocess

    from builders.build.plan import make_plan
    from builders.build.staging import prepared_attempt
    from builders.recipe.claim import recipe_script

    loaded = job.loaded
    plan = make_plan(loaded, inputs, script=recipe_script(loaded), cores=session.engine.info().cpus)
    with prepared_attempt(
        plan,
        inputs,
        image=image.reference,
        vault=session.vault,
        folder=job.attempt(1),
        labels=job.labels,
        interactive=True,
    ) as (spec, _):
        click.echo(f"samebits: the build would run: {' '.join(plan.command[3:])}", err=True)
        with session.engine.created(spec, terminal=True) as container:
            try:
                return subprocess.run(
                    ["docker", "start", "--attach", "--interactive", container],  # noqa: S607
                    check=False,
                ).returncode
            except OSError as error:
                raise EngineError(
                    "a shell needs the engine's command line client",
                    got=error.strerror,
                    expected="docker",
                    todo="`bash infra/bootstrap.sh` installs it",
                ) from error
