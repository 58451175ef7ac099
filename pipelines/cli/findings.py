"""`samebits consensus`: what is known of a release."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from builders.core.errors import UsageError
from pipelines.cli import options
from pipelines.cli.console import styled
from pipelines.cli.layout import short, short_run, table
from pipelines.cli.terminal import counted, show

if TYPE_CHECKING:
    from pipelines.consensus import Consensus, OperatorFinding, ReleaseConsensus
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.verify.session import Session

_MEANINGS = {
    "CONFIRMED": "enough operators rebuilt the shipped bytes",
    "SUSPECT": "operators agree on other bytes than the shipped ones",
    "SPLIT": "some operators match the shipped bytes, and some do not",
    "NONDETERMINISTIC": "the operators built bytes that differ from each other",
    "UNBUILDABLE": "no operator could build it",
    "NOT_CHECKED": "no operator has a verdict",
    "PENDING": "fewer operators match than are needed",
}
_PROOFS = {
    "proved": "by-products that only a build leaves were built by others too",
    "none": "none can be made, as no by-product is kept private",
}
"""Whether the operators that match have built, or could have hashed the shipped file."""
UNWITNESSED = "unwitnessed: the policy requires no witness, so its one operator vouches alone"
RESULT_COLORS = {"CONFIRMED": "green"} | dict.fromkeys(
    ("NOT_CHECKED", "UNBUILDABLE", "PENDING"), "yellow"
)


@click.command()
@click.argument("release", type=options.RELEASE)
@click.option("--claim", metavar="SHA256", help="Use this claim, not the center's newest one.")
@click.option("--publish", is_flag=True, help="Sign, store and log a summary for each artefact.")
@options.wide
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
    from pipelines.evidence.stored_runs import similar_release
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
    meant = None if found.artefacts else similar_release(session.store, release)
    show(
        {**found.to_dict(), "published": list(made)},
        *_lines(found),
        *([f"  {meant}"] if meant else []),
        *(f"  signed {name}" for name in made),
    )
    sys.exit(found.exit_code)


def _lines(found: ReleaseConsensus) -> Iterator[str]:
    yield styled(str(found.release), bold=True)
    for one in found.artefacts:
        result = styled(f"{one.result:<16}", RESULT_COLORS.get(one.result, "red"))
        yield f"  {result} {one.subject.artefact}"
        yield from (f"    {line}" for line in _artefact_lines(one))
        rows = [row for operator in one.operators for row in _rows(operator)]
        header = ("OPERATOR", "FOUND", "BUILT", "CENTER", "REGION", "RUN")
        yield from table(header, rows, flexible=0, indent=4)
        yield from (f"    not counted: {excluded}" for excluded in one.excluded)
        yield from (styled(f"    ALARM {alarm}", "red") for alarm in one.alarms)
    if not found.artefacts:
        yield "  nothing is known of it"
    yield from (f"  not counted: {excluded}" for excluded in found.excluded)


def _artefact_lines(one: Consensus) -> Iterator[str]:
    rules = one.rules
    yield "it would pass, were it not for its base" if one.rests_badly else _MEANINGS[one.result]
    if one.base is not None:
        yield str(one.base)
    yield (
        f"{counted(len(one.matched), 'operator')} of {rules.k} needed match, in "
        f"{counted(len(one.regions), 'region')} of {rules.regions} needed"
    )
    if one.unwitnessed:
        yield UNWITNESSED
    if one.matched:
        yield f"work proof: {_PROOFS[one.work_proof]}"


def _rows(found: OperatorFinding) -> Iterator[tuple[str, ...]]:
    """Yield the cells of an operator, once for each of its centers."""
    digests = found.built if found.dissents else None
    built = "as shipped" if found.matching else "-"
    if digests is not None:
        built = short(digests.sha256 or digests.hmac_sha256)
    for one in found.newest:
        where = (one.center.id, one.center.region, short_run(one.run))
        yield (found.operator, str(found.conclusion), built, *where)


def colored(text: str, color: str | None, exit_code: int) -> str:
    """Return a text in its color; nothing is green unless the file is reproduced."""
    return styled(text, None if color == "green" and exit_code else color)


def answer(exit_code: int, undecided: str) -> str:
    """Return what the exit code of a check says of the file."""
    match exit_code:
        case 0:
            return styled("REPRODUCED", "green")
        case 1:
            return styled("NOT REPRODUCED", "red")
        case _:
            return styled(undecided, "yellow")
