"""The hash tree of dm-verity: version 1, SHA-256, blocks of 4096 bytes, and no superblock.

Source: Linux, Documentation/admin-guide/device-mapper/verity.rst. Levels are stored from the top
one to the one over the data, as veritysetup and RAUC do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from builders.core.digest import CHUNK

BLOCK = 4096
_PER_BLOCK = BLOCK // 32


class Verity(NamedTuple):
    """A hash tree and its root."""

    root: bytes
    tree: bytes


def hash_tree(file: BinaryIO, size: int, salt: bytes) -> Verity:
    """Return the tree over the first `size` bytes, a multiple of 4096; raises `ValueError`."""
    if not size or size % BLOCK:
        raise ValueError(f"{size} bytes are not whole blocks of {BLOCK}")
    file.seek(0)
    level = b"".join(_digests(_blocks(file, size), salt))
    levels: list[bytes] = []
    while len(level) > 32:
        stored = level.ljust(-(-len(level) // BLOCK) * BLOCK, b"\0")
        levels.append(stored)
        blocks = (stored[at : at + BLOCK] for at in range(0, len(stored), BLOCK))
        level = b"".join(_digests(blocks, salt))
    return Verity(level, b"".join(reversed(levels)))


def tree_size(size: int) -> int:
    """Return how many bytes the tree over `size` bytes has."""
    total, blocks = 0, -(-size // BLOCK)
    while blocks > 1:
        blocks = -(-blocks // _PER_BLOCK)
        total += blocks * BLOCK
    return total


def _digests(blocks: Iterable[bytes], salt: bytes) -> Iterator[bytes]:
    salted = hashlib.sha256(salt)
    for block in blocks:
        digest = salted.copy()
        digest.update(block)
        yield digest.digest()


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    for begin in range(0, size, CHUNK):
        length = min(CHUNK, size - begin)
        data = file.read(length)
        if len(data) < length:
            raise ValueError("a file that ends early")
        for at in range(0, length, BLOCK):
            yield data[at : at + BLOCK]
