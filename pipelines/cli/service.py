"""`samebits center run|up|down|deploy|status`: the services of a center."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from builders.core.errors import UsageError
from pipelines.cli.options import (
    PATH,
    center_file_option,
    center_option,
    json_option,
    open_session,
    print_json,
    read_center,
)


@click.group()
def run() -> None:
    """Run one service of a center in the foreground, for systemd, compose or a terminal."""


@run.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@center_file_option
def server(host: str, center_file: Path | None) -> None:
    """Run the center's own Prefect server, at the port in its file.

    The API has a password, in a file of mode 0600 that is made if there is none.

    \b
    Example:
      samebits center run server --center infra/centers/europe.yaml
    """
    from pipelines.services.foreground import run_server

    run_server(read_center(center_file), host=host)


@run.command()
@click.option("--number", default=1, show_default=True, help="Which worker of this host it is.")
@center_file_option
def worker(number: int, center_file: Path | None) -> None:
    """Run a worker, which rebuilds what nights and requests ask for.

    `samebits center deploy` makes the work pool that it serves.

    \b
    Example:
      samebits center run worker --center infra/centers/europe.yaml
    """
    from pipelines.services.foreground import run_worker

    run_worker(read_center(center_file), number=number)


@run.command()
@click.option(
    "--socket",
    "path",
    type=PATH,
    metavar="PATH",
    help="The socket to listen on; by default the one in the center's file.",
)
@click.option(
    "--user", "users", multiple=True, metavar="NAME", help="Answer this user; by default oneself."
)
@click.option("--group", metavar="NAME", help="Let this group reach the socket (mode 0660).")
@click.option(
    "--cache",
    type=PATH,
    metavar="FOLDER",
    help="Remember here what is inside of inputs; only the signer's user may write there.",
)
@center_option
def signer(
    path: Path | None,
    users: tuple[str, ...],
    group: str | None,
    cache: Path | None,
    center_file: Path | None,
) -> None:
    """Run the signer: it signs findings after recomputing them, and the center's log.

    It takes evidence on a Unix socket, reads the bytes that the evidence names in the center's
    store, hashes and judges them itself, and refuses what does not agree.

    \b
    Examples:
      samebits center run signer --center center.yaml --user samebits
    """
    from pipelines.center.keys import center_key
    from pipelines.signer.local_signer import LocalSigner, folder_locks, log_signer
    from pipelines.signer.socket_server import SignerServer, to_stderr
    from pipelines.storage.caches import FolderCache
    from pipelines.storage.opening import open_store

    session = open_session(center_file)
    center = session.center
    if (path := path or center.signer) is None:
        raise UsageError(
            f"center {center.id} names no socket for its signer",
            expected="`signer:` in its file, or --socket",
        )
    key = center_key(center)
    signer = LocalSigner(
        center,
        open_store(center.store),
        key=key,
        log=log_signer(center),
        locks=folder_locks(center.recipes / "images"),
        cache=None if cache is None else FolderCache(cache),
        summaries=session.check_summary,
    )
    server = SignerServer(
        path,
        signer,
        uids=[_uid(name) for name in users] or [os.geteuid()],
        group=None if group is None else _gid(group),
    )

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        server.stop()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    to_stderr(f"center {center.id}, key {key.public.keyid}, listening on {path}")
    server.serve()
    sys.exit(0)


def _uid(name: str) -> int:
    import pwd

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise UsageError("no such user", got=name) from error


def _gid(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise UsageError("no such group", got=name) from error


@click.command()
@json_option
@center_file_option
def up(as_json: bool, center_file: Path | None) -> None:
    """Start the services of a center on this machine, and return when the center answers.

    These are a Prefect server on loopback with a password, the signer if the file names a socket,
    and workers; then the work pool and the deployments of `infra/prefect.yaml`. What runs already
    is left alone. Pid files and logs are in `standing` below the center's home. On a host with
    systemd or compose, these run the same services one by one: `samebits center run`.

    \b
    Example:
      samebits center up --center infra/centers/europe.yaml
    """
    from pipelines.services.supervisor import up as start

    center = read_center(center_file)
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
@center_file_option
def down(as_json: bool, center_file: Path | None) -> None:
    """Stop what `up` started, and nothing else.

    Rebuilds that run are ended and leave no container; their flow runs are started again after the
    next `up`.

    \b
    Example:
      samebits center down --center infra/centers/europe.yaml
    """
    from pipelines.services.supervisor import down as stop

    center = read_center(center_file)
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


@click.command()
@json_option
@center_file_option
def deploy(as_json: bool, center_file: Path | None) -> None:
    """Make the work pool and the deployments in Prefect, or bring them up to date.

    \b
    Example:
      samebits center deploy --center infra/centers/europe.yaml
    """
    from pipelines.services.deployments import apply_deployments

    center = read_center(center_file)
    made = apply_deployments(center)
    if as_json:
        print_json({"center": center.id, "deployments": list(made)})
    else:
        for name in made:
            click.echo(name)
