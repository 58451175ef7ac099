"""A small log in memory: the members that it adds to a bundle, without a store or a journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from builders.core.digest import Digest
from pipelines.bundle.layout import LEAF, LOG, PROOF
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.leaf import Entry, ReleaseChains, read_fields
from pipelines.log.merkle import inclusion_proof, leaf_hash, node_hash, tree_root
from pipelines.log.note import NoteSigner, sign_note
from pipelines.log.proof import LogProof


@dataclass(frozen=True)
class Tree:
    """The Merkle tree of leaves in memory; a `HashReader`."""

    leaves: Sequence[bytes]
    _known: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        if level == 0:
            return leaf_hash(self.leaves[index])
        if (level, index) not in self._known:
            self._known[level, index] = node_hash(
                self.read(level - 1, 2 * index), self.read(level - 1, 2 * index + 1)
            )
        return self._known[level, index]

    @property
    def root(self) -> bytes:
        """Return the root over all leaves."""
        return tree_root(len(self.leaves), self)


def chained(entries: Iterable[Entry]) -> list[bytes]:
    """Return the leaves of a log with these entries and no others."""
    chains, leaves = ReleaseChains(), list[bytes]()
    for entry in entries:
        sequence, previous = chains.next(entry.release)
        data = entry.leaf(sequence, Digest(previous)).to_bytes()
        chains.follow(read_fields(data))
        leaves.append(data)
    return leaves


def log_members(
    leaves: Sequence[bytes], shown: Iterable[int], *signers: NoteSigner, size: int | None = None
) -> dict[str, bytes]:
    """Return the leaves `shown` with their proofs under one checkpoint, as a bundle has them.

    The first of `signers` is the log, the others are witnesses; the checkpoint is of the first
    `size` leaves, or of all.
    """
    tree = Tree(leaves if size is None else leaves[:size])
    checkpoint = Checkpoint(origin=signers[0].key.name, size=len(tree.leaves), root=tree.root)
    note = sign_note(checkpoint.to_text(), *signers)
    members = {}
    for index in shown:
        hashes = inclusion_proof(index, len(tree.leaves), tree)
        proof = LogProof(index=index, hashes=hashes, checkpoint=note)
        members[f"{LOG}{index}{LEAF}"] = leaves[index]
        members[f"{LOG}{index}{PROOF}"] = proof.to_bytes()
    return members
