"""`samebits image` and `samebits vault`: what rebuilds read, builder images and pinned inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import UsageError
from pipelines.cli import options
from pipelines.cli.layout import short, table
from pipelines.cli.terminal import counted, show, tell, wants_json

if TYPE_CHECKING:
    from builders.inputs.vault_archive import TransferStatus
    from pipelines.verify.session import Session


@click.group(cls=options.Group)
def image() -> None:
    """Lock, build and check builder images."""


@image.command()
@click.argument("name")
@click.option("--refresh", is_flag=True, help="Replace an existing lock.")
@options.common
def lock(session: Session, name: str, *, refresh: bool) -> None:
    """Resolve a definition, build it, and write its lock; shows what changes.

    \b
    Examples:
      samebits image lock differ
      samebits image lock differ --refresh
    """
    images = session.images
    images.definition(name)
    if images.has_lock(name) and not refresh:
        raise UsageError(
            f"image {name} has a lock already",
            todo="Use --refresh to replace it, and review the changes",
        )
    with tempfile.TemporaryDirectory(dir=_workdir(session), prefix="lock-") as folder:
        made = images.lock_new(name, Path(folder), _counter(name))
    changes = None if made.changes is None else [str(change) for change in made.changes]
    config = made.lock.image.config
    show(
        {"image": name, "config": str(config), "changes": changes},
        f"{name}: config digest {config}",
        *(f"  {change}" for change in changes or []),
    )


@image.command()
@click.argument("name")
@options.file("--out", help="Write a tar to FILE, and load nothing.")
@options.common
def build(session: Session, name: str, out: Path | None) -> None:
    """Build an image from its lock and load it into the engine, or write it to a tar.

    The tar is an OCI layout and a docker-archive at once.

    \b
    Examples:
      samebits image build debian-trixie-build
      samebits image build debian-trixie-build --out image.tar
    """
    from builders.images.provide import ensure_image

    images = session.images
    config = images.lock(name).image.config
    if out is None:
        ensure_image(name, images, session.engine, _workdir(session), _counter(name))
    else:
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".image-") as folder:
            images.build(name, Path(folder), _counter(name)).tar.replace(out)
    show(
        {"image": name, "config": str(config), "file": str(out) if out else None},
        f"{name}: config digest {config}, as locked",
    )


@image.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@options.common
def check(session: Session, names: tuple[str, ...]) -> None:
    """Rebuild images from their locks and compare the digests; all images without a NAME.

    \b
    Example:
      samebits image check
    """
    rows = []
    for name in names or session.images.names():
        config = session.images.check(name, _counter(name)).image.config
        rows.append({"image": name, "config": str(config)})
        if not wants_json():  # a line as soon as it is known: each takes minutes
            show(rows[-1], f"{name}: config digest {config}, as locked")
    show({"images": rows})


def _workdir(session: Session) -> Path:
    session.workdir.mkdir(parents=True, exist_ok=True)
    return session.workdir


def _counter(name: str) -> Callable[[int, int, str], None]:
    """Return a function that prints a line for every tenth of a long count."""
    shown = -1

    def count(done: int, total: int, what: str) -> None:
        nonlocal shown
        part = done * 10 // total if total else -1
        if part != shown or not total:
            shown = part
            tell(f"{name}: {what}{f' ({done}/{total})' if total else ''}")

    return count


@click.group(cls=options.Group)
def vault() -> None:
    """List and add inputs, and transfer them between centers."""


@vault.command("export")
@click.argument("file", type=options.PATH)
@click.argument("recipes", nargs=-1, type=options.RECIPE, metavar="[RECIPE...]")
@options.common
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


@vault.command("import")
@click.argument("file", type=options.PATH)
@options.common
def import_(session: Session, file: Path) -> None:
    """Copy the inputs of FILE into the vault; each is checked against its digest.

    \b
    Example:
      samebits vault import inputs.tar
    """
    from builders.inputs.vault_archive import import_vault

    status = import_vault(session.vault, file, scratch=_workdir(session))
    _show_transfer("imported", status, file, ())


@vault.command("list")
@options.wide
@options.common
def list_(session: Session) -> None:
    """List the files in the vault, with the recipes and builder images that use them.

    A file that nothing uses belongs to a recipe or image of another center, or of former days.

    \b
    Examples:
      samebits vault list
      samebits vault list --json
    """
    from pipelines.verify.held_inputs import held_inputs

    held = held_inputs(session)
    rows = [
        (short(one.sha256), one.name or "unknown", _users(one.used_by) or "nothing") for one in held
    ]
    unused = sum(not one.used_by for one in held)
    show(
        {"inputs": [one.to_dict() for one in held]},
        *table(("SHA-256", "FILE", "USED BY"), rows, flexible=1),
        f"{counted(len(held), 'file')}, {unused} of them used by nothing here",
    )


def _users(names: tuple[str, ...]) -> str:
    return ", ".join(names[:1]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")


@vault.command()
@click.argument("file", type=options.PATH)
@options.common
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
    with options.file_errors(file):
        if file.exists() and not file.is_file():
            raise UsageError(f"{file} cannot be added", expected="a regular file")
        digest = digest_file(file)
    session.vault.add(file, digest, what=file.name)
    show(
        {"file": str(file), "sha256": str(digest), "locator": str(locator)},
        f"locator: {locator}",
        f"sha256: {digest}",
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
        tell(f"copy too, to recipes/images there: {path}")
