"""`samebits compare`: a first look at two files, for people with two files and a question."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from builders.core.errors import UsageError
from pipelines.cli.options import PATH, json_option, print_json


@click.command()
@click.argument("shipped", type=PATH)
@click.argument("rebuilt", type=PATH)
@json_option
def command(shipped: Path, rebuilt: Path, as_json: bool) -> None:
    """Compare two files bit for bit and, where they differ, say where within a second or two.

    \b
    Example:
      samebits compare netbase_6.5_all.deb rebuilt/netbase_6.5_all.deb

    Exit codes: 0 the same, 1 different, 64 a file cannot be read.
    """
    from builders.core.digest import digest_file
    from pipelines.explain.causes import causes
    from pipelines.explain.quickdiff import quick_diff

    try:
        digests = [digest_file(path) for path in (shipped, rebuilt)]
        with shipped.open("rb") as theirs, rebuilt.open("rb") as ours:
            seen = None if digests[0] == digests[1] else quick_diff(theirs, ours)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read", got=error.strerror) from error
    found = [] if seen is None else [c.model_dump(mode="json") for c in causes(seen)]
    if as_json:
        print_json(
            {
                "verdict": "IDENTICAL" if seen is None else "DIFFERENT",
                "shipped": str(digests[0]),
                "rebuilt": str(digests[1]),
                "causes": found,
                "first_look": None if seen is None else seen.model_dump(mode="json"),
            }
        )
    else:
        for digest, path in zip(digests, (shipped, rebuilt), strict=True):
            click.echo(f"{digest}  {path}")
        click.echo("IDENTICAL" if seen is None else "DIFFERENT")
        for cause in found:
            click.echo(f"  {cause['name']}: {cause['detail']}")
        if seen is not None:
            click.echo(
                f"  first difference at byte {seen.first_offset}, last at {seen.last_offset}"
            )
    sys.exit(0 if seen is None else 1)
