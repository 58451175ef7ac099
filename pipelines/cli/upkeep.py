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
from pipelines.cli.terminal import counted, screen, show

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

    The key of the log is the identity of the log: a new one is a new log, which
    `samebits center new-log` begins.

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
            todo="`samebits center new-log` begins a new log with a new key",
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
      samebits center new-log --id europe-b --store s3://evidence/europe-b --center europe.yaml
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


@click.command()
@click.argument("path", type=options.PATH, metavar="FILE|FOLDER")
@click.option("--without-vault", is_flag=True, help="Leave out the inputs of rebuilds.")
@options.json
@options.center_file
def backup(center: Center, path: Path, *, without_vault: bool) -> None:
    """Write a consistent copy of the center's home to a new FILE; the center may be at work.

    In a FOLDER the file gets a name of center and time. The copy has the store, if that is below
    the home, and everything else that cannot be made again: policy, what was witnessed, statements
    and evidence that wait, requests, definitions of derived images. It has no private keys: copy
    these by hand, once, to a safe place. A store in S3 or in another folder has a backup of its
    own.

    Whoever can change the file can change what is restored from it: keep its SHA-256 elsewhere.

    \b
    Examples:
      samebits center backup /backup --center europe.yaml
      samebits center backup /backup/europe.tar --without-vault --center europe.yaml
    """
    from pipelines.center.backup import back_up, backup_name

    now = datetime.now(UTC)
    path = path / backup_name(center, now) if path.is_dir() else path
    options.require_new(path)
    with screen() as sink:
        sink.step(center.id, "copying the home")
        made = back_up(
            center,
            path,
            now=now,
            vault=not without_vault,
            count=lambda done, total: sink.detail(center.id, f"{done}/{total} files"),
        )
    store = "the store is in it" if made.manifest.store else f"not in it: the store {center.store}"
    show(
        {
            "center": center.id,
            "file": str(path),
            "sha256": str(made.sha256),
            "files": len(made.manifest.files),
            "bytes": made.bytes,
            "store": made.manifest.store,
            "vault": made.manifest.vault,
            "left_out": list(made.left_out),
        },
        f"{path}: {len(made.manifest.files)} files, {made.bytes} bytes; {store}",
        f"sha256 {made.sha256}",
        *(f"left out, this user cannot read it: {name}" for name in made.left_out),
    )


@click.command()
@click.argument("path", type=options.PATH, metavar="FILE")
@click.option("--sha256", metavar="DIGEST", help="Refuse a FILE with another digest.")
@options.json
@options.center_file
def restore(center: Center, path: Path, sha256: str | None) -> None:
    """Bring the backup FILE back into the center's home, which has keys at most.

    Every byte is checked against the digests in the file before the home is changed. A home with a
    log, a policy or anything else but keys is refused: nothing is replaced. Keys are put in place
    by hand, before or after this.

    A home that is older than its store goes on with the log in the store. Check that with
    `samebits log check` before the center is started.

    \b
    Examples:
      samebits center restore /backup/europe-20261127T010000Z.backup.tar --center europe.yaml
    """
    from builders.core.digest import Digest
    from pipelines.center.restore import KeyState, restore_backup
    from pipelines.services.stopped import require_stopped

    require_stopped(center)
    try:
        wanted = None if sha256 is None else Digest.parse(sha256)
    except ValueError as error:
        raise UsageError("--sha256 is no digest", got=ascii(sha256)[:80], expected=error) from error
    with screen() as sink:
        sink.step(center.id, "restoring the home")
        made = restore_backup(
            center, path, sha256=wanted, count=lambda name: sink.detail(center.id, name)
        )
    manifest, total = made.manifest, sum(file.size for file in made.manifest.files)
    unready = [use for use, state in made.keys.items() if state is not KeyState.THERE]
    show(
        {
            "center": center.id,
            "file": str(path),
            "sha256": str(made.sha256),
            "made": manifest.made,
            "files": len(manifest.files),
            "bytes": total,
            "folders": made.folders,
            "log": {"signed": made.signed, "stored": made.stored},
            "recalled": list(made.recalled),
            "keys": {use: str(state) for use, state in made.keys.items()},
        },
        f"center {center.id} is as it was on {manifest.made}: {center.home}",
        *(f"  {name:<10} {number} files" for name, number in sorted(made.folders.items())),
        f"  {len(manifest.files)} files, {total} bytes, all with the digests of {path}",
        f"  log: {_leaves(made.signed)} signed, {_leaves(made.stored)} in {center.store}",
        *(f"  its store has newer cosignatures of {origin}" for origin in made.recalled),
        *(f"  key for {use}: {state}" for use, state in made.keys.items()),
        *(["Put the keys in place before the center works: keys/<use>.key"] if unready else []),
        f"Next: `samebits log check{_file_option(center)}`, then start the center.",
    )


def _leaves(size: int | None) -> str:
    return "none known" if size is None else counted(size, "leaf", "leaves")


def _file_option(center: Center) -> str:
    return f" --center {center.file}" if center.file else ""


COMMANDS += [backup, restore, rotate_key, new_log]
