"""`samebits recipe`: infer recipes, check them before anything runs, print what they may say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from builders.core.errors import EXIT_USAGE, UsageError
from pipelines.cli.options import PATH, center_option, json_option, open_session, print_json


@click.group()
def command() -> None:
    """Infer and check recipes, and print their schema."""


@command.command()
@click.argument("recipes", nargs=-1, required=True, type=PATH, metavar="RECIPE...")
@json_option
@center_option
def lint(recipes: tuple[Path, ...], as_json: bool, center_file: Path | None) -> None:
    """Check recipes without fetching or building anything; a draft's inferred values are shown.

    \b
    Example:
      samebits recipe lint recipes/releases/*/*/*.yaml

    Exit codes: 0 all can be used, 64 some cannot.
    """
    from builders.core.yamlfile import read_text
    from pipelines.cli.lint import check_recipe, draft_notes, warnings
    from pipelines.infer.draft import explanations

    images = open_session(center_file).images
    rows: list[dict[str, Any]] = []
    for path in recipes:
        try:
            loaded = check_recipe(path, images)
        except UsageError as error:
            fault = error.to_dict()
            rows.append(_linted(path, fault))
            if not as_json:
                click.echo(f"samebits: {error}", err=True)
            continue
        found = warnings(loaded)
        text = read_text(path)
        notes, explained = draft_notes(text), explanations(text)
        rows.append(_linted(path, None, warnings=found, draft=notes, inferred=explained))
        if not as_json:
            click.echo(f"{path}: {loaded.recipe.release} can be used")
            for warning in found:
                click.echo(f"  note: {warning}")
            for line in notes:
                click.echo(f"  {line}")
            for line in explained:
                click.echo(f"  inferred: {line}")
    if as_json:
        print_json({"recipes": rows})
    sys.exit(EXIT_USAGE if any(row["error"] for row in rows) else 0)


def _linted(path: Path, fault: dict[str, Any] | None, **said: list[str]) -> dict[str, Any]:
    none: dict[str, list[str]] = {"warnings": [], "draft": [], "inferred": []}
    return {"file": str(path), "error": fault, **none, **said}


@command.command()
@click.argument("purl", required=False)
@click.option("--out", type=PATH, metavar="FILE", help="Write the recipe here, not to stdout.")
@click.option("--from-file", "shipped", type=PATH, metavar="SHIPPED", help="A wheel on disk.")
@click.option("--source", type=PATH, metavar="SDIST", help="Its source distribution, on disk.")
@click.option("--buildinfo", type=PATH, metavar="FILE", help="A Debian build's own record.")
@click.option("--max-tries", default=16, show_default=True, type=click.IntRange(1, 200))
@click.option("--time", "seconds", default="5min", show_default=True, help="For all tries.")
@json_option
@center_option
def new(
    purl: str | None,
    *,
    out: Path | None,
    shipped: Path | None,
    source: Path | None,
    buildinfo: Path | None,
    max_tries: int,
    seconds: str,
    as_json: bool,
    center_file: Path | None,
) -> None:
    """Find the build that makes a shipped wheel from its source, and write it as a draft recipe.

    The environment is inferred from the shipped file and tried in real rebuilds, the likeliest
    first, until the bytes are identical; the draft gives the evidence of each inferred value.
    Otherwise the nearest recipe is written, with the causes that remain. A journal of all tries is
    kept, so that a second call returns at once or resumes. Of Debian, a whole source package is
    rebuilt to all its binary packages; what a .buildinfo recorded of their build is tried first.

    \b
    Examples:
      samebits recipe new pkg:pypi/six@1.17.0 --out recipes/releases/pypi/six/1.17.0.yaml
      samebits recipe new "pkg:deb/debian/netbase@6.5?arch=source"
      samebits recipe new "pkg:deb/debian/netbase@6.5?arch=source" --buildinfo netbase.buildinfo
      samebits recipe new --from-file six-1.17.0-py2.py3-none-any.whl --source six-1.17.0.tar.gz

    Exit codes: 0 identical, 1 not identical, 2 not tried, 64 usage.
    """
    from pipelines.cli.newrecipe import write_recipe

    sys.exit(
        write_recipe(
            purl,
            shipped=shipped,
            source=source,
            buildinfo=buildinfo,
            out=out,
            tries=max_tries,
            time=seconds,
            as_json=as_json,
            center_file=center_file,
        )
    )


@command.command()
def schema() -> None:
    """Print the JSON Schema of a recipe, as editors use it.

    \b
    Example:
      samebits recipe schema > recipes/schema/recipe.json
    """
    from builders.recipe.recipe import recipe_schema

    click.echo(recipe_schema(), nl=False)
