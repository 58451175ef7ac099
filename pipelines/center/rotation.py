"""A new key for statements, or for the witness, in the place of the one before.

The key changes first, and the policy after it: a key for statements counts from the log size at
which it first signed, whenever the operators sign that. The former key stays beside the new one as
`keys/<use>.<key id>.*`. A rotation that was interrupted, or whose policy is not in force yet, is
found again: then no further key is made.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from builders.core.errors import UsageError
from pipelines.center.center import Center
from pipelines.center.keys import center_key, log_key, policy_file
from pipelines.center.logbook import Logbook
from pipelines.center.next_policy import NextPolicy, publish_next
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.privatekey import load_key, load_or_create
from pipelines.evidence.publickey import PublicKey
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.leaf import StatementLeaf
from pipelines.log.log_reader import LogReader
from pipelines.log.notekey import COSIGNATURE, NoteKey
from pipelines.policy import Policy, load_policy
from pipelines.policy.key_changes import newest_key, with_statements_key, with_witness_key
from pipelines.storage.opening import open_store

RotatedUse = Literal["statements", "witness"]
_SUFFIXES = (".key", ".pub", ".json")


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """A key that took the place of another, and the policy that it needs."""

    use: RotatedUse
    former: PublicKey | None
    key: PublicKey
    size: int | None
    """The log size from which a key for statements signs."""
    policy: NextPolicy


def rotate_key(
    center: Center,
    book: Logbook,
    use: RotatedUse,
    *,
    now: datetime,
    until: int | None = None,
    out: Path | None = None,
) -> Rotation:
    """Make a new key, and the policy that names it; `now` is UTC.

    No process of the center may sign meanwhile. `until` is an earlier log size at which the former
    key for statements ends, and `out` the file of a proposed policy. Raises `UsageError` while
    statements wait for the log or where the key is not a file, and as `load_policy`, `rotated` and
    the log do.
    """
    policy = load_policy(policy_file(center), home=center.home, now=now)
    book.settle()
    if waiting := book.waiting():
        raise UsageError(
            "statements wait for the log, signed by the key in use",
            got=f"{waiting} places",
            expected="none: a rotation begins when all of them are logged",
            todo="Stop what runs for this center, and try again",
        )
    former, key = _new_key(center, policy, use)
    size = None
    if use == "statements":
        size = _first_index(center, book, policy, key)
        changed = with_statements_key(policy, center.id, key, size, until=until)
    else:
        name = NoteKey.of(f"{center.origin}/witness", COSIGNATURE, key)
        changed = with_witness_key(policy, center.id, name)
    made = publish_next(center, policy, changed, out)
    return Rotation(use=use, former=former, key=key, size=size, policy=made)


def _new_key(center: Center, policy: Policy, use: RotatedUse) -> tuple[PublicKey | None, PublicKey]:
    """Return the key of the policy, and the center's key that is to take its place, made now."""
    known, mine = policy.center(center.id), center_key(center, use).public
    if use == "statements":
        former: PublicKey | None = newest_key(known)
        older = {k.key.material for k in known.keys} - {newest_key(known).material}
    else:
        former, older = known.witness.public if known.witness else None, set()
    if mine.material in older:
        raise KeyFileError(
            f"center {center.id} signs with a former key",
            got=f"key {mine.keyid[:16]}",
            expected=f"key {newest_key(known).keyid[:16]}, the newest one of the policy",
            todo="Bring that one back: this one counts for nothing any more",
        )
    if former is not None and mine.material != former.material:
        return former, mine  # it has changed already, and the policy does not say so yet
    if use in center.key_sources:
        raise UsageError(
            f"the key for {use} is not a file",
            got=center.key_sources[use].uri.partition(":")[0] + ":",
            expected="a new key that is made where the old one is",
            todo="Name the new one in the center's file, with another `public`, and run this again",
        )
    return mine, _switch(center.key_folder, use, mine)


def _switch(folder: Path, use: str, former: PublicKey) -> PublicKey:
    """Put a new key in the place of `former`, which is kept; at any time one of them is there."""
    new = f"{use}.next"
    owner = (folder / f"{use}.key").stat()
    key = load_or_create(folder, new).public
    for suffix in _SUFFIXES:
        kept, current = folder / f"{use}.{former.keyid[:16]}{suffix}", folder / f"{use}{suffix}"
        if current.exists() and not kept.exists():
            os.link(current, kept)
    if os.geteuid() == 0:  # the signer's own user goes on reading it
        os.chown(folder / f"{new}.key", owner.st_uid, owner.st_gid)
    # The public files are written again from whichever private key is there.
    for suffix in _SUFFIXES[1:]:
        (folder / f"{use}{suffix}").unlink(missing_ok=True)
        (folder / f"{new}{suffix}").unlink(missing_ok=True)
    (folder / f"{new}.key").replace(folder / f"{use}.key")
    load_key(folder, use)
    return key


def _first_index(center: Center, book: Logbook, policy: Policy, key: PublicKey) -> int:
    """Return the index of the first leaf of a statement that `key` signed, or the log's size."""
    tree = book.log.recover()
    if tree is None:
        return 0
    reader = LogReader(open_store(center.store), LogIdentity.of(log_key(center)))
    start = max(one.start for one in policy.center(center.id).keys)
    for index, leaf in reader.leaves(min(start, tree.size)):
        if isinstance(leaf, StatementLeaf) and leaf.keyid == key.keyid:
            return index
    return tree.size
