"""`samebits evidence`: what the store holds of past runs."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from pipelines.cli.bundle import check
from pipelines.cli.options import PATH, common_options, file_errors, release_name, show, warn

# The commands import what they need themselves, so that `evidence check` stays fast.
if TYPE_CHECKING:
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.report import Report
    from pipelines.storage.store import Store
    from pipelines.verify.session import Session

_RUN = click.option("--run", default="latest", show_default=True, help="Id of the run.")


@click.group()
def command() -> None:
    """List, show, export and check what runs have found."""


@command.command("list")
@click.argument("release", required=False, type=release_name)
@common_options
def list_(session: Session, release: ReleaseName | None) -> None:
    """List runs, of one RELEASE (vendor/product@version) or of all.

    \b
    Examples:
      samebits evidence list
      samebits evidence list debian/netbase@6.5
    """
    from pipelines.evidence.stored_runs import RunSummary, list_runs

    found = list(list_runs(session.store, release))
    lines = []
    for entry in found:
        if isinstance(entry, RunSummary):
            name = entry.name
            moved = f"  (elsewhere: {entry.robustness})" if entry.robustness else ""
            lines.append(f"{name.run}  {entry.verdict or entry.outcome:<16} {name.release}{moved}")
        else:
            lines.append(f"DAMAGED  {entry.prefix}: {entry.reason}")
    show({"runs": [entry.to_dict() for entry in found]}, *lines)
    sys.exit(0 if all(isinstance(entry, RunSummary) for entry in found) else EXIT_NOT_CHECKED)


@command.command()
@common_options
def flush(session: Session) -> None:
    """Send the evidence that waits in the outbox because the store did not answer.

    Every run does so at its end; this is for a timer, or for after an outage.

    \b
    Example:
      samebits evidence flush --center europe.yaml

    Exit codes: 0 nothing waits any more, 2 something does.
    """
    flushed = session.flush()
    sent, waiting = (flushed.sent, flushed.waiting) if flushed else (0, 0)
    show({"sent": sent, "waiting": waiting}, f"sent {sent} objects, {waiting} wait")
    if flushed and (note := flushed.note()):
        warn(note)
    sys.exit(EXIT_NOT_CHECKED if waiting else 0)


@command.command("show")
@click.argument("release", type=release_name)
@_RUN
@click.option("--log", "log_to", type=PATH, metavar="FILE", help="Write the build log to FILE.")
@common_options
def show_(session: Session, release: ReleaseName, run: str, log_to: Path | None) -> None:
    """Show the report of one run of RELEASE (vendor/product@version).

    The result of its robustness test follows, if there was one. Of a private release the whole
    report is shown, which is not public.

    \b
    Examples:
      samebits evidence show debian/netbase@6.5
      samebits evidence show debian/netbase@6.5 --log build.log
    """
    from pipelines.cli.terminal import report_lines, robustness_lines
    from pipelines.evidence.report import Report
    from pipelines.evidence.stored_runs import find_run, read_report, read_robustness
    from pipelines.storage.store import DamagedError

    store = session.store
    name = find_run(store, release, run)
    document = read_report(store, name, whole=True)
    report = Report.model_validate(document)
    elsewhere, damaged = None, None
    try:
        elsewhere = read_robustness(store, name)
    except DamagedError as error:  # no verdict rests on it, so the report is shown first
        damaged = error
    if log_to is not None:
        _copy_log(store, report, log_to)
    more = robustness_lines(elsewhere) if elsewhere else []
    show(
        document | ({"robustness": elsewhere.to_dict()} if elsewhere else {}),
        *report_lines(report),
        *(f"  {line}" for line in more),
    )
    if damaged:
        raise damaged


def _copy_log(store: Store, report: Report, target: Path) -> None:
    """Write the log of the judged attempt to `target`."""
    from pipelines.storage.names import Visibility, cas

    logs = [a.rebuild.log for a in report.attempts if a.rebuild.log and a.purpose != "confirming"]
    if not logs:
        raise UsageError(f"run {report.run} has no build log", got=report.outcome)
    log = cas(Visibility.PRIVATE, logs[-1])
    with file_errors(target, "written"), store.open(log) as stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out)


@command.command()
@click.argument("release", type=release_name)
@_RUN
@click.option("--out", type=PATH, required=True, metavar="FILE", help="Where to write the bundle.")
@common_options
def export(session: Session, release: ReleaseName, run: str, out: Path) -> None:
    """Write one bundle: all that is public about a run of RELEASE (vendor/product@version).

    The bundle is a plain tar of statements, report, public evidence, the center's card and public
    keys, the leaves of its log with their proofs, and its policy. Nothing private is read.

    \b
    Example:
      samebits evidence export debian/netbase@6.5 --out netbase.bundle.tar
    """
    from builders.core.digest import Digest
    from pipelines.bundle.export import export as make_bundle
    from pipelines.bundle.export import write_file
    from pipelines.center.export_source import export_source
    from pipelines.evidence.stored_runs import find_run

    center, now = session.center, datetime.now(UTC)
    name = find_run(session.store, release, run, center.id)
    book = session.logbook()
    book.settle()
    source, policy = export_source(center, book.log), session.policy(now)
    made = make_bundle(session.store, name, source, policy=policy, now=now)
    write_file(out, made.data)
    for left in made.left_out:
        warn(f"evidence {left} is too large for a bundle; left out")
    digest, size = Digest.of(made.data), len(made.data)
    document = {"file": str(out), "sha256": str(digest), "size": size, "run": name.run}
    show(
        {**document, "left_out": list(made.left_out)},
        f"{digest}  {out}",
        f"  run {name.run} of {name.release}, {size} bytes",
    )


command.add_command(check)
