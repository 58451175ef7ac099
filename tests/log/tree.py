"""The Merkle tree as RFC 6962 defines it, slow and recursive: what our own must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

LEAVES = (
    *map(bytes.fromhex, ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")),
    bytes(range(0x60, 0x70)),
)
"""The leaves of the reference implementation of Certificate Transparency."""


def mth(entries: Sequence[bytes]) -> bytes:
    """MTH(D[n]), RFC 6962 2.1."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]), RFC 6962 2.1.1."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def proof(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]), RFC 6962 2.1.2; 0 < m < n."""
    return subproof(m, entries, complete=True)


def subproof(m: int, entries: Sequence[bytes], *, complete: bool) -> list[bytes]:
    if m == len(entries):
        return [] if complete else [mth(entries)]
    k = split(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], complete=complete), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], complete=False), mth(entries[:k])]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@dataclass(frozen=True)
class Tree:
    """Complete subtrees of leaves in memory; counts what is read of them."""

    entries: Sequence[bytes]
    reads: list[tuple[int, int]]

    @classmethod
    def of(cls, entries: Sequence[bytes]) -> Tree:
        return cls(entries, [])

    def read(self, level: int, index: int) -> bytes:
        start, stop = index << level, (index + 1) << level
        assert stop <= len(self.entries), "a subtree that is not complete was asked for"
        self.reads.append((level, index))
        return mth(self.entries[start:stop])


def numbered(count: int) -> list[bytes]:
    """Leaves that differ."""
    return [b"leaf %d" % i for i in range(count)]
