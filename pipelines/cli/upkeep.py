"""`samebits center`: back a center up, restore it, and remove what is not needed.

`pipelines.cli.center` adds these commands to its own.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from pipelines.cli import options
from pipelines.cli.terminal import counted, screen, show

if TYPE_CHECKING:
    from pipelines.center.center import Center
    from pipelines.verify.session import Session


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
      samebits center backup /backup/europe.tar --without-vault \\
          --center europe.yaml
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
      samebits center restore /backup/europe-20261127T010000Z.backup.tar \\
          --center europe.yaml
    """
    from builders.core.digest import Digest
    from pipelines.center.restore import KeyState, restore_backup
    from pipelines.services.stopped import require_stopped

    require_stopped(center)
    try:
        wanted = None if sha256 is None else Digest.parse(sha256)
    except ValueError as error:
        expected = "64 lower-case hex digits"
        raise UsageError(
            "--sha256 is no digest", got=f"{sha256!a:.80}", expected=expected
        ) from error
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
            "cosigned_since": list(made.cosigned_since),
            "keys": {use: str(state) for use, state in made.keys.items()},
        },
        f"center {center.id} is as it was on {manifest.made}: {center.home}",
        *(
            f"  {name:<10} {counted(number, 'file')}"
            for name, number in sorted(made.folders.items())
        ),
        f"  {counted(len(manifest.files), 'file')}, {total} bytes, all with the digests of {path}",
        f"  log: {_leaves(made.signed)} signed, {_leaves(made.stored)} in {center.store}",
        *(f"  its store has newer cosignatures of {origin}" for origin in made.cosigned_since),
        *(f"  key for {use}: {state}" for use, state in made.keys.items()),
        *(["Put the keys in place before the center works: keys/<use>.key"] if unready else []),
        *(["Start the signer: its memory is part of the check"] if center.signer else []),
        f"Next: `samebits log check{_file_option(center)}`, then start the center.",
    )


def _leaves(size: int | None) -> str:
    return "none known" if size is None else counted(size, "leaf", "leaves")


def _file_option(center: Center) -> str:
    return f" --center {center.file}" if center.file else ""


@click.command()
@click.option("--yes", is_flag=True, help="Remove it; without this nothing is removed.")
@click.option(
    "--recipes",
    multiple=True,
    type=options.PATH,
    metavar="FOLDER",
    help="Recipes elsewhere, whose inputs are kept too.",
)
@options.common
def prune(session: Session, *, yes: bool, recipes: tuple[Path, ...]) -> None:
    """Show what the center does not need any more, and how many bytes that is; remove it on --yes.

    That is: inputs in the vault that no recipe, image or record names and caches that nothing used
    for 30 days; records of nights but the newest 90, and results that a record contains; folders of
    killed runs that the log does not know; builder images whose definition has another lock now.

    Evidence, the log, and whatever a record in the store names by its digest are never removed.
    The section `keep` of the center file has other numbers. Objects of a store in S3 are left
    alone: of its inputs the copies on this machine are removed. A `vault:` input cannot be fetched
    again: give folders with further recipes as --recipes.

    \b
    Examples:
      samebits center prune --center europe.yaml
      samebits center prune --yes --center europe.yaml

    Exit codes: 0 done, 2 something could not be removed.
    """
    from pipelines.nightly.prune import PrunableKind, find_prunable
    from pipelines.nightly.prune import prune as remove

    for place in recipes:
        if not place.exists():
            raise UsageError(f"{place} cannot be read", expected="a folder of recipes")
    found = find_prunable(session, now=datetime.now(UTC), recipes=recipes)
    left = remove(session, found) if yes else ()
    total = sum(one.bytes for one in found.found)
    by_kind = {kind: [one for one in found.found if one.kind is kind] for kind in PrunableKind}
    verb = "removed" if yes else "would remove"
    show(
        {
            "center": session.center.id,
            "removed": yes,
            "bytes": total,
            "found": [asdict(one) for one in found.found],
            "skipped": list(found.skipped),
            "left": list(left),
        },
        *(f"  {one.kind:<7} {one.bytes:>13}  {one.name}" for one in found.found),
        *(
            f"{verb} {len(some)} {kind}, {sum(one.bytes for one in some)} bytes"
            for kind, some in by_kind.items()
        ),
        *(f"not looked at: {why}" for why in found.skipped),
        *(f"not removed: {why}" for why in left),
        f"{verb} {total} bytes" + ("" if yes or not total else "; --yes removes them"),
    )
    sys.exit(EXIT_NOT_CHECKED if left else 0)


COMMANDS = (backup, restore, prune)
