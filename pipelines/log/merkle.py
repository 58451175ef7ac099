"""The Merkle tree of RFC 6962 (and RFC 9162): roots, proofs and their verification. Pure.

Proofs are made from hashes of complete subtrees, which never change once they are full; a proof of
a tree of n leaves reads about 2 log2(n) of them. Verification needs the proof alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Protocol

from pipelines.log.errors import ProofError

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""
MAX_SIZE = (1 << 63) - 1
"""Leaves of the largest tree: what other implementations count in a signed 64-bit number."""


class HashReader(Protocol):
    """A source of the hashes of complete subtrees."""

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of the 2**level leaves that start at leaf index * 2**level."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf (RFC 6962, 2.1)."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962, 2.1)."""
    return sha256(b"\1" + left + right).digest()


def tree_root(size: int, hashes: HashReader) -> bytes:
    """Return the root of the first `size` leaves."""
    _check_size(size)
    return _range_hash(0, size, hashes) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, hashes: HashReader) -> tuple[bytes, ...]:
    """Return the path from leaf `index` to the root of `size` leaves, the leaf's sibling first.

    Raises `ProofError` when the tree has no such leaf.
    """
    _check_index(index, size)
    path, _, _ = _path_to(index, size, hashes, stop_at=None)
    return path


def consistency_proof(old: int, new: int, hashes: HashReader) -> tuple[bytes, ...]:
    """Return the proof that the first `old` of `new` leaves are the old tree (RFC 6962, 2.1.2).

    It is empty between equal sizes, and from an empty tree. Raises `ProofError` when the tree has
    shrunk.
    """
    _check_growth(old, new)
    if old in {0, new}:
        return ()
    path, start, stop = _path_to(old - 1, new, hashes, stop_at=old)
    # The proof starts with the last part of the old tree, unless that is the whole old tree.
    return (_range_hash(start, stop, hashes), *path) if start else path


def verify_inclusion(
    *, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the tree of `size` leaves with `root` has the leaf with hash `leaf` at `index`.

    Raises `ProofError`.
    """
    _check_index(index, size)
    check_hashes("an inclusion proof", (leaf, root, *proof))
    inner, border = _path_parts(index, size)
    _check_length("an inclusion proof", proof, inner + border)
    found = _climb_left(_climb(leaf, index, proof[:inner]), proof[inner:])
    what = f"leaf {index} is not in the tree of {size} leaves"
    _check_root(found, root, what, f"leaf {leaf.hex()}")


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that a tree only grew: the new one starts with all leaves of the old one.

    Raises `ProofError`.
    """
    _check_growth(old_size, new_size)
    check_hashes("a consistency proof", (old_root, new_root, *proof))
    if old_size in {0, new_size}:
        _check_length("a consistency proof", proof, 0)
        if old_size == 0:
            _check_old(old_size, old_root, EMPTY_ROOT)
        if old_size == new_size:
            _check_old(old_size, old_root, new_root)
        return
    # The proof climbs from the old tree's last complete subtree. When that is all of the old tree,
    # its hash is the old root and is left out.
    level = (old_size & -old_size).bit_length() - 1
    position = (old_size - 1) >> level
    inner, border = _path_parts(old_size - 1, new_size)
    inner -= level
    first = 1 if position else 0
    _check_length("a consistency proof", proof, first + inner + border)
    start, path = (proof[0] if first else old_root), proof[first:]
    lefts = [other for bit, other in enumerate(path[:inner]) if position >> bit & 1]
    _check_old(old_size, old_root, _climb_left(start, (*lefts, *path[inner:])))
    found = _climb_left(_climb(start, position, path[:inner]), path[inner:])
    what = f"the tree of {new_size} leaves does not continue the one of {old_size}"
    _check_root(found, new_root, what, "the proof")


def _path_to(
    index: int, size: int, hashes: HashReader, *, stop_at: int | None
) -> tuple[tuple[bytes, ...], int, int]:
    """Return the siblings on the way to leaf `index`, the lowest first, and the range reached.

    That is the leaf alone, or the first range on the way that ends before leaf `stop_at`.
    """
    path = []
    start, stop = 0, size
    while stop != stop_at and stop - start > 1:
        middle = start + (1 << (stop - start - 1).bit_length() - 1)  # RFC 6962, 2.1
        if index < middle:
            path.append(_range_hash(middle, stop, hashes))
            stop = middle
        else:
            path.append(_range_hash(start, middle, hashes))
            start = middle
    return tuple(reversed(path)), start, stop


def _range_hash(start: int, stop: int, hashes: HashReader) -> bytes:
    """Return the hash of leaves `start` to `stop`, a subtree of the tree of `stop` leaves."""
    parts = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        parts.append(hashes.read(level, start >> level))
        start += 1 << level
    return _climb_left(parts[-1], reversed(parts[:-1]))


def _path_parts(index: int, size: int) -> tuple[int, int]:
    """Return the length of the path of leaf `index`, below and from where it meets the last leaf's.

    From there on the path runs along the right edge, where every other hash is on the left.
    """
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _climb(found: bytes, position: int, path: Iterable[bytes]) -> bytes:
    """Return the hash above `found`; the bits of `position` say on which side the others are."""
    for bit, other in enumerate(path):
        left = position >> bit & 1
        found = node_hash(other, found) if left else node_hash(found, other)
    return found


def _climb_left(found: bytes, path: Iterable[bytes]) -> bytes:
    """Return the hash above `found` when all others are on its left."""
    for other in path:
        found = node_hash(other, found)
    return found


def _check_size(size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise ProofError("no tree has that size", got=size, expected=f"0 to {MAX_SIZE} leaves")


def _check_index(index: int, size: int) -> None:
    _check_size(size)
    if not 0 <= index < size:
        raise ProofError(
            "the tree has no such leaf", got=f"leaf {index}", expected=f"less than {size}"
        )


def _check_growth(old: int, new: int) -> None:
    _check_size(old)
    _check_size(new)
    if old > new:
        raise ProofError(
            "a log never shrinks", got=f"{new} leaves after {old}", expected=f"{old} or more"
        )


def check_hashes(what: str, hashes: Iterable[bytes]) -> None:
    """Raise `ProofError` unless each hash of `what` has 32 bytes."""
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise ProofError(
                f"{what} has a hash of another length",
                got=f"{len(value)} bytes",
                expected=f"{HASH_SIZE} bytes",
            )


def _check_length(what: str, proof: Sequence[bytes], expected: int) -> None:
    if len(proof) != expected:
        raise ProofError(f"{what} has another length", got=len(proof), expected=expected)


def _check_old(size: int, root: bytes, found: bytes) -> None:
    what = f"the old tree of {size} leaves is not the start of the new one"
    _check_root(found, root, what, "the new one")


def _check_root(found: bytes, expected: bytes, what: str, source: str) -> None:
    if found != expected:
        got = f"root {found.hex()} from {source}"
        raise ProofError(what, got=got, expected=f"root {expected.hex()}")
