"""`samebits center`: set a center up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import center_option, json_option, print_json

if TYPE_CHECKING:
    from pipelines.center import Center
    from pipelines.evidence.publickey import PublicKey


@click.group()
def command() -> None:
    """Set a center up."""


@command.command()
@json_option
@center_option
def init(as_json: bool, center_file: Path | None) -> None:
    """Make the keys of a center: for statements, for its log and as a witness.

    They are files below the center's home: `keys/<use>.key` (private, mode 0600), `<use>.pub` (PEM,
    as cosign reads it) and `<use>.json`. A key that exists is never replaced. For a use to which
    the center's file gives a key URI (`hsm:`, `gcpkms:`, `awskms:`, ...) no file is made.

    \b
    Examples:
      samebits center init
      samebits center init --center center.yaml
    """
    from pipelines.center import load_center

    center = load_center(center_file)
    keys = _make(center)
    if as_json:
        shown = {use: {"keyid": key.keyid, "keytype": key.keytype} for use, key in keys.items()}
        print_json({"center": center.id, "builder_id": center.builder_id, "keys": shown})
        return
    click.echo(f"center {center.id}, builder {center.builder_id}")
    for use, key in keys.items():
        click.echo(f"  {use:<10} {key.keytype} {key.keyid}")
    click.echo(f"public keys are in {center.key_folder}")


def _make(center: Center) -> dict[str, PublicKey]:
    """Make every key that is a file; all or none of them must be new."""
    from pipelines.evidence.errors import KeyFileError
    from pipelines.evidence.signing import KEY_NAMES, create_key
    from pipelines.signer.local import center_key

    elsewhere = {use for use, _ in center.key_sources}
    mine = [use for use in KEY_NAMES if use not in elsewhere]
    there = [use for use in mine if (center.key_folder / f"{use}.key").exists()]
    if there:
        raise KeyFileError(
            f"center {center.id} has keys already",
            got=center.key_folder / f"{there[0]}.key",
            expected="a center without keys",
            todo="Keys are never replaced: move them away if nothing was ever signed with them",
        )
    keys = {use: create_key(center.key_folder, use).public for use in mine}
    for use in elsewhere:
        keys[use] = center_key(center, use).public
    return {use: keys[use] for use in KEY_NAMES}
