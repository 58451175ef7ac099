"""`samebits compare` and `samebits check`: questions about files at hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.digest import digest_file
from builders.core.errors import UsageError
from pipelines.cli.options import PATH, common_options, file_errors, json_option, show
from pipelines.evidence.file_index import find_file
from pipelines.explain.quickdiff import named_causes, quick_diff

if TYPE_CHECKING:
    from pipelines.verify.session import Session


@click.command()
@click.argument("shipped", type=PATH)
@click.argument("rebuilt", type=PATH)
@json_option
def compare(shipped: Path, rebuilt: Path) -> None:
    """Compare two files bit for bit and, where they differ, say where within a second or two.

    \b
    Example:
      samebits compare netbase_6.5_all.deb rebuilt/netbase_6.5_all.deb

    Exit codes: 0 the same, 1 different, 64 a file cannot be read.
    """
    try:
        digests = [digest_file(path) for path in (shipped, rebuilt)]
        with shipped.open("rb") as theirs, rebuilt.open("rb") as ours:
            seen = None if digests[0] == digests[1] else quick_diff(theirs, ours)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read", got=error.strerror) from error
    verdict = "IDENTICAL" if seen is None else "DIFFERENT"
    lines = [f"{digests[0]}  {shipped}", f"{digests[1]}  {rebuilt}", verdict]
    found = [] if seen is None else list(named_causes(seen))
    lines += [f"  {cause.name}: {cause.detail}" for cause in found]
    if seen is not None:
        lines.append(f"  first difference at byte {seen.first_offset}, last at {seen.last_offset}")
    show(
        {
            "verdict": verdict,
            "shipped": str(digests[0]),
            "rebuilt": str(digests[1]),
            "causes": [cause.model_dump(mode="json") for cause in found],
            "first_look": None if seen is None else seen.model_dump(mode="json"),
        },
        *lines,
    )
    sys.exit(0 if seen is None else 1)


@click.command()
@click.argument("file", type=PATH)
@common_options
def check(session: Session, file: Path) -> None:
    """Look FILE up by its digest: show every run in the store that judged it, newest first.

    \b
    Examples:
      samebits check netbase_6.5_all.deb
      samebits check netbase_6.5_all.deb --store s3://evidence/europe --json

    Exit codes: 0 reproduced, by the newest verdict of each center; 1 not; 2 unknown or not checked.
    """
    with file_errors(file):
        digest = digest_file(file)
    found = find_file(session.store, digest)
    lines = [f"{digest}  {file.name}"]
    for seen in found.verdicts:
        name = seen.name
        lines.append(
            f"  {seen.verdict:<16} {name.run}  center {name.center}  {name.release}"
            f"  {seen.artefact} ({seen.role})"
        )
    if not found.verdicts:
        lines.append("  unknown: no run in this store has judged it")
    lines += [f"  DAMAGED {problem}" for problem in found.damaged]
    if not found.complete:
        lines.append("  the store has more runs than were searched")
    show(
        {
            "file": file.name,
            "sha256": str(digest),
            "runs": [seen.to_dict() for seen in found.verdicts],
            "damaged": list(found.damaged),
            "complete": found.complete,
            "exit_code": found.exit_code,
        },
        *lines,
    )
    sys.exit(found.exit_code)
