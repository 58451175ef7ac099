"""`samebits compare`, `check` and `consensus`: what is known of two files, a file or a release."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import UsageError
from builders.core.escaping import escaped
from pipelines.cli import options
from pipelines.cli.differences import member_lines
from pipelines.cli.terminal import show

if TYPE_CHECKING:
    from pipelines.consensus import Consensus, OperatorFinding, ReleaseConsensus
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.verify.session import Session

_COLORS = {"CONFIRMED": "green"} | dict.fromkeys(
    ("NOT_CHECKED", "UNBUILDABLE", "PENDING"), "yellow"
)


@click.command()
@click.argument("shipped", type=options.PATH)
@click.argument("rebuilt", type=options.PATH)
@options.json
def compare(shipped: Path, rebuilt: Path) -> None:
    """Compare two files bit for bit and, where they differ, say where within a second or two.

    \b
    Example:
      samebits compare netbase_6.5_all.deb rebuilt/netbase_6.5_all.deb

    Exit codes: 0 the same, 1 different, 64 a file cannot be read.
    """
    from builders.core.digest import digest_file
    from pipelines.explain.quickdiff import named_causes, quick_diff

    try:
        digests = [digest_file(path) for path in (shipped, rebuilt)]
        with shipped.open("rb") as theirs, rebuilt.open("rb") as ours:
            seen = None if digests[0] == digests[1] else quick_diff(theirs, ours)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read", got=error.strerror) from error
    verdict = "IDENTICAL" if seen is None else "DIFFERENT"
    lines = [f"{digests[0]}  {shipped}", f"{digests[1]}  {rebuilt}", verdict]
    found = [] if seen is None else list(named_causes(seen))
    lines += [f"  {cause.name}: {escaped(cause.detail)}" for cause in found]
    lines += [f"  {line.removeprefix('- ')}" for line in member_lines(seen)]
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
@click.argument("file", type=options.PATH)
@options.common
def check(session: Session, file: Path) -> None:
    """Look FILE up by its digest: show every run in the store that judged it, newest first.

    \b
    Examples:
      samebits check netbase_6.5_all.deb
      samebits check netbase_6.5_all.deb --store s3://evidence/europe --json

    Exit codes: 0 reproduced, by the newest verdict of each center; 1 not; 2 unknown or not checked.
    """
    from builders.core.digest import digest_file
    from pipelines.evidence.file_index import find_file

    with options.file_errors(file):
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


@click.command()
@click.argument("release", type=options.release_name)
@click.option("--claim", metavar="SHA256", help="Use this claim, not the center's newest one.")
@click.option("--publish", is_flag=True, help="Sign, store and log a summary for each artefact.")
@options.common
def consensus(session: Session, release: ReleaseName, claim: str | None, *, publish: bool) -> None:
    """Combine what this center and its peers found for RELEASE (vendor/product@version).

    A statement counts only if a key of the policy has signed it and the log of its center contains
    it. Statements that do not count are listed with the reason.

    \b
    Examples:
      samebits consensus debian/netbase@6.5 --center europe.yaml
      samebits consensus debian/netbase@6.5 --publish --json

    Exit codes: 0 every artefact confirmed, or passed within the dissent that the policy allows;
    1 suspect, split or nondeterministic, or a region was served another file; 2 anything else.
    """
    from builders.core.digest import Digest
    from pipelines.consensus.release_consensus import join_release
    from pipelines.evidence.statements.statement import DigestSet
    from pipelines.nightly.periodic import publish_joined

    try:
        wanted = None if claim is None else DigestSet(sha256=Digest.parse(claim))
    except ValueError as error:
        raise UsageError("not a claim", got=error, expected="64 lower-case hex digits") from error
    now = datetime.now(UTC)
    view = session.consensus_view(now)
    joined = join_release(view, release, claim=wanted)
    made = publish_joined(session, view, joined, now) if publish else ()
    found = joined.consensus
    show(
        {**found.to_dict(), "published": list(made)},
        *_lines(found),
        *(f"  signed {name}" for name in made),
    )
    sys.exit(found.exit_code)


def _lines(found: ReleaseConsensus) -> Iterator[str]:
    yield click.style(found.release, bold=True)
    for one in found.artefacts:
        result = click.style(f"{one.result:<16}", fg=_COLORS.get(one.result, "red"))
        yield f"  {result} {one.subject.artefact}"
        yield from (f"{'':19}{line}" for line in _artefact_lines(one))
    if not found.artefacts:
        yield "  nothing is known of it"
    yield from (f"  not counted: {excluded}" for excluded in found.excluded)


def _artefact_lines(one: Consensus) -> Iterator[str]:
    rules = one.rules
    yield (
        f"{len(one.matched)} of {rules.k} operators match, in {len(one.regions)} of "
        f"{rules.regions} regions; work proof: {one.work_proof}"
    )
    yield from (f"- {operator.operator}: {_details(operator)}" for operator in one.operators)
    yield from (f"- not counted: {excluded}" for excluded in one.excluded)
    yield from (click.style(f"! {alarm}", fg="red") for alarm in one.alarms)


def _details(found: OperatorFinding) -> str:
    digests = found.built if found.dissents else None
    built = f" sha256 {digests.sha256 or digests.hmac_sha256}" if digests else ""
    where = ", ".join(f"{f.center.id} ({f.center.region}) {f.run}" for f in found.newest)
    return f"{found.conclusion}{built}, {where}"
