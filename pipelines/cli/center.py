"""`samebits center`: set a center up, run its services, and show their state."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import UsageError
from pipelines.cli import center_keys, options, upkeep
from pipelines.cli.status import status
from pipelines.cli.terminal import show, tell

if TYPE_CHECKING:
    from pipelines.center.center import Center
    from pipelines.evidence.publickey import PublicKey
    from pipelines.verify.session import Session


@click.group(cls=options.Group)
def command() -> None:
    """Set a center up, run its services, and show their state."""


for _one in (status, *upkeep.COMMANDS, *center_keys.COMMANDS):
    command.add_command(_one)


@command.command()
@options.json
@options.center_file
def up(center: Center) -> None:
    """Start the services of a center on this machine, and return when the center answers.

    These are PostgreSQL where it is installed, a Prefect server on loopback with a password, the
    signer if the file names a socket, and workers; then the work pool and the deployments of
    `infra/prefect.yaml`. Services that run already are not touched. Pid files and logs are in
    `standing` below the center's home. On a host with systemd or compose, these run the same
    services one by one: `samebits center run`.

    \b
    Example:
      samebits center up --center infra/centers/europe.yaml
    """
    from pipelines.services import supervisor

    made = supervisor.up(center, lambda what: tell(f"starting {what}"))
    url, pids = center.prefect.url if center.prefect else "", supervisor.pids(center)
    show(
        {"center": center.id, "url": url, "processes": pids, "deployments": list(made)},
        f"center {center.id} answers at {url}",
        *(f"  {name:<10} pid {pid}" for name, pid in sorted(pids.items())),
    )


@command.command()
@options.json
@options.center_file
def down(center: Center) -> None:
    """Stop what `up` started, and nothing else.

    Rebuilds that run are ended and leave no container; their flow runs are started again after the
    next `up`.

    \b
    Example:
      samebits center down --center infra/centers/europe.yaml
    """
    from pipelines.services import supervisor

    stopped = supervisor.down(center, lambda what: tell(f"stopping {what}"))
    show(
        {"center": center.id, "stopped": list(stopped)},
        f"center {center.id}: stopped {', '.join(stopped) or 'nothing'}",
    )


@command.command()
@options.json
@options.center_file
def deploy(center: Center) -> None:
    """Make the work pool and the deployments in Prefect, or update them.

    \b
    Example:
      samebits center deploy --center infra/centers/europe.yaml
    """
    from pipelines.services.prefect_api import apply_deployments

    made = apply_deployments(center)
    show({"center": center.id, "deployments": list(made)}, *made)


@command.command()
@options.common
def init(session: Session) -> None:
    """Make the keys of a center, and a policy that trusts them.

    There is a key for statements, one for the log and one as a witness. Each is three files below
    the center's home: `keys/<use>.key` (private, mode 0600), `<use>.pub` (PEM, as cosign reads it)
    and `<use>.json`. An existing key is never replaced.

    A use for which the center's file has a key URI gets no file. A key in a PKCS#11 token is made
    there (`pkcs11:`), unless the token has one of that name, and its public part is written to the
    file that `public` names. A key elsewhere (`gcpkms:`, `awskms:`, ...) has to be there.

    The policy, of one operator with its own key, is `policy/policy.yaml` below the home, and signed
    `policy.dsse.json`. It is not made for a center whose file names another policy.

    \b
    Examples:
      samebits center init
      samebits center init --center center.yaml
    """
    from pipelines.center.file import local_policy_file
    from pipelines.center.keys import make_local_policy
    from pipelines.services.environment import make_auth

    center, own = session.center, local_policy_file(session.center.home)
    has_own = center.policy == own
    keys = _make_keys(center, half_done=has_own and not own.exists())
    policy = make_local_policy(center) if has_own else None
    make_auth(center)
    lines = [f"center {center.id}, builder {center.builder_id}"]
    lines += [f"  {use:<10} {key.keytype} {key.keyid}" for use, key in keys.items()]
    lines.append(f"public keys are in {center.key_folder}")
    if policy:
        lines.append(f"the signed policy is {policy}; it is valid for one year")
    show(
        {
            "center": center.id,
            "builder_id": center.builder_id,
            "keys": {u: {"keyid": k.keyid, "keytype": k.keytype} for u, k in keys.items()},
            "policy": str(policy) if policy else None,
        },
        *lines,
    )


def _make_keys(center: Center, *, half_done: bool) -> dict[str, PublicKey]:
    """Make every key that is a file: all must be new, or all exist in a center `half_done`."""
    from pipelines.center.keys import key_elsewhere
    from pipelines.evidence.errors import KeyFileError
    from pipelines.evidence.privatekey import KEY_USES, create_key, load_key

    elsewhere = center.key_sources
    mine = [use for use in KEY_USES if use not in elsewhere]
    existing = [use for use in mine if (center.key_folder / f"{use}.key").exists()]
    if mine and not existing and (center.key_folder / "log").exists():
        raise KeyFileError(
            f"center {center.id} has a log, and its keys are missing",
            got=f"no private key in {center.key_folder}",
            expected="the keys that the log was signed with",
            todo="Put them back from their copy; another center needs another home",
        )
    if existing and not (half_done and existing == mine):
        raise KeyFileError(
            f"center {center.id} has keys already",
            got=center.key_folder / f"{existing[0]}.key",
            expected="a center without keys",
            todo="Keys are never replaced: move them away if nothing was ever signed with them",
        )
    make = load_key if existing else create_key
    keys = {use: make(center.key_folder, use).public for use in mine}
    keys |= {use: key_elsewhere(center, use).public for use in elsewhere}
    return {use: keys[use] for use in KEY_USES}


@command.group()
def run() -> None:
    """Run one service of a center in the foreground, for systemd, compose or a terminal."""


@run.command()
@options.center_file
def database(center: Center) -> None:
    """Run the center's own PostgreSQL, for a center whose Prefect uses one.

    The database is made when it is missing, in `standing/postgresql` below the center's home. It
    listens at a socket there, and at no port.

    \b
    Example:
      samebits center run database --center infra/centers/europe.yaml
    """
    from pipelines.services.environment import run_database

    run_database(center)


@run.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@options.center_file
def server(center: Center, host: str) -> None:
    """Run the center's own Prefect server, at the port in its file.

    The API has a password, in a file of mode 0600. The file is made if it is missing.

    \b
    Example:
      samebits center run server --center infra/centers/europe.yaml
    """
    from pipelines.services.environment import run_server

    run_server(center, host=host)


@run.command()
@click.option("--number", default=1, show_default=True, help="Number of the worker on this host.")
@options.center_file
def worker(center: Center, number: int) -> None:
    """Run a worker, which does the rebuilds of nights and requests.

    It serves the work pool that `samebits center deploy` makes.

    \b
    Example:
      samebits center run worker --center infra/centers/europe.yaml
    """
    from pipelines.services.environment import run_worker

    run_worker(center, number=number)


def signer_says(line: str) -> None:
    """Print a message of the signer on stderr."""
    tell(f"signer: {line}")


@run.command()
@options.file(
    "--socket",
    "path",
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
@options.file(
    "--cache",
    metavar="FOLDER",
    help="Cache for the contents of inputs; only the signer's user may write there.",
)
@options.center
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
    from pipelines.center.keys import center_key
    from pipelines.center.reload import CenterReader
    from pipelines.signer.local_signer import LocalSigner, log_signer
    from pipelines.signer.renewed import RenewedSigner
    from pipelines.signer.socket_server import SignerServer
    from pipelines.storage.files import FolderCache
    from pipelines.storage.opening import open_store

    center = session.center
    if (path := path or center.signer) is None:
        raise UsageError(
            f"center {center.id} has no socket for its signer",
            expected="`signer:` in its file, or --socket",
        )

    def make(now: Center) -> LocalSigner:
        return LocalSigner(
            now,
            open_store(now.store),
            key=center_key(now),
            log=log_signer(now),
            jail=session.jail,
            cache=None if cache is None else FolderCache(cache),
            summaries=(renewed := session.renewed(now)).check_summary,
            is_logged=renewed.is_logged,
            former_keys=lambda: renewed.statement_keys,
        )

    key = center_key(center)
    signer = RenewedSigner(CenterReader(center).current, make, signer_says)
    server = SignerServer(
        path,
        signer,
        uids=[_id_of("user", pwd.getpwnam, name) for name in users] or [os.geteuid()],
        group=None if group is None else _id_of("group", grp.getgrnam, group),
        log=signer_says,
    )

    def end(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signer_says(f"center {center.id}, key {key.public.keyid}, listening on {path}")
    server.serve()
    sys.exit(0)


def _id_of(what: str, find: Callable[[str], Any], name: str) -> int:
    """Return the number of a user or group; raises `UsageError` when there is none."""
    try:
        return int(find(name)[2])
    except KeyError as error:
        raise UsageError(f"no such {what}", got=name) from error
