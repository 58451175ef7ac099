"""Cosignatures of witnesses: read from their stores, and joined to what a log publishes.

A witness writes into its own store. The owner of a log reads them there, and so does anyone who
wants to prove that a checkpoint was witnessed. Only cosignatures that verify are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from builders.core.errors import StoreError
from pipelines.log.checkpoint import (
    Checkpoint,
    Cosignature,
    LogIdentity,
    SignedCheckpoint,
    open_checkpoint,
)
from pipelines.log.errors import LogError
from pipelines.log.note import MAX_NOTE, Note
from pipelines.log.notekey import NoteKey
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.witness import origin_folder
from pipelines.log.writer import LogWriter
from pipelines.storage.store import ReadableStore

_LOOK_BACK = 64
"""Cosigned checkpoints of one witness that are read, newest first."""


def cosigned_checkpoints(
    stores: Iterable[ReadableStore], log: LogIdentity
) -> Iterator[SignedCheckpoint]:
    """Yield the log's checkpoints that witnesses have in their `stores`, newest first in each.

    What cannot be read, or does not verify, is skipped.
    """
    for store in stores:
        with suppress(StoreError):
            yield from (signed for signed in _accepted(store, log) if signed.cosignatures)


def newest_accepted(store: ReadableStore, log: LogIdentity) -> Checkpoint | None:
    """Return the newest checkpoint of the log that the witness with that `store` has accepted.

    Its log has signed it, which is enough for the log's owner: the witness need not be known.
    Raises `StoreError`.
    """
    return next((signed.checkpoint for signed in _accepted(store, log)), None)


def _accepted(store: ReadableStore, log: LogIdentity) -> Iterator[SignedCheckpoint]:
    """Yield the log's checkpoints that a witness has in its store, newest first."""
    names = store.list(origin_folder(log.origin))
    sizes = [name for name in names if name.rpartition("/")[2][:20].isdigit()]
    for name in sorted(sizes, reverse=True)[:_LOOK_BACK]:
        data = store.get(name, MAX_NOTE)
        with suppress(LogError):
            yield open_checkpoint(data, log)


def collect(
    own: ReadableStore, stores: Iterable[ReadableStore], log: LogIdentity, writer: LogWriter
) -> int:
    """Join the cosignatures of the published checkpoint's own tree to it, and publish it again.

    Returns how many were added. Raises `LogError` when the published checkpoint is not the log's,
    `StoreError`.
    """
    published = open_checkpoint(own.get(CHECKPOINT, MAX_NOTE), log)
    joined = merge_cosignatures([published, *cosigned_checkpoints(stores, log)], published)
    added = len({*joined.cosignatures} - {*published.cosignatures})
    if added:
        writer.publish(joined.note.to_bytes())
    return added


def merge_cosignatures(
    found: Iterable[SignedCheckpoint], base: SignedCheckpoint
) -> SignedCheckpoint:
    """Return `base` with the newest cosignature that each witness gave to the same tree."""
    newest: dict[NoteKey, Cosignature] = {}
    for signed in (base, *found):
        for new in signed.cosignatures if signed.checkpoint == base.checkpoint else ():
            newest[new.key] = max(newest.get(new.key, new), new, key=lambda one: one.time)
    own = [s for s in base.note.signatures if not any(s.is_by(key) for key in newest)]
    lines = sorted((c.signature for c in newest.values()), key=lambda line: line.name)
    return SignedCheckpoint(
        checkpoint=base.checkpoint,
        note=Note(text=base.note.text, signatures=(*own, *lines)),
        cosignatures=tuple(newest.values()),
    )


def checkpoints_with_leaf(
    found: Sequence[SignedCheckpoint], *, index: int
) -> tuple[SignedCheckpoint, ...]:
    """Return the checkpoints that hold the leaf `index`, one a tree, largest first."""
    trees: dict[int, SignedCheckpoint] = {}
    for signed in found:
        if signed.checkpoint.size > index:
            trees.setdefault(signed.checkpoint.size, signed)
    return tuple(merge_cosignatures(found, trees[size]) for size in sorted(trees, reverse=True))
