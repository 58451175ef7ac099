"""`samebits recipe`: check recipes before anything runs, and print what they may say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from builders.errors import EXIT_USAGE, UsageError
from pipelines.cli.options import PATH, center_option, json_option, print_json


@click.group()
def command() -> None:
    """Check recipes and print their schema."""


@command.command()
@click.argument("recipes", nargs=-1, required=True, type=PATH, metavar="RECIPE...")
@json_option
@center_option
def lint(recipes: tuple[Path, ...], as_json: bool, center_file: Path | None) -> None:
    """Check recipes without fetching or building anything.

    \b
    Example:
      samebits recipe lint recipes/releases/*/*/*.yaml

    Exit codes: 0 all can be used, 64 some cannot.
    """
    from pipelines.center import load_center
    from pipelines.cli.lint import check_recipe, warnings

    center = load_center(center_file)
    rows: list[dict[str, Any]] = []
    for path in recipes:
        try:
            loaded = check_recipe(path, center)
        except UsageError as error:
            rows.append({"file": str(path), "error": error.to_dict(), "warnings": []})
            if not as_json:
                click.echo(f"samebits: {error}", err=True)
            continue
        found = warnings(loaded)
        rows.append({"file": str(path), "error": None, "warnings": found})
        if not as_json:
            click.echo(f"{path}: {loaded.recipe.release} can be used")
            for warning in found:
                click.echo(f"  note: {warning}")
    if as_json:
        print_json({"recipes": rows})
    sys.exit(EXIT_USAGE if any(row["error"] for row in rows) else 0)


@command.command()
def schema() -> None:
    """Print the JSON Schema of a recipe, as editors use it.

    \b
    Example:
      samebits recipe schema > recipes/schema/recipe.json
    """
    from builders.recipe import json_schema

    click.echo(json_schema(), nl=False)
