"""Options that commands share, and how they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


def json_option(function: Function) -> Function:
    """Add `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document on stdout."
    )(function)


def center_option(function: Function) -> Function:
    """Add `--center FILE`."""
    return click.option(
        "--center",
        "center_file",
        type=PATH,
        metavar="FILE",
        help="The center's file; without it a center `local` below SAMEBITS_HOME.",
    )(function)


def store_option(function: Function) -> Function:
    """Add `--store ADDRESS`."""
    return click.option(
        "--store",
        "store",
        envvar="SAMEBITS_STORE",
        metavar="ADDRESS",
        help="Evidence store in place of the center's: a folder, or s3://bucket/prefix.",
    )(function)


def print_json(value: Any) -> None:
    """Print one document."""
    click.echo(json.dumps(value, indent=2))
