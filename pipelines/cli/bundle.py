"""`samebits evidence export` and `check`: what a center found, for others to check offline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import SamebitsError, UsageError
from pipelines.cli.options import PATH, center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from datetime import timedelta

    from pipelines.bundle.check import CheckResult, GivenFile, Trust

_COLORS = {"ok": "green", "note": None, "unchecked": "yellow", "wrong": "red"}


@click.command()
@click.argument("release", metavar="RELEASE")
@click.option("--run", default="latest", show_default=True, help="Id of the run.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="Where to write the bundle.")
@json_option
@center_option
def export(
    release: str,
    run: str,
    out: Path,
    as_json: bool,
    center_file: Path | None,
) -> None:
    """Write one bundle: all that is public about a run of RELEASE (vendor/product@version).

    Statements, report, public evidence, the center's card and public keys, the leaves of its log
    with their proofs, and its policy; a plain tar. Nothing private is read.

    \b
    Example:
      samebits evidence export debian/netbase@6.5 --out netbase.bundle.tar
    """
    from datetime import UTC, datetime

    from builders.core.digest import Digest
    from pipelines.bundle.export import export as exported
    from pipelines.bundle.export import write_file
    from pipelines.center.export import export_source
    from pipelines.evidence.release import ReleaseName
    from pipelines.evidence.stored_runs import find_run

    session = open_session(center_file)
    center = session.center
    now = datetime.now(UTC)
    name = find_run(session.store, ReleaseName.parse(release), run, center.id)
    book = session.logbook()
    book.settle()
    policy = session.policy(now)
    made = exported(session.store, name, export_source(center, book.log), policy=policy, now=now)
    write_file(out, made.data)
    for left in made.left_out:
        click.echo(f"samebits: evidence {left} is too large for a bundle; left out", err=True)
    digest = Digest.of(made.data)
    if as_json:
        print_json(
            {
                "file": str(out),
                "sha256": str(digest),
                "size": len(made.data),
                "run": name.run,
                "left_out": list(made.left_out),
            }
        )
    else:
        click.echo(f"{digest}  {out}")
        click.echo(f"  run {name.run} of {name.release}, {len(made.data)} bytes")


@click.command()
@click.argument("bundle", type=PATH)
@click.option(
    "--file", "files", multiple=True, type=PATH, metavar="ARTEFACT", help="A file to look up in it."
)
@click.option(
    "--policy", type=PATH, metavar="FILE", help="The signed policy, from where you trust it."
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=PATH,
    metavar="PUBLIC",
    help="The center's public key (PEM) in place of a policy; its log is then not checked.",
)
@click.option("--builder", metavar="URI", help="The builder that the key is trusted for.")
@click.option(
    "--max-age",
    metavar="DURATION",
    help="Refuse a checkpoint that no witness has seen for so long, such as 720h.",
)
@json_option
def check(
    bundle: Path,
    files: tuple[Path, ...],
    policy: Path | None,
    keys: tuple[Path, ...],
    builder: str | None,
    max_age: str | None,
    as_json: bool,
) -> None:
    """Check BUNDLE offline, one line a step, and say what it found.

    Nothing inside the bundle is trusted by itself: without --policy the best that can come out is
    exit 2. The policy names the keys of centers, logs and witnesses.

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
    from builders.core.smallfile import read_small_file
    from pipelines.bundle import MAX_BUNDLE
    from pipelines.bundle.check import check_bundle

    given = [_given(path) for path in files]
    data = read_small_file(bundle, limit=MAX_BUNDLE, file=str(bundle))
    result = check_bundle(data, trust=_trust(policy, keys, builder, max_age), files=given)
    if as_json:
        print_json({"bundle": str(bundle), **result.to_dict()})
    else:
        _show(result)
    sys.exit(result.exit_code)


def _show(result: CheckResult) -> None:
    for step in result.steps:
        status = click.style(f"{step.status:<9}", fg=_COLORS[step.status])
        click.echo(f"{status} {step.name}: {step.message}")
    if result.release:
        click.echo(f"{result.release}, center {result.center}: {result.outcome}")
    for name, verdict in result.artefacts:
        click.echo(f"  {verdict:<16} {name}")
    for answer in result.files:
        click.echo(f"  {answer.file}: {answer.verdict or 'not in this bundle'}")


def _trust(
    policy: Path | None, keys: tuple[Path, ...], builder: str | None, max_age: str | None
) -> Trust:
    from datetime import UTC, datetime

    from builders.core.smallfile import read_small_file
    from pipelines.bundle.check import Trust
    from pipelines.bundle.layout import MAX_POLICY
    from pipelines.evidence.publickey import load_public_key

    if policy is not None and (keys or builder):
        raise UsageError(
            "--policy names keys and builders itself", todo="Leave --key and --builder"
        )
    if max_age is not None and policy is None:
        raise UsageError(
            "--max-age without --policy", todo="Name the policy: it says who the witnesses are"
        )
    found = []
    for path in keys:
        try:
            found.append(load_public_key(path))
        except SamebitsError as error:
            raise UsageError(f"the key {path} cannot be used", got=error) from error
    if builder is not None and not found:
        raise UsageError("--builder without --key", todo="Name the key that the builder signs with")
    return Trust(
        keys=tuple(found),
        builder=builder,
        policy=read_small_file(policy, limit=MAX_POLICY, file=str(policy)) if policy else None,
        now=datetime.now(UTC),
        max_age=_age(max_age),
    )


def _age(text: str | None) -> timedelta | None:
    from datetime import timedelta

    from builders.core.units import parse_duration

    if text is None:
        return None
    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise UsageError(
            "--max-age is no duration", got=ascii(text[:40]), expected=error
        ) from error


def _given(path: Path) -> GivenFile:
    from functools import partial

    from builders.core.digest import digest_file, keyed_digest
    from pipelines.bundle.check import GivenFile

    try:
        return GivenFile(
            name=path.name, sha256=digest_file(path), keyed=partial(keyed_digest, path=path)
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be read", got=error.strerror) from error
