"""`samebits consensus`: what the centers together say of a release."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from builders.core.digest import Digest
from builders.core.errors import UsageError
from pipelines.cli.options import common_options, release_name, show
from pipelines.consensus import Consensus, OperatorFinding, ReleaseConsensus
from pipelines.consensus.release_consensus import join_release
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.statement import DigestSet
from pipelines.nightly.periodic import publish_joined
from pipelines.verify.session import Session

_COLORS = {"CONFIRMED": "green"} | dict.fromkeys(
    ("NOT_CHECKED", "UNBUILDABLE", "PENDING"), "yellow"
)


@click.command()
@click.argument("release", type=release_name)
@click.option("--claim", metavar="SHA256", help="Use this claim, not the center's newest one.")
@click.option("--publish", is_flag=True, help="Sign, store and log a summary for each artefact.")
@common_options
def command(session: Session, release: ReleaseName, claim: str | None, *, publish: bool) -> None:
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
    wanted = _parse_claim(claim)
    now = datetime.now(UTC)
    view = session.consensus_view(now)
    joined = join_release(view, release, claim=wanted)
    made = publish_joined(session, view, joined, now) if publish else ()
    found = joined.consensus
    show(
        {**found.to_dict(), "published": [one.name for one in made]},
        *_lines(found),
        *(f"  signed {one.name}" for one in made),
    )
    sys.exit(found.exit_code)


def _parse_claim(text: str | None) -> DigestSet | None:
    try:
        return None if text is None else DigestSet(sha256=Digest.parse(text))
    except ValueError as error:
        raise UsageError("not a claim", got=error, expected="64 lower-case hex digits") from error


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
