"""`samebits center`: another key, or another log.

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

    The former key stays in the key folder under its key id. For a key that is not a file, name the
    new one in the center's file first, with another `public`. One in a PKCS#11 token is made there;
    any other has to be there.

    The key of the log is the identity of the log: a new one is a new log, which
    `samebits center new-log` begins.

    \b
    Examples:
      samebits center rotate-key statements --center europe.yaml
      samebits center rotate-key witness --center europe.yaml --out next.yaml
    """
    from pipelines.center.keys import key_elsewhere
    from pipelines.center.rotation import RotatedUse
    from pipelines.center.rotation import rotate_key as rotate
    from pipelines.services.stopped import require_stopped

    if use == "log":
        raise UsageError(
            "the key of a log is not changed: it is the identity of the log",
            got="log",
            expected="statements, or witness",
            todo="`samebits center new-log` begins a new log with a new key",
        )
    if use == "witness" and until is not None:
        raise UsageError("a witness's key has no log sizes", got=f"--until {until}")
    require_stopped(center)
    if use in center.key_sources:
        key_elsewhere(center, cast("RotatedUse", use))
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


@click.command("new-log")
@click.option("--id", "id_", metavar="ID", help="The new center's id; by default a number more.")
@options.file("--out", help="The new center's file, beside the old one; by default `ID.yaml`.")
@click.option("--store", metavar="ADDRESS", help="Its store; by default named after the old one.")
@click.option(
    "--until",
    type=click.IntRange(min=0),
    metavar="SIZE",
    help="Log size at which the old log ends; by default what a peer has cosigned last.",
)
@options.json
@options.center_file
def new_log(
    center: Center, id_: str | None, out: Path | None, store: str | None, until: int | None
) -> None:
    """Begin a new log under a new origin, for a center whose log cannot go on.

    That is a center whose home and store were both brought back from a backup that is older than
    what its peers have cosigned, or one that lost the key of its log. The origin of a log follows
    from the center's id, so this makes a center with another id: a file, a home with new keys, and
    the address of an empty store. The old center is stopped for good. What it logged before it ends
    still counts.

    The policy ends the old center's keys and names the new center. A center that goes by its own
    policy has the changed one signed and in force at once; a joint policy is written as a proposal,
    which its operators sign with `samebits policy sign`.

    \b
    Examples:
      samebits center new-log --center europe.yaml
      samebits center new-log --id europe-b \\
          --store s3://evidence/europe-b --center europe.yaml
    """
    from pipelines.center.successor import next_id, succeed
    from pipelines.services.stopped import require_stopped

    require_stopped(center)
    id_ = id_ or next_id(center.id)
    folder = center.file.parent if center.file else Path()
    out = out or folder / f"{id_}.yaml"
    options.require_new(out)
    made = succeed(center, id_=id_, out=out, store=store, until=until, now=datetime.now(UTC))
    seen = "no peer has cosigned any" if made.cosigned is None else f"{made.cosigned} cosigned"
    show(
        {
            "center": made.center.id,
            "origin": made.center.origin,
            "file": str(out),
            "home": str(made.center.home),
            "former": {
                "center": center.id,
                "size": made.size,
                "cosigned": made.cosigned,
                "stored": made.stored,
            },
            "policy": _policy_document(made.policy),
        },
        f"center {made.center.id} begins the log {made.center.origin}",
        f"  its file is {out}, its home {made.center.home}",
        f"the log of {center.id} ended at size {made.size}: {made.stored} leaves stored, {seen}",
        *made.policy.lines(),
        f"Peers name {made.center.id} and its store in their files, in the place of {center.id}.",
    )


COMMANDS = (rotate_key, new_log)
