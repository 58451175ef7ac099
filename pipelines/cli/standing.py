"""`samebits center up|down|status`: a center that stands."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipelines.cli.options import center_option, json_option, open_session, print_json


@click.command()
@json_option
@center_option
def up(as_json: bool, center_file: Path | None) -> None:
    """Start what the center's file says is its own, and return when the center answers.

    That is a Prefect server on loopback behind a password, the signer if the file names a socket,
    and workers; then the work pool and the deployments of `infra/prefect.yaml`. What runs already
    is left alone. Processes and logs are in `standing` below the center's home.

    \b
    Example:
      samebits center up --center infra/centers/europe.yaml
    """
    from pipelines.center.center import load_center
    from pipelines.services.updown import up as start

    center = load_center(center_file)
    running = start(center, lambda what: click.echo(f"starting {what}", err=True))
    if as_json:
        found = {"url": running.url, "processes": running.pids}
        print_json({"center": center.id, **found, "deployments": list(running.deployments)})
        return
    click.echo(f"center {center.id} answers at {running.url}")
    for name, pid in sorted(running.pids.items()):
        click.echo(f"  {name:<10} pid {pid}")


@click.command()
@json_option
@center_option
def down(as_json: bool, center_file: Path | None) -> None:
    """Stop what `up` started, and nothing else.

    Rebuilds that run are ended and leave no container; their flow runs are started again after the
    next `up`.

    \b
    Example:
      samebits center down --center infra/centers/europe.yaml
    """
    from pipelines.center.center import load_center
    from pipelines.services.updown import down as stop

    center = load_center(center_file)
    stopped = stop(center, lambda what: click.echo(f"stopping {what}", err=True))
    if as_json:
        print_json({"center": center.id, "stopped": list(stopped)})
    else:
        click.echo(f"center {center.id}: stopped {', '.join(stopped) or 'nothing'}")


@click.command()
@json_option
@center_option
def status(as_json: bool, center_file: Path | None) -> None:
    """Say what runs, what waits, and when the last night and the next one are.

    \b
    Examples:
      samebits center status --center infra/centers/europe.yaml
      samebits center status --json --center infra/centers/europe.yaml

    Exit codes: 0 the center answers and everything could be read, 2 otherwise.
    """
    from datetime import UTC, datetime

    from builders.core.errors import EXIT_NOT_CHECKED
    from pipelines.services.status import status as look

    found = look(open_session(center_file), now=datetime.now(UTC))
    if as_json:
        print_json(found.to_dict())
    else:
        for line in found.lines():
            click.echo(line)
    sys.exit(0 if found.answers and not found.faults else EXIT_NOT_CHECKED)
