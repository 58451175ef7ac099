"""Finishing a batch: from its commit to the published checkpoint, the same from any hand.

Everything that is written follows from the commit and the tree before it, and every object but the
newest checkpoint is created once; so who was killed here, or raced, is followed by somebody who
writes the same bytes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from builders.core.errors import NotFoundError, StoreConflictError
from pipelines.log.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from pipelines.log.checkpointsigner import CheckpointSigner
from pipelines.log.commit import Commit
from pipelines.log.edge import Edge
from pipelines.log.errors import LogError
from pipelines.log.merkle import consistency_proof
from pipelines.log.note import MAX_NOTE, Note, NoteSignature
from pipelines.log.reader import published
from pipelines.log.tilereader import TileReader
from pipelines.log.tiles import CHECKPOINT, WIDTH, checkpoint_key, grown, pack_entries
from pipelines.storage.store import Store

_TODO = "Somebody wrote into the log, or signed with its key elsewhere: find out who"


def write_batch(
    store: Store, signer: CheckpointSigner, commit: Commit, before: Edge, hashes: Sequence[bytes]
) -> Edge:
    """Write all that follows from a commit, and return the edge of the larger tree.

    `before` is the edge of the tree that the commit continues, `hashes` are its leaf hashes. Raises
    `LogError` where the store holds other bytes.
    """
    edge, tiles = before.grown(hashes)
    objects = _bundles(store, commit, before)
    objects |= {tile.key: data for tile, data in tiles}
    for key, data in objects.items():
        put(store, key, data)
    tree = Checkpoint(origin=commit.origin, size=edge.size, root=edge.root())
    publish(store, signer, signed(store, signer, tree, edge, objects))
    return edge


def kept(store: Store, signer: CheckpointSigner, size: int) -> SignedCheckpoint | None:
    """Return the checkpoint of that size that this center keeps for good, or None."""
    try:
        data = store.get(checkpoint_key(size), MAX_NOTE)
    except NotFoundError:
        return None
    found = open_checkpoint(data, origin=signer.key.name, keys=[signer.key])
    if found.checkpoint.size != size:
        raise LogError(
            f"{checkpoint_key(size)} is of another size", got=found.checkpoint.size, expected=size
        )
    return found


def signed(
    store: Store,
    signer: CheckpointSigner,
    tree: Checkpoint,
    edge: Edge,
    objects: dict[str, bytes],
) -> SignedCheckpoint:
    """Return the signed checkpoint of `tree`, made and kept now if there is none of its size.

    `objects` were written just now and need not be read again. Raises `LogError` when another root
    of that size was signed.
    """
    tiles = TileReader(_Overlay(objects, store), tree, edge=edge)
    while (found := kept(store, signer, tree.size)) is None:
        old = signer.newest()
        try:
            note = _sign(signer, old, tree, tiles)
        except LogError:
            if signer.newest() == old:
                raise
            continue  # another appender with the same signer came first
        with suppress(StoreConflictError):
            store.put_record(checkpoint_key(tree.size), note)
    if found.checkpoint != tree:
        raise LogError(
            f"another root of {tree.size} leaves was signed",
            got=found.checkpoint.root.hex(),
            expected=tree.root.hex(),
            todo=_TODO,
        )
    return found


def publish(store: Store, signer: CheckpointSigner, new: SignedCheckpoint) -> None:
    """Make `new` the newest checkpoint, unless the published one is as new, or newer.

    One of the same size stays, as it may be cosigned. Raises `LogError` when it has another root.
    """
    there = published(store, origin=signer.key.name, keys=[signer.key])
    if there is not None and there.checkpoint.size >= new.checkpoint.size:
        if there.checkpoint.size == new.checkpoint.size and there.checkpoint != new.checkpoint:
            raise LogError(
                f"another root of {new.checkpoint.size} leaves is published",
                got=there.checkpoint.root.hex(),
                expected=new.checkpoint.root.hex(),
                todo=_TODO,
            )
        return
    store.put_latest(CHECKPOINT, new.note.to_bytes())


def put(store: Store, key: str, data: bytes) -> None:
    """Create an object of the log; raises `LogError` where another one stands."""
    try:
        store.put_record(key, data)
    except StoreConflictError as error:
        raise LogError(
            f"{key} does not fit the log",
            got="other bytes in the store",
            expected="those that follow from the log's leaves",
            todo=_TODO,
        ) from error


def _sign(
    signer: CheckpointSigner, old: Checkpoint | None, tree: Checkpoint, tiles: TileReader
) -> bytes:
    """Return the signed note of `tree`, which the signer is shown to continue `old`."""
    proof: tuple[bytes, ...] = ()
    if old and old.size <= tree.size:  # of a log that shrank the signer speaks in its own words
        proof = consistency_proof(old.size, tree.size, tiles)
    data = signer.sign(old, tree, proof)
    line = NoteSignature(name=signer.key.name, id=signer.key.id, data=data)
    note = Note(tree.to_text(), (line,)).to_bytes()
    open_checkpoint(note, origin=tree.origin, keys=[signer.key])
    return note


def _bundles(store: Store, commit: Commit, before: Edge) -> dict[str, bytes]:
    """Return the entry bundles that the larger tree needs anew."""
    first = before.size // WIDTH * WIDTH
    leaves = list(commit.leaves)
    if before.size % WIDTH:
        tree = Checkpoint(origin=commit.origin, size=before.size, root=before.root())
        begun, _ = TileReader(store, tree, edge=before).bundle(before.size // WIDTH)
        leaves = begun + leaves
    return {
        place.key: pack_entries(
            leaves[place.index * WIDTH - first : place.index * WIDTH - first + place.width]
        )
        for place in grown(None, before.size, before.size + len(commit.leaves))
    }


class _Overlay:
    """A source that has some objects at hand."""

    def __init__(self, objects: dict[str, bytes], store: Store) -> None:
        self._objects = objects
        self._store = store

    def get(self, key: str, limit: int) -> bytes:
        return self._objects[key] if key in self._objects else self._store.get(key, limit)
