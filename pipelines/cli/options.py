"""Options that commands share, and how they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from builders.core.errors import UsageError

if TYPE_CHECKING:
    from pipelines.center.center import Center
    from pipelines.verify.session import Session

Function = TypeVar("Function", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
_STORE = "samebits.store"
"""Key of the address given with `--store`, in the metadata of the command's context."""


def json_option(function: Function) -> Function:
    """Add `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document on stdout."
    )(function)


def center_option(function: Function) -> Function:
    """Add `--center FILE`, and `--store ADDRESS` in place of the store that the file names."""
    stored = click.option(
        "--store",
        metavar="ADDRESS",
        expose_value=False,
        callback=_note_store,
        help="Evidence store in place of the center's: a folder, or s3://bucket/prefix.",
    )(function)
    return center_file_option(stored)


def center_file_option(function: Function) -> Function:
    """Add `--center FILE` alone."""
    return click.option(
        "--center",
        "center_file",
        type=PATH,
        metavar="FILE",
        help="The center's file; without it a center `local` below SAMEBITS_HOME.",
    )(function)


def _note_store(ctx: click.Context, parameter: click.Parameter, address: str | None) -> None:
    del parameter
    ctx.meta[_STORE] = address


def read_center(center_file: Path | None) -> Center:
    """Return the center in `center_file`, by default the center `local`, with the given store.

    Raises `RecipeError` for a bad center file.
    """
    from pipelines.center.center import load_center

    return load_center(center_file, store=click.get_current_context().meta.get(_STORE))


def open_session(center_file: Path | None) -> Session:
    """Return the services of the center in `center_file`, by default of the center `local`.

    Raises `RecipeError` for a bad center file.
    """
    from pipelines.verify.session import Session

    return Session(read_center(center_file))


def confirm(question: str) -> bool:
    """Ask on stderr for yes or no; raises `UsageError` where there is no terminal to answer."""
    try:
        return click.confirm(question, err=True)
    except click.Abort as error:
        if not isinstance(error.__context__, EOFError):
            raise
        click.echo(err=True)
        raise UsageError(
            f"no answer to: {question}",
            got="the end of the input",
            expected="y, or --yes",
            todo="Give --yes to go on without a question",
        ) from error


def counted(number: float, one: str, more: str | None = None) -> str:
    """Return a number with its noun; `more` is the plural, by default with an s."""
    return f"{number:g} {one if number == 1 else more or one + 's'}"


def print_json(value: Any) -> None:
    """Print one document."""
    click.echo(json.dumps(value, indent=2))
