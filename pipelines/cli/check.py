"""`samebits check`: what is known of one file, by its digest."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from builders.core.errors import UsageError
from pipelines.cli.options import PATH, center_option, json_option, print_json, read_center


@click.command()
@click.argument("file", type=PATH)
@json_option
@center_option
def command(file: Path, as_json: bool, center_file: Path | None) -> None:
    """Say what the store knows of FILE by its digest: every run that judged it, newest first.

    \b
    Examples:
      samebits check netbase_6.5_all.deb
      samebits check netbase_6.5_all.deb --store s3://evidence/europe --json

    Exit codes: 0 reproduced, by the newest verdict of each center; 1 not; 2 unknown or not checked.
    """
    from builders.core.digest import digest_file
    from pipelines.evidence.file_index import find_file
    from pipelines.storage.opening import open_center_store

    try:
        digest = digest_file(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read", got=error.strerror) from error
    center = read_center(center_file)
    found = find_file(open_center_store(center.store, center.home / "outbox"), digest)
    if as_json:
        print_json(
            {
                "file": file.name,
                "sha256": str(digest),
                "runs": [seen.to_dict() for seen in found.verdicts],
                "damaged": list(found.damaged),
                "complete": found.complete,
                "exit_code": found.exit_code,
            }
        )
        sys.exit(found.exit_code)
    click.echo(f"{digest}  {file.name}")
    for seen in found.verdicts:
        name = seen.name
        click.echo(
            f"  {seen.verdict:<16} {name.run}  center {name.center}  {name.release}"
            f"  {seen.artefact} ({seen.role})"
        )
    if not found.verdicts:
        click.echo("  unknown: no run in this store has judged it")
    for problem in found.damaged:
        click.echo(f"  DAMAGED {problem}")
    if not found.complete:
        click.echo("  the store has more runs than were searched")
    sys.exit(found.exit_code)
