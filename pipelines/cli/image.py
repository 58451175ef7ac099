"""`samebits image`: builder images, which are themselves rebuilt from a lock."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import UsageError
from pipelines.cli.options import PATH, center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.verify.session import Session


@click.group()
def command() -> None:
    """Lock, build and check builder images."""


@command.command()
@click.argument("name")
@click.option("--refresh", is_flag=True, help="Replace a lock that is there.")
@json_option
@center_option
def lock(name: str, refresh: bool, as_json: bool, center_file: Path | None) -> None:
    """Resolve a definition, build it, and write its lock; shows what changes.

    \b
    Examples:
      samebits image lock differ
      samebits image lock differ --refresh
    """
    session = _shop(center_file)
    session.images.definition(name)
    if session.images.has_lock(name) and not refresh:
        raise UsageError(
            f"image {name} has a lock already", todo="Use --refresh to replace it, and review that"
        )
    with tempfile.TemporaryDirectory(dir=_workdir(session), prefix="lock-") as folder:
        made = session.images.lock_new(name, Path(folder), _counter(name))
    changes = None if made.changes is None else [str(change) for change in made.changes]
    if as_json:
        print_json({"image": name, "config": str(made.lock.image.config), "changes": changes})
        return
    click.echo(f"{name}: config digest {made.lock.image.config}")
    for change in changes or []:
        click.echo(f"  {change}")


@command.command()
@click.argument("name")
@click.option("--out", type=PATH, metavar="FILE", help="Write the tar there; do not load it.")
@json_option
@center_option
def build(name: str, out: Path | None, as_json: bool, center_file: Path | None) -> None:
    """Build an image from its lock and load it into the engine, or write it to a tar.

    The tar is an OCI layout and a docker-archive at once.

    \b
    Examples:
      samebits image build debian-trixie-build
      samebits image build debian-trixie-build --out image.tar
    """
    from builders.images.provide import ensure_image

    session = _shop(center_file)
    config = session.images.lock(name).image.config
    if out is None:
        ensure_image(name, session.images, session.engine, _workdir(session), _counter(name))
    else:
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".image-") as folder:
            session.images.build(name, Path(folder), _counter(name)).tar.replace(out)
    if as_json:
        print_json({"image": name, "config": str(config), "file": str(out) if out else None})
    else:
        click.echo(f"{name}: config digest {config}, as locked")


@command.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@json_option
@center_option
def check(names: tuple[str, ...], as_json: bool, center_file: Path | None) -> None:
    """Rebuild images from their locks and compare the digests; all of them without a NAME.

    \b
    Example:
      samebits image check
    """
    session = _shop(center_file)
    rows = []
    for name in names or session.images.names():
        config = session.images.check(name, _counter(name)).image.config
        rows.append({"image": name, "config": str(config)})
        if not as_json:
            click.echo(f"{name}: config digest {config}, as locked")
    if as_json:
        print_json({"images": rows})


def _shop(center_file: Path | None) -> Session:

    return open_session(center_file)


def _workdir(session: Session) -> Path:
    session.workdir.mkdir(parents=True, exist_ok=True)
    return session.workdir


def _counter(name: str) -> Callable[[int, int, str], None]:
    """Print a line for every tenth part of a long count."""
    shown = -1

    def count(done: int, total: int, what: str) -> None:
        nonlocal shown
        part = done * 10 // total if total else -1
        if part != shown or not total:
            shown = part
            click.echo(f"{name}: {what}{f' ({done}/{total})' if total else ''}", err=True)

    return count
