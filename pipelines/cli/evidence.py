"""`samebits evidence`: what the store holds of past runs, and bundles of it checked offline.

`evidence check` runs for a tenth of a second: it imports no more than it needs.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, SamebitsError, UsageError
from pipelines.cli import options
from pipelines.cli.terminal import show, warn

if TYPE_CHECKING:
    from pipelines.bundle.check import CheckResult
    from pipelines.evidence.publickey import PublicKey
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.report import Report
    from pipelines.storage.store import Store
    from pipelines.verify.session import Session

_COLORS = {"ok": "green", "note": None, "unchecked": "yellow", "wrong": "red"}
_RUN = click.option("--run", default="latest", show_default=True, help="Id of the run.")


@click.group()
def command() -> None:
    """List, show, export and check what runs have found."""


@command.command("list")
@click.argument("release", required=False, type=options.release_name)
@options.common
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


@command.command("show")
@click.argument("release", type=options.release_name)
@_RUN
@options.file("--log", "log_to", help="Write the build log to FILE.")
@options.common
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
    with options.file_errors(target, "written"), store.open(log) as data, target.open("wb") as out:
        shutil.copyfileobj(data, out)


@command.command()
@click.argument("release", type=options.release_name)
@_RUN
@options.file("--out", required=True, help="Where to write the bundle.")
@options.common
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


@command.command()
@click.argument("bundle", type=options.PATH)
@options.file("--file", "files", multiple=True, metavar="ARTEFACT", help="A file to look up in it.")
@options.file("--policy", help="The signed policy, from a source that you trust.")
@options.file(
    "--key",
    "keys",
    multiple=True,
    metavar="PUBLIC",
    help="The center's public key (PEM) in place of a policy; its log is then not checked.",
)
@click.option("--builder", metavar="URI", help="The builder that the key is trusted for.")
@options.duration(
    "--max-age",
    help="Refuse a checkpoint that no witness has cosigned for so long, such as 720h.",
)
@options.json
def check(
    bundle: Path,
    files: tuple[Path, ...],
    policy: Path | None,
    keys: tuple[Path, ...],
    builder: str | None,
    max_age: timedelta | None,
) -> None:
    """Check BUNDLE offline, one line a step, and show what it found.

    Nothing inside the bundle is trusted by itself: without --policy the best result is exit code 2.
    The policy names the keys of centers, logs and witnesses.

    \b
    Examples:
      samebits evidence check netbase.bundle.tar --policy policy.dsse.json
      samebits evidence check netbase.bundle.tar --policy policy.dsse.json \\
          --file netbase_6.5_all.deb --max-age 720h

    Exit codes: 0 all checked and reproduced; 1 something is wrong, or a verdict is not a pass; 2
    something could not be checked; 64 usage.
    """
    import gc

    gc.disable()  # of a short process that leaves no cycles: a tenth of its time
    from builders.core.digest import digest_file, keyed_digest
    from builders.core.smallfile import read_small_file
    from pipelines.bundle import MAX_BUNDLE
    from pipelines.bundle.check import GivenFile, Trust, check_bundle
    from pipelines.bundle.layout import MAX_POLICY

    given = []
    for path in files:
        with options.file_errors(path):
            keyed = partial(keyed_digest, path=path)
            given.append(GivenFile(name=path.name, sha256=digest_file(path), keyed=keyed))
    data = read_small_file(bundle, limit=MAX_BUNDLE, file=str(bundle))
    if policy is not None and (keys or builder):
        raise UsageError(
            "--policy names keys and builders itself", todo="Remove --key and --builder"
        )
    if max_age is not None and policy is None:
        raise UsageError("--max-age without --policy", todo="Give the policy: it names witnesses")
    if builder is not None and not keys:
        raise UsageError("--builder without --key", todo="Give the key that the builder signs with")
    trust = Trust(
        keys=tuple(_public_key(path) for path in keys),
        builder=builder,
        policy=read_small_file(policy, limit=MAX_POLICY, file=str(policy)) if policy else None,
        now=datetime.now(UTC),
        max_age=max_age,
    )
    result = check_bundle(data, trust=trust, files=given)
    show({"bundle": str(bundle), **result.to_dict()}, *_check_lines(result))
    sys.exit(result.exit_code)


def _check_lines(result: CheckResult) -> Iterator[str]:
    for step in result.steps:
        status = click.style(f"{step.status:<9}", fg=_COLORS[step.status])
        yield f"{status} {step.name}: {step.message}"
    if result.release:
        yield f"{result.release}, center {result.center}: {result.outcome}"
    for artefact in result.artefacts:
        yield f"  {artefact.verdict:<16} {artefact.name}"
    for answer in result.files:
        yield f"  {answer.file}: {answer.verdict or 'not in this bundle'}"


def _public_key(path: Path) -> PublicKey:
    from pipelines.evidence.publickey import load_public_key

    try:
        return load_public_key(path)
    except SamebitsError as error:
        raise UsageError(f"the key {path} cannot be used", got=error) from error
