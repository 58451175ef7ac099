"""`samebits evidence check`: a bundle checked offline.

It runs for a tenth of a second, and imports no more than it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.enums import Verdict
from builders.core.errors import SamebitsError, UsageError
from pipelines.cli import options
from pipelines.cli.console import styled
from pipelines.cli.layout import shortened, table
from pipelines.cli.terminal import counted, show

if TYPE_CHECKING:
    from pipelines.bundle.check import CheckResult
    from pipelines.evidence.publickey import PublicKey

_COLORS = {"ok": "green", "note": None, "unchecked": "yellow", "wrong": "red"}
_HARMLESS = {Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED, Verdict.NOT_CHECKED}


@click.command()
@click.argument("bundle", type=options.PATH)
@options.file("--file", "files", multiple=True, metavar="ARTEFACT", help="A file to look up in it.")
@options.file(
    "--base",
    "bases",
    multiple=True,
    metavar="BUNDLE",
    help="Of an update: the bundle of the run that judged its base. Can be given several times.",
)
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
@options.wide
@options.json
def check(
    bundle: Path,
    files: tuple[Path, ...],
    bases: tuple[Path, ...],
    policy: Path | None,
    keys: tuple[Path, ...],
    builder: str | None,
    max_age: timedelta | None,
) -> None:
    """Check BUNDLE offline: the answer in one sentence, then a line for each check.

    Nothing inside the bundle is trusted by itself: without --policy the best result is exit code 2.
    The policy names the keys of centers, logs and witnesses. A check is `ok`; a `note` if there was
    nothing to check; `unchecked`, which is never a pass; or `wrong`, which ends the checks.

    \b
    Examples:
      samebits evidence check netbase.bundle.tar --policy policy.dsse.json
      samebits evidence check netbase.bundle.tar --policy policy.dsse.json \\
          --file netbase_6.5_all.deb --max-age 720h
      samebits evidence check rules-1.1.bundle.tar --policy policy.dsse.json \\
          --base rules-1.0.bundle.tar

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
    others = [read_small_file(path, limit=MAX_BUNDLE, file=str(path)) for path in bases]
    result = check_bundle(data, trust=trust, files=given, bases=others)
    show({"bundle": str(bundle), **result.to_dict()}, *_lines(result))
    sys.exit(result.exit_code)


def _public_key(path: Path) -> PublicKey:
    from pipelines.evidence.publickey import load_public_key

    try:
        return load_public_key(path)
    except SamebitsError as error:
        raise UsageError(f"the key {path} cannot be used", got=error) from error


def _lines(result: CheckResult) -> Iterator[str]:
    """Yield the answer, then every check. Green is for a result that is a pass as a whole."""
    word, sentence = _answer(result)
    color = {0: "green", 1: "red"}.get(result.exit_code, "yellow")
    yield f"{styled(word, color, bold=True)}: {sentence}"
    if result.artefacts:
        found = [(str(a.verdict), a.name) for a in result.artefacts]
        found += [(f.verdict or "not in it", f"{f.file}, the given file") for f in result.files]
        yield ""
        yield from table(("VERDICT", "FILE"), found)
    colors = _COLORS if result.exit_code == 0 else {**_COLORS, "ok": None}
    yield ""
    yield from table(
        ("RESULT", "CHECK", "FOUND"),
        [(styled(s.status, colors[s.status]), s.name, shortened(s.message)) for s in result.steps],
    )


def _answer(result: CheckResult) -> tuple[str, str]:
    """Return what the exit code means, as one word or two and a sentence."""
    first = {str(step.status): step.message for step in reversed(result.steps)}
    if "wrong" in first:
        return "REFUSED", f"the bundle proves nothing: {_what(first['wrong'])}."
    about = f"{result.release}, by center {result.center}"
    if result.exit_code == 1:
        worst = [a for a in result.artefacts if a.verdict not in _HARMLESS]
        names = ", ".join(f"{a.name} is {a.verdict}" for a in worst)
        return "NOT REPRODUCED", f"{about}: {names}."
    if "unchecked" in first:
        return "NOT PROVEN", f"{about}: {_what(first['unchecked'])}."
    if result.exit_code:
        return "NOT CHECKED", f"{about}: the run has no verdict (outcome {result.outcome})."
    given = [f.file for f in result.files]
    what = ", ".join(given) or counted(len(result.artefacts), "artefact")
    verb = "are" if len(given or result.artefacts) > 1 else "is"
    passed = sum(step.status == "ok" for step in result.steps)
    return "REPRODUCED", f"{about}: {what} {verb} bit for bit as rebuilt; {passed} checks passed."


def _what(message: str) -> str:
    """Return what is wrong, without what was got and expected."""
    return message.partition("; ")[0]
