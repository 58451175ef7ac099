"""`samebits evidence`: what the store holds of past runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from pipelines.cli.bundle import check, export
from pipelines.cli.options import PATH, center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from pipelines.evidence.report import Report
    from pipelines.storage.store import Store

_RELEASE = "RELEASE"


@click.group()
def command() -> None:
    """List and show what runs have found, and carry it to others."""


command.add_command(export)
command.add_command(check)


@command.command("list")
@click.argument("release", required=False, metavar=f"[{_RELEASE}]")
@json_option
@center_option
def list_(release: str | None, as_json: bool, center_file: Path | None) -> None:
    """List runs, of one RELEASE (vendor/product@version) or of all.

    \b
    Examples:
      samebits evidence list
      samebits evidence list debian/netbase@6.5
    """
    from pipelines.evidence.release import ReleaseName
    from pipelines.evidence.stored_runs import RunSummary, list_runs

    store = open_session(center_file).store
    found = list(list_runs(store, ReleaseName.parse(release) if release else None))
    if as_json:
        print_json({"runs": [entry.to_dict() for entry in found]})
    for entry in [] if as_json else found:
        if isinstance(entry, RunSummary):
            name = entry.name
            moved = f"  (elsewhere: {entry.robustness})" if entry.robustness else ""
            click.echo(f"{name.run}  {entry.verdict or entry.outcome:<16} {name.release}{moved}")
        else:
            click.echo(f"DAMAGED  {entry.prefix}: {entry.reason}")
    sys.exit(0 if all(isinstance(entry, RunSummary) for entry in found) else EXIT_NOT_CHECKED)


@command.command()
@json_option
@center_option
def flush(as_json: bool, center_file: Path | None) -> None:
    """Send the evidence that waits in the outbox for a store that did not answer.

    Every run does so at its end; this is for a timer, or for after an outage.

    \b
    Example:
      samebits evidence flush --center europe.yaml

    Exit codes: 0 nothing waits any more, 2 something does.
    """
    flushed = open_session(center_file).flush()
    sent, waiting = (flushed.sent, flushed.waiting) if flushed else (0, 0)
    if as_json:
        print_json({"sent": sent, "waiting": waiting})
    else:
        click.echo(f"sent {sent} objects, {waiting} wait")
    if flushed and (note := flushed.note()):
        click.echo(f"samebits: {note}", err=True)
    sys.exit(EXIT_NOT_CHECKED if waiting else 0)


@command.command()
@click.argument("release", metavar=_RELEASE)
@click.option("--run", default="latest", show_default=True, help="Id of the run.")
@click.option("--log", "log_to", type=PATH, metavar="FILE", help="Write the build log to FILE.")
@json_option
@center_option
def show(
    release: str, run: str, log_to: Path | None, as_json: bool, center_file: Path | None
) -> None:
    """Show the report of one run of RELEASE (vendor/product@version).

    And, if the run was rebuilt elsewhere too, what that showed. Of a private release that is the
    whole report, which is not among what is public.

    \b
    Examples:
      samebits evidence show debian/netbase@6.5
      samebits evidence show debian/netbase@6.5 --log build.log
    """
    from pipelines.cli.table import robustness_lines, show_report
    from pipelines.evidence.release import ReleaseName
    from pipelines.evidence.report import Report
    from pipelines.evidence.stored_runs import find_run, read_report, read_robustness
    from pipelines.storage.store import DamagedError

    store = open_session(center_file).store
    name = find_run(store, ReleaseName.parse(release), run)
    document = read_report(store, name, whole=True)
    report = Report.model_validate(document)
    elsewhere, damaged = None, None
    try:
        elsewhere = read_robustness(store, name)
    except DamagedError as error:  # no verdict rests on it, so the report is shown first
        damaged = error
    if log_to is not None:
        _copy_log(store, report, log_to)
    if as_json:
        extra = {"robustness": elsewhere.to_dict()} if elsewhere else {}
        click.echo(json.dumps(document | extra, indent=2))
    else:
        show_report(report)
        for line in robustness_lines(elsewhere) if elsewhere else ():
            click.echo(f"  {line}")
    if damaged:
        raise damaged


def _copy_log(store: Store, report: Report, target: Path) -> None:
    """Write the log of the judged attempt to `target`."""
    import shutil

    from pipelines.storage.names import Visibility, cas

    logs = [a.rebuild.log for a in report.attempts if a.rebuild.log and a.purpose != "confirming"]
    if not logs:
        raise UsageError(f"run {report.run} has no build log", got=report.outcome)
    try:
        with store.open(cas(Visibility.PRIVATE, logs[-1])) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)
    except OSError as error:
        raise UsageError(f"{target} cannot be written", got=error.strerror) from error
