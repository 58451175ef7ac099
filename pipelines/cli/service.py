"""`samebits center run`: one service of a center in the foreground."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from builders.core.errors import UsageError
from pipelines.center.center import Center
from pipelines.center.keys import center_key
from pipelines.cli.options import PATH, center_file_option, center_option
from pipelines.services.foreground import run_server, run_worker
from pipelines.signer.local_signer import LocalSigner, folder_locks, log_signer
from pipelines.signer.socket_server import SignerServer, to_stderr
from pipelines.storage.caches import FolderCache
from pipelines.storage.opening import open_store
from pipelines.verify.session import Session


@click.group()
def run() -> None:
    """Run one service of a center in the foreground, for systemd, compose or a terminal."""


@run.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@center_file_option
def server(center: Center, host: str) -> None:
    """Run the center's own Prefect server, at the port in its file.

    The API has a password, in a file of mode 0600. The file is made if it is missing.

    \b
    Example:
      samebits center run server --center infra/centers/europe.yaml
    """
    run_server(center, host=host)


@run.command()
@click.option("--number", default=1, show_default=True, help="Number of the worker on this host.")
@center_file_option
def worker(center: Center, number: int) -> None:
    """Run a worker, which does the rebuilds of nights and requests.

    It serves the work pool that `samebits center deploy` makes.

    \b
    Example:
      samebits center run worker --center infra/centers/europe.yaml
    """
    run_worker(center, number=number)


@run.command()
@click.option(
    "--socket",
    "path",
    type=PATH,
    metavar="PATH",
    help="The socket to listen on; by default the one in the center's file.",
)
@click.option(
    "--user",
    "users",
    multiple=True,
    metavar="NAME",
    help="Serve this user; by default only your own.",
)
@click.option("--group", metavar="NAME", help="Let this group reach the socket (mode 0660).")
@click.option(
    "--cache",
    type=PATH,
    metavar="FOLDER",
    help="Cache for the contents of inputs; only the signer's user may write there.",
)
@center_option
def signer(
    session: Session,
    path: Path | None,
    users: tuple[str, ...],
    group: str | None,
    cache: Path | None,
) -> None:
    """Run the signer: it signs findings after recomputing them, and the center's log.

    It receives evidence on a Unix socket, reads the bytes that the evidence names from the center's
    store, hashes and judges them itself, and refuses evidence that does not agree.

    \b
    Examples:
      samebits center run signer --center center.yaml --user samebits
    """
    center = session.center
    if (path := path or center.signer) is None:
        raise UsageError(
            f"center {center.id} has no socket for its signer",
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
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise UsageError("no such user", got=name) from error


def _gid(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise UsageError("no such group", got=name) from error
