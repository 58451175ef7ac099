"""`samebits center`: set a center up, run its services, and show their state."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.center.center import Center
from pipelines.center.keys import center_key, local_policy_file, make_local_policy
from pipelines.cli.options import center_file_option, common_options, json_option, show
from pipelines.cli.service import run
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.privatekey import KEY_USES, create_key, load_key
from pipelines.evidence.publickey import PublicKey
from pipelines.services import supervisor
from pipelines.services.deployments import apply_deployments
from pipelines.services.secrets import make_auth
from pipelines.services.status import status as read_status
from pipelines.verify.session import Session


@click.group()
def command() -> None:
    """Set a center up, run its services, and show their state."""


command.add_command(run)


@command.command()
@json_option
@center_file_option
def up(center: Center) -> None:
    """Start the services of a center on this machine, and return when the center answers.

    These are a Prefect server on loopback with a password, the signer if the file names a socket,
    and workers; then the work pool and the deployments of `infra/prefect.yaml`. Services that run
    already are not touched. Pid files and logs are in `standing` below the center's home. On a host
    with systemd or compose, these run the same services one by one: `samebits center run`.

    \b
    Example:
      samebits center up --center infra/centers/europe.yaml
    """
    running = supervisor.up(center, lambda what: click.echo(f"starting {what}", err=True))
    document = {"center": center.id, "url": running.url, "processes": running.pids}
    show(
        {**document, "deployments": list(running.deployments)},
        f"center {center.id} answers at {running.url}",
        *(f"  {name:<10} pid {pid}" for name, pid in sorted(running.pids.items())),
    )


@command.command()
@json_option
@center_file_option
def down(center: Center) -> None:
    """Stop what `up` started, and nothing else.

    Rebuilds that run are ended and leave no container; their flow runs are started again after the
    next `up`.

    \b
    Example:
      samebits center down --center infra/centers/europe.yaml
    """
    stopped = supervisor.down(center, lambda what: click.echo(f"stopping {what}", err=True))
    show(
        {"center": center.id, "stopped": list(stopped)},
        f"center {center.id}: stopped {', '.join(stopped) or 'nothing'}",
    )


@command.command()
@json_option
@center_file_option
def deploy(center: Center) -> None:
    """Make the work pool and the deployments in Prefect, or update them.

    \b
    Example:
      samebits center deploy --center infra/centers/europe.yaml
    """
    made = apply_deployments(center)
    show({"center": center.id, "deployments": list(made)}, *made)


@command.command()
@common_options
def status(session: Session) -> None:
    """Show the services, the queue, and the last and the next night.

    \b
    Examples:
      samebits center status --center infra/centers/europe.yaml
      samebits center status --json --center infra/centers/europe.yaml

    Exit codes: 0 the center answers and everything could be read, 2 otherwise.
    """
    found = read_status(session, now=datetime.now(UTC))
    show(found.to_dict(), *found.lines())
    sys.exit(0 if found.answers and not found.faults else EXIT_NOT_CHECKED)


@command.command()
@common_options
def init(session: Session) -> None:
    """Make the keys of a center, and a policy that trusts them.

    There is a key for statements, one for the log and one as a witness. Each is three files below
    the center's home: `keys/<use>.key` (private, mode 0600), `<use>.pub` (PEM, as cosign reads it)
    and `<use>.json`. An existing key is never replaced. A use for which the center's file has a key
    URI (`hsm:`, `gcpkms:`, `awskms:`, ...) gets no file.

    The policy, of one operator with its own key, is `policy/policy.yaml` below the home, and signed
    `policy.dsse.json`. It is not made for a center whose file names another policy.

    \b
    Examples:
      samebits center init
      samebits center init --center center.yaml
    """
    center = session.center
    keys = _make_keys(center)
    policy = make_local_policy(center) if _has_own_policy(center) else None
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


def _make_keys(center: Center) -> dict[str, PublicKey]:
    """Make every key that is a file: all must be new, or all must exist and the policy must not."""
    elsewhere = center.key_sources
    mine = [use for use in KEY_USES if use not in elsewhere]
    existing = [use for use in mine if (center.key_folder / f"{use}.key").exists()]
    half_done = _has_own_policy(center) and not local_policy_file(center.home).exists()
    if existing and not (half_done and existing == mine):
        raise KeyFileError(
            f"center {center.id} has keys already",
            got=center.key_folder / f"{existing[0]}.key",
            expected="a center without keys",
            todo="Keys are never replaced: move them away if nothing was ever signed with them",
        )
    make = load_key if existing else create_key
    keys = {use: make(center.key_folder, use).public for use in mine}
    keys |= {use: center_key(center, use).public for use in elsewhere}
    return {use: keys[use] for use in KEY_USES}


def _has_own_policy(center: Center) -> bool:
    """Return whether the policy is the center's own, and not one that its file names elsewhere."""
    own = local_policy_file(center.home)
    return center.policy is None or center.policy.absolute() == own.absolute()
