"""`samebits policy`: join, sign, check and compare policies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.smallfile import read_small_file
from pipelines.cli import options
from pipelines.cli.terminal import show, wants_json, warn

if TYPE_CHECKING:
    from pipelines.policy import Policy

_COUNT = click.IntRange(min=1)


@click.group(cls=options.Group)
def command() -> None:
    """Join, sign, check and compare policies."""


@command.command()
@click.argument("source", type=options.PATH, metavar="POLICY.yaml")
@options.key("operator")
@click.option("--operator", required=True, metavar="NAME", help="The name in the policy.")
@options.file("--out", required=True, help="The signed policy.")
@options.json
def sign(source: Path, key_file: Path, operator: str, out: Path) -> None:
    """Sign POLICY.yaml as one of its operators.

    Every key is put inline, so that the signed file needs no other file. If FILE exists, the
    signature is added to it; a FILE with another policy is refused.

    \b
    Examples:
      samebits policy sign policy.yaml --key alpha.key --operator alpha \\
          --out policy.dsse.json
      samebits policy sign policy.yaml --key beta.key --operator beta \\
          --out policy.dsse.json
    """
    from pipelines.policy import read_policy, read_signed
    from pipelines.policy.signed_policy import add_signature, check_expiry, signed_by
    from pipelines.storage import files as durable

    policy, now = read_policy(source), datetime.now(UTC)
    check_expiry(policy, now)
    existing = read_signed(_bytes(out)) if out.exists() else None
    signed = add_signature(policy, operator, options.open_key(key_file), to=existing)
    durable.replace(out, signed.envelope.to_bytes() + b"\n", mode=0o644)
    good = signed_by(signed, policy)
    show(
        {**_about(policy, now), "sha256": str(signed.digest), "signed_by": list(good)},
        f"{out}: version {policy.version}",
        f"sha256      {signed.digest}",
        f"signed by {', '.join(good)}: {len(good)} of {policy.threshold} needed",
    )


@command.command()
@click.argument("sources", nargs=-1, required=True, type=options.PATH, metavar="POLICY.yaml...")
@options.file("--out", required=True, help="The joint policy, as YAML.")
@click.option(
    "--threshold",
    type=_COUNT,
    help="Operators that must sign a policy; by default more than half of them.",
)
@click.option("--k", type=_COUNT, help="Operators that must match; by default two.")
@click.option(
    "--regions",
    type=_COUNT,
    help="Regions of these operators; by default as many as --k, where there are as many.",
)
@click.option(
    "--version", type=_COUNT, help="By default one more than the highest of the policies."
)
@options.json
def join(sources: tuple[Path, ...], out: Path, **given: int | None) -> None:
    """Join the policies that centers made for themselves into one for all their operators.

    It has all their operators, centers and reviewers, and of two numbers the stricter one; the
    centers witness each other's logs. Every key is put inline, so that FILE needs no other file.
    Each operator reads it and signs it with `samebits policy sign`, into one signed policy. An
    existing FILE is not replaced.

    \b
    Example:
      samebits policy join europe.yaml asia.yaml americas.yaml \\
          --k 2 --out joint.yaml
      samebits policy sign joint.yaml --key operator.key --operator eu-trust \\
          --out policy.dsse.json
    """
    from pipelines.policy import read_policy
    from pipelines.policy.joint import JoinOptions, join_policies, to_yaml
    from pipelines.storage import files as durable

    options.require_new(out)
    joint = join_policies([read_policy(source) for source in sources], JoinOptions(**given))
    durable.replace(out, to_yaml(joint).encode(), mode=0o644)
    rules, operators = joint.consensus, ", ".join(o.name for o in joint.operators)
    show(
        _about(joint, datetime.now(UTC)),
        f"{out}: version {joint.version}, expires {joint.expires:%Y-%m-%d}",
        f"operators   {operators} ({joint.threshold} must sign it)",
        f"centers     {', '.join(c.id for c in joint.centers)}",
        f"confirmed   by {rules.k} operators in {rules.regions} regions",
    )


@command.command()
@click.argument("file", type=options.PATH)
@options.file("--trusted", metavar="OLD", help="The policy before it, already trusted.")
@options.json
def check(file: Path, trusted: Path | None) -> None:
    """Check that the signed policy in FILE is valid now, and may follow OLD if that is given.

    It must be signed by a threshold of its own operators and of those of OLD, not have expired, and
    have a higher version than OLD. What expires within 30 days gives a warning.

    \b
    Examples:
      samebits policy check policy.dsse.json
      samebits policy check new.dsse.json --trusted policy.dsse.json

    Exit codes: 0 valid; 1 refused; 64 a file cannot be read.
    """
    from pipelines.policy import expiry_warnings, open_policy, read_signed
    from pipelines.policy.signed_policy import check_operator_signatures, signed_by

    now = datetime.now(UTC)
    old = read_signed(_bytes(trusted), accepted_before=True) if trusted else None
    if old is not None:
        check_operator_signatures(old)  # it may have expired: its successor is valid all the same
    signed = open_policy(_bytes(file), now=now, trusted=old)
    policy, about = signed.policy, _about(signed.policy, now)
    good, warnings = list(signed_by(signed, policy)), list(expiry_warnings(policy, now))
    before = old.policy.version if old else None
    lines = [
        f"version     {policy.version}",
        f"sha256      {signed.digest}",
        f"expires     {about['expires']}, in {about['days_left']} days",
        f"signed by   {', '.join(good)} ({policy.threshold} of {len(policy.operators)} needed)",
        f"centers     {', '.join(about['centers'])}",
    ]
    if old is not None:
        lines.append(f"follows     version {before}, as its operators have signed")
    about |= {"sha256": str(signed.digest), "signed_by": good, "trusted_version": before}
    show({**about, "warnings": warnings}, *lines)
    for warning in () if wants_json() else warnings:
        warn(warning)


@command.command()
@click.argument("old", type=options.PATH)
@click.argument("new", type=options.PATH)
@options.json
def diff(old: Path, new: Path) -> None:
    """Show what NEW changes. Both are signed policies or YAML; signatures are not verified.

    \b
    Example:
      samebits policy diff policy.dsse.json policy.yaml
    """
    from pipelines.policy.changes import changes

    found = changes(_either(old), _either(new))
    show(
        {"changes": [change.to_dict() for change in found]}, *(found or ["the policies are equal"])
    )


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
    """Read a signed policy, which starts with a brace, or YAML."""
    from pipelines.policy import read_policy, read_signed

    data = _bytes(path)
    signed = data.lstrip().startswith(b"{")
    return read_signed(data, accepted_before=True).policy if signed else read_policy(path)


def _bytes(path: Path) -> bytes:
    from pipelines.policy.signed_policy import MAX_FILE

    return read_small_file(path, limit=MAX_FILE, file=str(path))
