"""`samebits signer`: the process that holds the key for statements."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from builders.core.errors import UsageError
from pipelines.cli.options import PATH, center_option, open_session


@click.command()
@click.option(
    "--socket", "path", type=PATH, required=True, metavar="PATH", help="The socket to listen on."
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
def command(
    path: Path,
    users: tuple[str, ...],
    group: str | None,
    cache: Path | None,
    center_file: Path | None,
) -> None:
    """Sign what runs have found, after finding it again, and the center's log.

    It takes evidence on a Unix socket, reads the bytes that the evidence is about in the center's
    store, hashes and judges them itself, and refuses whatever does not agree. The center's file
    names the socket as `signer`.

    \b
    Examples:
      samebits signer --center center.yaml --socket /run/samebits/signer.sock --user samebits
    """
    from pipelines.center.keys import center_key
    from pipelines.signer.local import LocalSigner, folder_locks, log_signer
    from pipelines.signer.server import SignerServer, to_stderr
    from pipelines.storage.foldercache import FolderCache
    from pipelines.storage.opening import open_store

    session = open_session(center_file)
    center = session.center
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
