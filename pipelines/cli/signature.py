"""`samebits signature`: what a recipe pins of the signature on a shipped file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import SamebitsError, UsageError
from builders.core.escaping import escaped
from builders.core.similar import did_you_mean
from pipelines.cli import options
from pipelines.cli.console import write, write_json
from pipelines.cli.terminal import wants_json

if TYPE_CHECKING:
    from builders.recipe.signature import SignedFormat
    from pipelines.judge.signatures.shown import ShownSignature
    from pipelines.judge.signatures.signature_format import Signer


class NoSignatureError(SamebitsError):
    """A file without a signature that a recipe could pin."""


@click.group(cls=options.Group)
def command() -> None:
    """Show what a recipe pins of the signature on a shipped file."""


@command.command()
@click.argument("file", type=options.PATH)
@click.option("--format", "form", metavar="FORMAT", help="Read FILE as this format of a recipe.")
@options.json
def show(file: Path, form: str | None) -> None:
    """Print the `signature` section of a recipe for a signed FILE, as YAML.

    It names each certificate or key in the signature by its digest: those of signers, those of
    time-stamp authorities, and others. That says who signed, not who should have: compare them
    with what the vendor publishes, or with the last release, before you pin them.

    \b
    Examples:
      samebits signature show shimx64.efi.signed
      samebits signature show --format cab driver.cab --json

    Exit codes: 0 the signatures verify; 1 they do not; 2 there is none; 64 FILE cannot be read.
    """
    from builders.jail import ParserJail
    from pipelines.judge.signatures.shown import SHOW, FormatChoice
    from pipelines.judge.signatures.signature_format import Refused

    choice = FormatChoice(format=_format(form) if form else None)
    with (
        options.file_errors(file),
        file.open("rb") as stream,
        closing(ParserJail([SHOW.name])) as jail,
    ):
        shown = jail.run(SHOW, [stream], choice)
    if isinstance(shown, Refused):
        raise NoSignatureError(
            f"{file} has no signature that can be pinned", got=f"{shown.fault}, {shown.detail}"
        )
    refused = shown.verified if isinstance(shown.verified, Refused) else None
    signers = () if isinstance(shown.verified, Refused) else shown.verified.signers
    if wants_json():
        write_json(
            {
                "file": str(file),
                "signature": _section(shown),
                "names": shown.found.names,
                "signers": [one.model_dump(mode="json") for one in signers],
                "fault": None if refused is None else refused.model_dump(mode="json"),
            }
        )
    else:
        told = "signatures that verify" if refused is None else f"{refused.fault}: {refused.detail}"
        write(f"# {escaped(told)}", *map(_signer, signers), *_yaml(shown))
    sys.exit(0 if refused is None else 1)


def _format(name: str) -> SignedFormat:
    from builders.recipe.signature import SignedFormat

    known = [str(one) for one in SignedFormat]
    if name not in known:
        raise UsageError(
            "not a signed format",
            got=ascii(name[:80]),
            expected=f"one of {', '.join(known)}",
            todo=did_you_mean(name, known),
        )
    return SignedFormat(name)


def _section(shown: ShownSignature) -> dict[str, Any]:
    """Return the fields of the section that have a value."""
    document = shown.found.pinned.model_dump(mode="json")
    return {name: value for name, value in document.items() if value}


def _signer(one: Signer) -> str:
    stamped = f", stamped on {one.stamped_on:%Y-%m-%d}" if one.stamped_on else ""
    return escaped(f"# signed by {one.subject}{stamped}")


def _yaml(shown: ShownSignature) -> Iterator[str]:
    """Yield the lines of the section; text of others is in comments alone, escaped."""
    yield "signature:"
    for name, value in _section(shown).items():
        if isinstance(value, str):
            yield f"  {name}: {value}"
            continue
        yield f"  {name}:"
        for pin in value:
            if pin in shown.found.names:
                yield escaped(f"    # {shown.found.names[pin]}")
            yield f"    - {pin}"
