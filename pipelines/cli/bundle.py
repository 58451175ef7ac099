"""`samebits evidence check`: a bundle checked offline. Imports little, to start fast."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import SamebitsError, UsageError
from pipelines.cli.options import (
    PATH,
    duration_option,
    file_errors,
    json_option,
    show,
)

if TYPE_CHECKING:
    from pipelines.bundle.check import CheckResult, GivenFile
    from pipelines.evidence.publickey import PublicKey

_COLORS = {"ok": "green", "note": None, "unchecked": "yellow", "wrong": "red"}


@click.command()
@click.argument("bundle", type=PATH)
@click.option(
    "--file", "files", multiple=True, type=PATH, metavar="ARTEFACT", help="A file to look up in it."
)
@click.option(
    "--policy", type=PATH, metavar="FILE", help="The signed policy, from a source that you trust."
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
@duration_option(
    "--max-age",
    help="Refuse a checkpoint that no witness has cosigned for so long, such as 720h.",
)
@json_option
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
    from builders.core.smallfile import read_small_file
    from pipelines.bundle import MAX_BUNDLE
    from pipelines.bundle.check import Trust, check_bundle
    from pipelines.bundle.layout import MAX_POLICY

    given = [_given(path) for path in files]
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
    show({"bundle": str(bundle), **result.to_dict()}, *_lines(result))
    sys.exit(result.exit_code)


def _lines(result: CheckResult) -> Iterator[str]:
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


def _given(path: Path) -> GivenFile:
    from builders.core.digest import digest_file, keyed_digest
    from pipelines.bundle.check import GivenFile

    with file_errors(path):
        keyed = partial(keyed_digest, path=path)
        return GivenFile(name=path.name, sha256=digest_file(path), keyed=keyed)
