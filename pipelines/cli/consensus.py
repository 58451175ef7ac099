"""`samebits consensus`: what the centers together say of a release."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from pipelines.consensus import Consensus, OperatorFinding, ReleaseConsensus
    from pipelines.evidence.statements.statement import DigestSet

_COLORS = {"CONFIRMED": "green"} | dict.fromkeys(
    ("NOT_CHECKED", "UNBUILDABLE", "PENDING"), "yellow"
)


@click.command()
@click.argument("release", metavar="RELEASE")
@click.option("--claim", metavar="SHA256", help="Join this claim, not the center's newest one.")
@click.option(
    "--publish", is_flag=True, help="Sign a summary of each artefact, and keep and log it."
)
@json_option
@center_option
def command(
    release: str, claim: str | None, publish: bool, as_json: bool, center_file: Path | None
) -> None:
    """Join what this center and its peers found for RELEASE (vendor/product@version).

    Only statements count that are signed by keys of the policy, where the logs of the centers have
    them; whatever does not count is named, with the reason.

    \b
    Examples:
      samebits consensus debian/netbase@6.5 --center europe.yaml
      samebits consensus debian/netbase@6.5 --publish --json

    Exit codes: 0 every artefact confirmed, or passed within the dissent that the policy allows;
    1 suspect, split or nondeterministic, or a region was served another file; 2 anything else.
    """
    from datetime import UTC, datetime

    from pipelines.consensus.view import join_release
    from pipelines.evidence.release import ReleaseName
    from pipelines.nightly.periodic import publish_joined

    name, asked = ReleaseName.parse(release), _claim(claim)
    now = datetime.now(UTC)
    session = open_session(center_file)
    view = session.consensus_view(now)
    joined = join_release(view, name, claim=asked)
    made = publish_joined(session, view, joined, now) if publish else ()
    found = joined.consensus
    if as_json:
        print_json({**found.to_dict(), "published": [one.name for one in made]})
        sys.exit(found.exit_code)
    _show(found)
    for one in made:
        click.echo(f"  signed {one.name}")
    sys.exit(found.exit_code)


def _claim(text: str | None) -> DigestSet | None:
    from builders.core.digest import Digest
    from builders.core.errors import UsageError
    from pipelines.evidence.statements.statement import DigestSet as Claim

    if text is None:
        return None
    try:
        return Claim(sha256=Digest.parse(text))
    except ValueError as error:
        raise UsageError("not a claim", got=error, expected="64 lower-case hex digits") from error


def _show(found: ReleaseConsensus) -> None:
    click.secho(f"{found.release}", bold=True)
    for one in found.artefacts:
        _show_artefact(one)
    if not found.artefacts:
        click.echo("  nothing is known of it")
    for excluded in found.excluded:
        click.echo(f"  not counted: {excluded}")


def _show_artefact(one: Consensus) -> None:
    result = click.style(f"{one.result:<16}", fg=_COLORS.get(one.result, "red"))
    click.echo(f"  {result} {one.subject.artefact}")
    rules = one.rules
    click.echo(
        f"{'':19}{len(one.matched)} of {rules.k} operators match, in {len(one.regions)} of "
        f"{rules.regions} regions; work proof: {one.work_proof}"
    )
    for operator in one.operators:
        click.echo(f"{'':19}- {operator.operator}: {_details(operator)}")
    for excluded in one.excluded:
        click.echo(f"{'':19}- not counted: {excluded}")
    for alarm in one.alarms:
        click.secho(f"{'':19}! {alarm}", fg="red")


def _details(found: OperatorFinding) -> str:
    digests = found.built if found.dissents else None
    built = f" sha256 {digests.sha256 or digests.hmac_sha256}" if digests else ""
    where = ", ".join(f"{f.center.id} ({f.center.region}) {f.run}" for f in found.newest)
    return f"{found.conclusion}{built}, {where}"
