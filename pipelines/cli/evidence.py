"""`samebits evidence`: what the store holds of past runs, and bundles of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.cli import options
from pipelines.cli.evidence_check import check
from pipelines.cli.evidence_show import show_
from pipelines.cli.layout import short, short_run, started, table
from pipelines.cli.terminal import show, styled_verdict, tell, warn

if TYPE_CHECKING:
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.stored_runs import RunSummary
    from pipelines.verify.session import Session


@click.group(cls=options.Group)
def command() -> None:
    """List, show, export and check what runs have found."""


@command.command("list")
@click.argument("release", required=False, type=options.RELEASE)
@options.wide
@options.common
def list_(session: Session, release: ReleaseName | None) -> None:
    """List runs, newest last, of one RELEASE (vendor/product@version) or of all.

    CLAIM is the digest of all that decides what is built: runs with equal claims repeat each other.
    A star marks a verdict whose robustness rebuild, in a varied environment, had another result.

    \b
    Examples:
      samebits evidence list
      samebits evidence list debian/netbase@6.5 --wide
    """
    from pipelines.evidence.stored_runs import DamagedRun, RunSummary, list_runs

    found = list(list_runs(session.store, release))
    runs = [entry for entry in found if isinstance(entry, RunSummary)]
    damaged = [entry for entry in found if isinstance(entry, DamagedRun)]
    runs.sort(key=lambda entry: entry.name.run)
    rows = [
        (
            started(run.name.run),
            styled_verdict(run.verdict or run.outcome, width=0) + _star(run),
            str(run.name.release),
            short(run.claim) if run.claim else "none",
            short_run(run.name.run),
        )
        for run in runs
    ]
    header = ("STARTED (UTC)", "VERDICT", "RELEASE", "CLAIM", "RUN")
    lines = [*table(header, rows, flexible=2)]
    if any(map(_star, runs)):
        lines.append("* a robustness rebuild, in a varied environment, had another result")
    lines += [f"DAMAGED  {entry.prefix}: {entry.reason}" for entry in damaged]
    if not found:
        lines = ["no runs" if release is None else f"no runs of {release}"]
    show({"runs": [entry.to_dict() for entry in found]}, *lines)
    sys.exit(EXIT_NOT_CHECKED if damaged else 0)


def _star(run: RunSummary) -> str:
    return "" if run.robustness in {None, "same"} else "*"


@command.command()
@options.common
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


@command.command()
@click.argument("release", type=options.RELEASE)
@options.run
@options.file("--out", required=True, help="The new file.")
@click.option(
    "--with-evidence",
    is_flag=True,
    help="Add private evidence: logs, SBOM, explanations, and the files compared.",
)
@options.common
def export(
    session: Session, release: ReleaseName, run: str, out: Path, *, with_evidence: bool
) -> None:
    """Write one bundle: all that is public about a run of RELEASE (vendor/product@version).

    The bundle is a plain tar of statements, report, public evidence, the center's card and public
    keys, the leaves of its log with their proofs, and its policy. Nothing private is read.

    --with-evidence adds what a third party needs to repeat the judgement, and what the center
    otherwise keeps private: the files as served and as rebuilt, build logs, the SBOM, and
    explanations. Whoever gets the bundle can read all of it; every object is named on stderr. The
    evidence of closed source is not exported.

    \b
    Examples:
      samebits evidence export debian/netbase@6.5 --out netbase.bundle.tar
      samebits evidence export debian/netbase@6.5 --out full.tar --with-evidence
    """
    from builders.core.digest import Digest
    from pipelines.bundle.export import export as make_bundle
    from pipelines.bundle.export import write_file
    from pipelines.center.export_source import export_source
    from pipelines.evidence.stored_runs import find_run

    options.require_new(out)
    center, now = session.center, datetime.now(UTC)
    name = find_run(session.store, release, run, center.id)
    book = session.logbook()
    book.settle()
    source, policy = export_source(center, book.log), session.policy(now)
    made = make_bundle(session.store, name, source, policy=policy, now=now, private=with_evidence)
    secret = [one for one in made.evidence if one.private]
    write_file(out, made.data, private=bool(secret))
    if secret:
        warn(f"{out} holds private evidence; whoever gets it can read:")
        for one in secret:
            tell(f"  {one.what}, {one.size} bytes, sha256 {one.digest}")
    for left in made.left_out:
        warn(f"evidence {left} is too large for a bundle; left out")
    digest, size = Digest.of(made.data), len(made.data)
    document = {"file": str(out), "sha256": str(digest), "size": size, "run": name.run}
    show(
        {
            **document,
            "left_out": list(made.left_out),
            "evidence": [one.to_dict() for one in made.evidence],
        },
        f"{digest}  {out}",
        f"  run {name.run} of {name.release}, {size} bytes",
    )


command.add_command(check)
command.add_command(show_)
