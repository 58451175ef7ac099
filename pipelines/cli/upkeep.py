"""`samebits center`: back a center up, restore it, change its keys, and remove what is not needed.

`pipelines.cli.center` adds these commands to its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from builders.core.errors import UsageError
from pipelines.cli import options
from pipelines.cli.terminal import show

if TYPE_CHECKING:
    from pipelines.center.center import Center
    from pipelines.center.next_policy import NextPolicy
    from pipelines.verify.session import Session

COMMANDS: list[click.Command] = []


def _signing(center: Center) -> Session:
    """Return a session that signs in this process: the center's own signer does not run now."""
    from pipelines.verify.session import Session

    return Session(center.model_copy(update={"signer": None}))


def _policy_document(policy: NextPolicy) -> dict[str, Any]:
    return {
        "version": policy.policy.version,
        "file": str(policy.file),
        "in_force": policy.in_force,
        "changes": [change.to_dict() for change in policy.changes],
    }


@click.command("rotate-key")
@click.argument("use", type=click.Choice(["statements", "witness", "log"]))
@click.option(
    "--until",
    type=click.IntRange(min=0),
    metavar="SIZE",
    help="End the former key for statements at this earlier log size, such as when it was lost.",
)
@options.file("--out", help="Write the changed policy to FILE, and sign nothing.")
@options.json
@options.center_file
def rotate_key(center: Center, use: str, until: int | None, out: Path | None) -> None:
    """Make a new key for statements or for the witness, and the policy that names it.

    The center must be stopped. Statements that the former key signed before the change still count,
    and later ones do not: the policy says at which log size the one ends and the other begins. A
    center that goes by its own policy has the changed one signed and in force at once. A joint
    policy is written as a proposal, which its operators sign with `samebits policy sign`. Until it
    is in force nothing counts of a release for which the new key has signed; then all of it does.

    The former key stays in the key folder under its key id. A key that is not a file is made where
    it is kept: name the new one in the center's file first, and this command writes the policy.

    The key of the log is the identity of the log: a new one is a new log.

    \b
    Examples:
      samebits center rotate-key statements --center europe.yaml
      samebits center rotate-key witness --center europe.yaml --out next.yaml
    """
    from pipelines.center.rotation import RotatedUse
    from pipelines.center.rotation import rotate_key as rotate
    from pipelines.services.stopped import require_stopped

    if use == "log":
        raise UsageError(
            "the key of a log is not changed: it is the identity of the log",
            got="log",
            expected="statements, or witness",
            todo="Start a new center, as the how-to for operators has it",
        )
    if use == "witness" and until is not None:
        raise UsageError("a witness's key has no log sizes", got=f"--until {until}")
    require_stopped(center)
    with _signing(center) as session:
        made = rotate(
            center,
            session.logbook(),
            cast("RotatedUse", use),
            now=datetime.now(UTC),
            until=until,
            out=out,
        )
    former = made.former.keyid if made.former else None
    begins = "" if made.size is None else f", from log size {made.size} on"
    show(
        {
            "center": center.id,
            "use": use,
            "former": former,
            "key": made.key.keyid,
            "size": made.size,
            "policy": _policy_document(made.policy),
        },
        f"center {center.id} signs as {use} with key {made.key.keyid}{begins}",
        *made.policy.lines(),
    )


COMMANDS.append(rotate_key)
