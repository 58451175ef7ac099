"""`samebits image`: builder images, which are themselves rebuilt from a lock."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import UsageError
from pipelines.cli.options import common_options, file_option, show, wants_json

if TYPE_CHECKING:
    from pipelines.verify.session import Session


@click.group()
def command() -> None:
    """Lock, build and check builder images."""


@command.command()
@click.argument("name")
@click.option("--refresh", is_flag=True, help="Replace an existing lock.")
@common_options
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


@command.command()
@click.argument("name")
@file_option("--out", help="Write a tar to FILE, and load nothing.")
@common_options
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


@command.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@common_options
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
            click.echo(f"{name}: config digest {config}, as locked")
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
            click.echo(f"{name}: {what}{f' ({done}/{total})' if total else ''}", err=True)

    return count
