"""`samebits vault`: inputs that travel, to centers without a network and to new ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import UsageError
from pipelines.cli.options import PATH, center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from builders.inputs.vault_archive import TransferStatus
    from pipelines.verify.session import Session
    from pipelines.verify.supplies import Supplies


@click.group()
def command() -> None:
    """Take inputs in, and carry them between centers."""


@command.command("export")
@click.argument("file", type=PATH)
@click.argument("recipes", nargs=-1, type=PATH, metavar="[RECIPE...]")
@json_option
@center_option
def export_(file: Path, recipes: tuple[Path, ...], as_json: bool, center_file: Path | None) -> None:
    """Write inputs to FILE: all that the vault holds, or what the RECIPEs and their images need.

    What a named recipe needs and the vault lacks is fetched first. That includes the image in which
    a declared clock is compiled, and the one in which differences are explained.

    \b
    Examples:
      samebits vault export inputs.tar
      samebits vault export netbase.tar recipes/releases/debian/netbase/6.5.yaml
    """
    from builders.inputs.vault_archive import export_vault

    session = open_session(center_file)
    needed = _needed(recipes, session) if recipes else None
    carried = export_vault(session.vault, needed.digests if needed else None, file)
    _show("exported", carried, file, needed.files if needed else (), as_json=as_json)


@command.command("import")
@click.argument("file", type=PATH)
@json_option
@center_option
def import_(file: Path, as_json: bool, center_file: Path | None) -> None:
    """Take the inputs of FILE into the vault; each is checked against its digest.

    \b
    Example:
      samebits vault import inputs.tar
    """
    from builders.inputs import vault_archive

    session = open_session(center_file)
    session.workdir.mkdir(parents=True, exist_ok=True)
    taken = vault_archive.import_vault(session.vault, file, scratch=session.workdir)
    _show("imported", taken, file, as_json=as_json)


@command.command()
@click.argument("file", type=PATH)
@json_option
@center_option
def add(file: Path, as_json: bool, center_file: Path | None) -> None:
    """Take FILE into the vault, and print its digest and the locator that a recipe names it by.

    For source that exists nowhere else: a `vault:` locator is never fetched.

    \b
    Example:
      samebits vault add engine-4.2.tar
    """
    from builders.core.digest import digest_file
    from builders.locators.locator import vault_locator

    try:
        locator = vault_locator(file.name)
        if not file.is_file():
            raise UsageError(f"{file} cannot be taken in", expected="a regular file")
        digest = digest_file(file)
    except ValueError as error:
        raise UsageError(f"{file} has no name for a locator", got=error) from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read", got=error.strerror) from error
    open_session(center_file).vault.add(file, digest, what=file.name)
    if as_json:
        print_json({"file": str(file), "sha256": str(digest), "locator": str(locator)})
    else:
        click.echo(f"locator: {locator}\nsha256: {digest}")


def _needed(recipes: tuple[Path, ...], session: Session) -> Supplies:
    """Stock and list everything that the rebuild and the judgement of the recipes read."""
    from pipelines.cli.lint import check_recipe
    from pipelines.verify.supplies import Supplies, supplies_of

    found = [supplies_of(check_recipe(path, session.images), session) for path in recipes]
    return Supplies(
        digests=frozenset().union(*(one.digests for one in found)),
        files=tuple(dict.fromkeys(path for one in found for path in one.files)),
    )


def _show(
    verb: str, carried: TransferStatus, file: Path, beside: tuple[Path, ...] = (), *, as_json: bool
) -> None:
    if as_json:
        print_json(
            {
                "file": str(file),
                "inputs": carried.done,
                "already_held": carried.held,
                "bytes": carried.copied,
                "carry_too": [str(path) for path in beside],
            }
        )
    else:
        click.echo(
            f"{verb} {carried.done} inputs, {carried.copied} bytes"
            f"{f', {carried.held} already held' if carried.held else ''}: {file}"
        )
        for path in beside:
            click.echo(f"carry too, to recipes/images there: {path}", err=True)
