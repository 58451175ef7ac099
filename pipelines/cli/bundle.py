"""`samebits evidence export` and `check`: what a center found, for others to check offline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.errors import SamebitsError, UsageError
from pipelines.cli.options import PATH, center_option, json_option, print_json

if TYPE_CHECKING:
    from pipelines.evidence.check import CheckResult, GivenFile, Trust

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

    Statements, report, public evidence, the center's card and public keys; a plain tar, always the
    same bytes for the same run. Nothing private is read.

    \b
    Example:
      samebits evidence export debian/netbase@6.5 --out netbase.bundle.tar
    """
    from builders.digest import Digest
    from pipelines.center import load_center
    from pipelines.evidence.opening import open_center_store
    from pipelines.evidence.records import find_run
    from pipelines.evidence.release import ReleaseName
    from pipelines.exporting import export as exported
    from pipelines.exporting import write_file

    center = load_center(center_file)
    opened = open_center_store(center.store, center.home / "outbox")
    name = find_run(opened, ReleaseName.parse(release), run, center.id)
    made = exported(opened, name, center)
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
    "--key",
    "keys",
    multiple=True,
    type=PATH,
    metavar="PUBLIC",
    help="The center's public key (PEM), from where you trust it.",
)
@click.option("--builder", metavar="URI", help="The builder that the key is trusted for.")
@json_option
def check(
    bundle: Path,
    files: tuple[Path, ...],
    keys: tuple[Path, ...],
    builder: str | None,
    as_json: bool,
) -> None:
    """Check BUNDLE offline, one line a step, and say what it found.

    Keys inside the bundle are not trusted: without --key the best that can come out is exit 2.

    \b
    Examples:
      samebits evidence check netbase.bundle.tar --key center.pub
      samebits evidence check netbase.bundle.tar --key center.pub --file netbase_6.5_all.deb

    Exit codes: 0 all checked and reproduced; 1 something is wrong, or a verdict is not a pass; 2
    something could not be checked; 64 usage.
    """
    import gc

    gc.disable()  # of a short process that leaves no cycles: a tenth of its time
    from builders.smallfile import read_small_file
    from pipelines.evidence.bundle import MAX_BUNDLE
    from pipelines.evidence.check import check_bundle

    given = [_given(path) for path in files]
    data = read_small_file(bundle, limit=MAX_BUNDLE, file=str(bundle))
    result = check_bundle(data, trust=_trust(keys, builder), files=given)
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


def _trust(keys: tuple[Path, ...], builder: str | None) -> Trust:
    from pipelines.evidence.check import Trust
    from pipelines.evidence.publickey import read_public_key
    from pipelines.evidence.signing import read_public_file

    found = []
    for path in keys:
        try:
            found.append(read_public_key(read_public_file(path)))
        except SamebitsError as error:
            raise UsageError(f"the key {path} cannot be used", got=error) from error
    if builder is not None and not found:
        raise UsageError("--builder without --key", todo="Name the key that the builder signs with")
    return Trust(keys=tuple(found), builder=builder)


def _given(path: Path) -> GivenFile:
    from functools import partial

    from builders.digest import digest_file, keyed_digest
    from pipelines.evidence.check import GivenFile

    try:
        return GivenFile(
            name=path.name, sha256=digest_file(path), keyed=partial(keyed_digest, path=path)
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be read", got=error.strerror) from error
