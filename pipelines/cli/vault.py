"""`samebits vault`: inputs, and their transfer to other centers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import UsageError
from pipelines.cli.options import PATH, common_options, file_errors, show, wants_json

if TYPE_CHECKING:
    from builders.inputs.vault_archive import TransferStatus
    from pipelines.verify.session import Session


@click.group()
def command() -> None:
    """Add inputs, and transfer them between centers."""


@command.command("export")
@click.argument("file", type=PATH)
@click.argument("recipes", nargs=-1, type=PATH, metavar="[RECIPE...]")
@common_options
def export_(session: Session, file: Path, recipes: tuple[Path, ...]) -> None:
    """Write inputs to FILE: all that the vault holds, or what the RECIPEs and their images need.

    What a recipe needs and the vault lacks is fetched first. That includes the image in which a
    declared clock is compiled, and the image in which differences are explained.

    \b
    Examples:
      samebits vault export inputs.tar
      samebits vault export netbase.tar recipes/releases/debian/netbase/6.5.yaml
    """
    from builders.inputs.vault_archive import export_vault
    from builders.rebuild.lint import check_recipe
    from pipelines.verify.supplies import supplies_of

    needed = [supplies_of(check_recipe(path, session.images), session) for path in recipes]
    digests = frozenset().union(*(one.digests for one in needed)) if recipes else None
    status = export_vault(session.vault, digests, file)
    _show_transfer("exported", status, file, dict.fromkeys(p for s in needed for p in s.files))


@command.command("import")
@click.argument("file", type=PATH)
@common_options
def import_(session: Session, file: Path) -> None:
    """Copy the inputs of FILE into the vault; each is checked against its digest.

    \b
    Example:
      samebits vault import inputs.tar
    """
    from builders.inputs.vault_archive import import_vault

    session.workdir.mkdir(parents=True, exist_ok=True)
    status = import_vault(session.vault, file, scratch=session.workdir)
    _show_transfer("imported", status, file, ())


@command.command()
@click.argument("file", type=PATH)
@common_options
def add(session: Session, file: Path) -> None:
    """Add FILE to the vault, and print its digest and its locator for a recipe.

    This is for source that is published nowhere: a `vault:` locator is never fetched.

    \b
    Example:
      samebits vault add engine-4.2.tar
    """
    from builders.core.digest import digest_file
    from builders.locators.locator import vault_locator

    try:
        locator = vault_locator(file.name)
    except ValueError as error:
        raise UsageError(f"{file} has no name for a locator", got=error) from error
    with file_errors(file):
        if not file.is_file():
            raise UsageError(f"{file} cannot be added", expected="a regular file")
        digest = digest_file(file)
    session.vault.add(file, digest, what=file.name)
    show(
        {"file": str(file), "sha256": str(digest), "locator": str(locator)},
        f"locator: {locator}\nsha256: {digest}",
    )


def _show_transfer(verb: str, status: TransferStatus, file: Path, more: Iterable[Path]) -> None:
    """Show what was copied, and `more`: files of images that the other center needs too."""
    held = f", {status.held} already held" if status.held else ""
    show(
        {
            "file": str(file),
            "inputs": status.done,
            "already_held": status.held,
            "bytes": status.copied,
            "carry_too": [str(path) for path in more],
        },
        f"{verb} {status.done} inputs, {status.copied} bytes{held}: {file}",
    )
    for path in () if wants_json() else more:
        click.echo(f"copy too, to recipes/images there: {path}", err=True)
