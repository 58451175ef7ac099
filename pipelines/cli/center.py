"""`samebits center`: set a center up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import center_option, json_option, print_json, read_center
from pipelines.cli.service import deploy, down, run, status, up

if TYPE_CHECKING:
    from pipelines.center.center import Center
    from pipelines.evidence.publickey import PublicKey


@click.group()
def command() -> None:
    """Set a center up, run its services, and show their state."""


for _one in (run, up, down, deploy, status):
    command.add_command(_one)


@command.command()
@json_option
@center_option
def init(as_json: bool, center_file: Path | None) -> None:
    """Make the keys of a center, and a policy that trusts them.

    Keys are for statements, for its log and as a witness: files below the center's home,
    `keys/<use>.key` (private, mode 0600), `<use>.pub` (PEM, as cosign reads it) and `<use>.json`. A
    key that exists is never replaced. For a use to which the center's file gives a key URI (`hsm:`,
    `gcpkms:`, `awskms:`, ...) no file is made.

    The policy, of one operator with a key of its own, is `policy/policy.yaml` below the home, and
    signed `policy.dsse.json`. It is not made for a center whose file names another policy.

    \b
    Examples:
      samebits center init
      samebits center init --center center.yaml
    """
    from pipelines.services.secrets import make_auth

    center = read_center(center_file)
    keys = _make(center)
    policy = _policy(center)
    make_auth(center)
    if as_json:
        shown = {use: {"keyid": key.keyid, "keytype": key.keytype} for use, key in keys.items()}
        made = {"policy": str(policy) if policy else None}
        print_json({"center": center.id, "builder_id": center.builder_id, "keys": shown, **made})
        return
    click.echo(f"center {center.id}, builder {center.builder_id}")
    for use, key in keys.items():
        click.echo(f"  {use:<10} {key.keytype} {key.keyid}")
    click.echo(f"public keys are in {center.key_folder}")
    if policy:
        click.echo(f"the signed policy is {policy}; it counts for one year")


def _make(center: Center) -> dict[str, PublicKey]:
    """Make every key that is a file; all of them must be new, or all there and the policy not."""
    from pipelines.center.keys import center_key
    from pipelines.center.local_policy import local_policy_file
    from pipelines.evidence.errors import KeyFileError
    from pipelines.evidence.privatekey import KEY_USES, create_key, load_key

    elsewhere = {use for use, _ in center.key_sources}
    mine = [use for use in KEY_USES if use not in elsewhere]
    there = [use for use in mine if (center.key_folder / f"{use}.key").exists()]
    half_done = _own_policy(center) and not local_policy_file(center.home).exists()
    if there and not (half_done and there == mine):
        raise KeyFileError(
            f"center {center.id} has keys already",
            got=center.key_folder / f"{there[0]}.key",
            expected="a center without keys",
            todo="Keys are never replaced: move them away if nothing was ever signed with them",
        )
    open_ = load_key if there else create_key
    keys = {use: open_(center.key_folder, use).public for use in mine}
    for use in elsewhere:
        keys[use] = center_key(center, use).public
    return {use: keys[use] for use in KEY_USES}


def _policy(center: Center) -> Path | None:
    from pipelines.center.local_policy import make_local_policy

    return make_local_policy(center) if _own_policy(center) else None


def _own_policy(center: Center) -> bool:
    """Say whether the policy is the center's own, and not one that its file names elsewhere."""
    from pipelines.center.local_policy import local_policy_file

    own = local_policy_file(center.home)
    return center.policy is None or center.policy.absolute() == own.absolute()
