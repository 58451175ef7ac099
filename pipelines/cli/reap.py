"""`samebits reap`: clear away what killed runs left."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import center_option, json_option, open_session, print_json


@click.command()
@json_option
@center_option
def command(as_json: bool, center_file: Path | None) -> None:
    """Remove containers, mounts and folders of runs that are no longer alive.

    Living runs are never touched, so this may run at any time, from a timer too.

    \b
    Example:
      samebits reap
    """
    from builders.build.reap import reap

    session = open_session(center_file)
    center = session.center
    gone = reap(session.engine, center.runs, session.workdir, center=center.id)
    spooled = session.store.sweep()
    if as_json:
        print_json(
            {
                "containers": list(gone.containers),
                "folders": list(gone.folders),
                "files": list(gone.files),
                "half_written": spooled,
            }
        )
    else:
        click.echo(
            f"removed {len(gone.containers)} containers, {len(gone.folders)} folders of runs, "
            f"{len(gone.files)} half-made files, {spooled} half-written objects"
        )
