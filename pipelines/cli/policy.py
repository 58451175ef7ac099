"""`samebits policy`: join, sign, check and compare what says who counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import UsageError
from pipelines.cli.options import PATH, json_option, print_json

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.policy import Policy, SignedPolicy


@click.group()
def command() -> None:
    """Join, sign, check and compare policies."""


@command.command()
@click.argument("source", type=PATH, metavar="POLICY.yaml")
@click.option(
    "--key", "key_file", type=PATH, required=True, metavar="FILE", help="The operator's key."
)
@click.option("--operator", required=True, metavar="NAME", help="As the policy has it.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="The signed policy.")
@json_option
def sign(source: Path, key_file: Path, operator: str, out: Path, as_json: bool) -> None:
    """Sign POLICY.yaml as one of its operators.

    Every key is put inline, so that the signed file stands alone. If FILE is there already, the
    signature is added to it; a FILE with another policy is refused.

    \b
    Examples:
      samebits policy sign policy.yaml --key alpha.key --operator alpha --out policy.dsse.json
      samebits policy sign policy.yaml --key beta.key --operator beta --out policy.dsse.json
    """
    from datetime import UTC, datetime

    from pipelines.evidence.privatekey import load_key
    from pipelines.policy import read_policy
    from pipelines.policy.signed_policy import add_signature, check_expiry, signed_by
    from pipelines.storage import files as durable

    policy = read_policy(source)
    now = datetime.now(UTC)
    check_expiry(policy, now)
    if key_file.suffix != ".key":
        raise UsageError(
            "a private key is a file that ends in .key", got=key_file, expected="such as alpha.key"
        )
    there = _read(out) if out.exists() else None
    signed = add_signature(policy, operator, load_key(key_file.parent, key_file.stem), to=there)
    durable.replace(out, signed.envelope.to_bytes() + b"\n", mode=0o644)
    good = signed_by(signed, policy)
    if as_json:
        print_json({**_about(policy, now), "sha256": str(signed.digest), "signed_by": list(good)})
        return
    click.echo(f"{out}: version {policy.version}, sha256 {signed.digest}")
    click.echo(f"signed by {', '.join(good)}: {len(good)} of the {policy.threshold} it takes")


@command.command()
@click.argument("sources", nargs=-1, required=True, type=PATH, metavar="POLICY.yaml...")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="The joint policy, as YAML.")
@click.option(
    "--threshold",
    type=click.IntRange(min=1),
    help="Operators that sign a policy; by default more than half of them.",
)
@click.option(
    "--k", type=click.IntRange(min=1), help="Operators that have to match; by default two."
)
@click.option(
    "--regions",
    type=click.IntRange(min=1),
    help="Regions in which they are; by default as many as --k, where there are as many.",
)
@click.option(
    "--version",
    type=click.IntRange(min=1),
    help="By default one more than the newest of the policies.",
)
@json_option
def join(
    sources: tuple[Path, ...],
    out: Path,
    threshold: int | None,
    k: int | None,
    regions: int | None,
    version: int | None,
    as_json: bool,
) -> None:
    """Join the policies that centers made for themselves into one for all their operators.

    It has all their operators, centers and reviewers, and of two numbers the stricter one; the
    centers witness each other's logs. Every key is put inline, so that FILE can travel: each
    operator reads it and signs it with `samebits policy sign`, into one signed policy. A FILE that
    is there is not replaced.

    \b
    Example:
      samebits policy join europe.yaml asia.yaml americas.yaml --k 2 --out joint.yaml
      samebits policy sign joint.yaml --key operator.key --operator eu-trust --out policy.dsse.json
    """
    from datetime import UTC, datetime

    from pipelines.policy import read_policy
    from pipelines.policy.joint import JoinOptions, join_policies, to_yaml
    from pipelines.storage import files as durable

    if out.exists():
        raise UsageError(
            "the joint policy is not written over another file",
            got=out,
            expected="a new file",
            todo="Name another one with --out",
        )
    options = JoinOptions(version=version, threshold=threshold, k=k, regions=regions)
    joint = join_policies([read_policy(source) for source in sources], options)
    durable.replace(out, to_yaml(joint).encode(), mode=0o644)
    if as_json:
        print_json(_about(joint, datetime.now(UTC)))
        return
    rules = joint.consensus
    click.echo(f"{out}: version {joint.version}, expires {joint.expires:%Y-%m-%d}")
    click.echo(
        f"operators   {', '.join(o.name for o in joint.operators)} ({joint.threshold} sign it)"
    )
    click.echo(f"centers     {', '.join(c.id for c in joint.centers)}")
    click.echo(f"confirmed   by {rules.k} operators in {rules.regions} regions")


@command.command()
@click.argument("file", type=PATH)
@click.option(
    "--trusted", type=PATH, metavar="OLD", help="The policy before it, which you trust already."
)
@json_option
def check(file: Path, trusted: Path | None, as_json: bool) -> None:
    """Check that the signed policy in FILE counts now, as a step from OLD if that is given.

    It must be signed by a threshold of its own operators and of those of OLD, not have expired, and
    have a higher version than OLD. What ends within 30 days is a warning.

    \b
    Examples:
      samebits policy check policy.dsse.json
      samebits policy check new.dsse.json --trusted policy.dsse.json

    Exit codes: 0 it counts; 1 it is refused; 64 a file cannot be read.
    """
    from datetime import UTC, datetime

    from pipelines.policy import expiry_warnings, open_policy
    from pipelines.policy.signed_policy import check_operator_signatures, signed_by

    now = datetime.now(UTC)
    old = _read(trusted) if trusted else None
    if old is not None:
        check_operator_signatures(old)  # it may have expired: the step away from it still counts
    signed = open_policy(_bytes(file), now=now, trusted=old)
    policy = signed.policy
    good = list(signed_by(signed, policy))
    warnings = list(expiry_warnings(policy, now))
    if as_json:
        about = {**_about(policy, now), "sha256": str(signed.digest), "signed_by": good}
        before = old.policy.version if old else None
        print_json({**about, "trusted_version": before, "warnings": warnings})
        return
    shown = _about(policy, now)
    click.echo(f"version     {policy.version}, sha256 {signed.digest}")
    click.echo(f"expires     {shown['expires']}, in {shown['days_left']} days")
    click.echo(
        f"signed by   {', '.join(good)} ({policy.threshold} of {len(policy.operators)} needed)"
    )
    click.echo(f"centers     {', '.join(c.id for c in policy.centers)}")
    if old is not None:
        click.echo(f"follows     version {old.policy.version}, as its operators say")
    for warning in warnings:
        click.echo(f"samebits: {warning}", err=True)


@command.command()
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@json_option
def diff(old: Path, new: Path, as_json: bool) -> None:
    """Show what NEW changes. Both are signed policies or YAML; signatures are not verified.

    \b
    Example:
      samebits policy diff policy.dsse.json policy.yaml
    """
    from pipelines.policy.changes import changes

    found = changes(_either(old), _either(new))
    if as_json:
        print_json({"changes": [change.to_dict() for change in found]})
        return
    for change in found:
        click.echo(change)
    if not found:
        click.echo("nothing differs")


def _about(policy: Policy, now: datetime) -> dict[str, Any]:
    from pipelines.evidence.statements.statement import show_time

    return {
        "version": policy.version,
        "expires": show_time(policy.expires),
        "days_left": (policy.expires - now).days,
        "threshold": policy.threshold,
        "operators": [operator.name for operator in policy.operators],
        "centers": [center.id for center in policy.centers],
    }


def _either(path: Path) -> Policy:
    """Read a policy in the form that its first byte tells."""
    from pipelines.policy import read_policy, read_signed

    data = _bytes(path)
    return read_signed(data).policy if data.lstrip().startswith(b"{") else read_policy(path)


def _read(path: Path) -> SignedPolicy:
    from pipelines.policy import read_signed

    return read_signed(_bytes(path))


def _bytes(path: Path) -> bytes:
    from builders.core.smallfile import read_small_file
    from pipelines.policy.signed_policy import MAX_FILE

    return read_small_file(path, limit=MAX_FILE, file=str(path))
