"""`samebits rebuild` and `samebits reap`: a rebuild alone, and the removal of what runs left.

Both work without a scheduler and without any shipped byte.
"""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.enums import Outcome
from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from pipelines.cli import options
from pipelines.cli.terminal import screen, show, tell, wants_json

if TYPE_CHECKING:
    from builders.images.provide import ProvidedImage
    from builders.inputs.input_file import InputFile
    from builders.rebuild.rebuild_result import RebuildResult
    from pipelines.verify.session import Job, Session


@click.command()
@click.argument("recipe", type=options.RECIPE)
@options.file("--out", metavar="DIR", help="New folder for the outputs.")
@click.option("--shell", is_flag=True, help="Open a shell in the build container instead.")
@click.option(
    "--after-failure", is_flag=True, help="With --shell: build first, and open it if that fails."
)
@options.offline
@options.common
def rebuild(
    session: Session, recipe: Path, out: Path | None, *, shell: bool, after_failure: bool
) -> None:
    """Rebuild one release into DIR and seal it; no shipped file is fetched or read.

    The build log is written to DIR.log.

    --shell opens a shell in the container, prepared up to where the build would start, with its
    user, files, limits and confinement; only the time limit does not end a shell. Inputs are in
    /inputs, /samebits/build starts the build, outputs go to /out. With --after-failure the build
    runs first: if it fails, the shell sees the files as it left them, and its log is
    /samebits/build.log. The container is removed when the shell ends; nothing that is done in it
    becomes evidence.

    \b
    Examples:
      samebits rebuild recipes/releases/debian/netbase/6.5.yaml --out /tmp/netbase
      samebits rebuild recipes/releases/debian/netbase/6.5.yaml --shell
      samebits rebuild acme/engine/4.2.yaml --shell --after-failure

    Exit codes: 0 built, 2 not built, 64 usage or bad recipe; with --shell alone, that of the shell.
    """
    from builders.container.scratch import require_root
    from builders.rebuild.lint import check_recipe
    from pipelines.verify import steps
    from pipelines.verify.verify import job_for

    _require_possible(out, shell=shell, after_failure=after_failure)
    check_recipe(recipe, session.images, unshipped=True)
    require_root()
    session.engine.info()
    with job_for(session, recipe, unshipped=True) as job:
        with screen(session):
            inputs = steps.fetch_inputs(session, job)
            image = steps.provide_image(session, job)
            attempt = None if out is None else steps.run_rebuild(session, job, inputs, image)
        if attempt is None or out is None:
            sys.exit(_open_shell(session, job, inputs, image, after_failure=after_failure))
        result = attempt.rebuild
        built = result.outcome is Outcome.BUILT
        seal = steps.seal_outputs(session, job, attempt) if built else None
        log = copy_results(job.attempt(attempt.number), out)
    document = {"run": job.run, "seal": str(seal.digest) if seal else None}
    show(
        document | result.model_dump(mode="json"),
        f"{result.outcome}{': ' + result.reason if result.reason else ''}",
        *(f"{output.sha256}  {out / output.name}  ({output.part})" for output in result.outputs),
        f"log: {log}",
    )
    sys.exit(0 if built else EXIT_NOT_CHECKED)


def _require_possible(out: Path | None, *, shell: bool, after_failure: bool) -> None:
    """Raise `UsageError` for options that contradict each other, and a folder that exists."""
    if (out is None) == (not shell):
        raise UsageError("give a folder for the outputs, or --shell", expected="--out or --shell")
    if after_failure and not shell:
        raise UsageError("--after-failure without --shell", expected="--shell --after-failure")
    if shell and wants_json():
        raise UsageError("a shell prints no document", got="--json", expected="--shell alone")
    if out is not None:
        options.require_new(out, "folder")


def copy_results(folder: Path, out: Path) -> Path:
    """Copy outputs and log out of the folder of an attempt, which is removed; returns the log."""
    from builders.rebuild.rebuild import LOG
    from builders.rebuild.staging import OUTPUTS

    log = out.with_name(f"{out.name}.log")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder / OUTPUTS, out)
        if (folder / LOG).is_file():
            shutil.copyfile(folder / LOG, log)
    except OSError as error:
        shutil.rmtree(out, ignore_errors=True)
        raise UsageError(f"{out} cannot be written", got=error.strerror) from error
    return log


def _open_shell(
    session: Session,
    job: Job,
    inputs: tuple[InputFile, ...],
    image: ProvidedImage,
    *,
    after_failure: bool,
) -> int:
    """Open a shell; returns the exit code of the command."""
    from builders.rebuild.shell import BUILD
    from pipelines.verify.build_shell import open_build_shell

    def greet(failed: RebuildResult | None) -> None:
        tell(
            f"A shell in the build container of {job.release}; nothing done in it is evidence.",
            *([f"  {failed.outcome}: {failed.reason}"] if failed else []),
            *(["  the log is /samebits/build.log"] if failed else []),
            f"  {BUILD} starts the build; inputs are in /inputs, outputs go to /out",
            "  `exit` ends the shell, and the container is removed",
        )

    # A terminal that is closed ends the shell as Ctrl-C ends other commands: all is cleaned up.
    signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    result, code = open_build_shell(
        session,
        job,
        inputs,
        image,
        after_failure=after_failure,
        terminal=sys.stdin.isatty() and sys.stdout.isatty(),
        greet=greet,
    )
    if result is None:
        return code
    if result.outcome is Outcome.BUILT:
        tell(f"{job.release} was built, so there is no failure to look at")
        return 0
    return EXIT_NOT_CHECKED


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
