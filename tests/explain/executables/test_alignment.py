"""What two pieces of data have in common: blocks that are equal, and all else in hunks."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.explain.executables.alignment import (
    Block,
    Hunk,
    differing_runs,
    equal_blocks,
    hunks,
    moved_blocks,
)

PIECES = st.lists(
    st.sampled_from([bytes(20), b"0123456789abcdef", b"text\0", bytes(range(40)), b"\0\0x"]),
    max_size=12,
).map(b"".join)


@settings(max_examples=40)
@given(PIECES, PIECES)
def test_blocks_and_hunks_are_all_of_both(one: bytes, other: bytes) -> None:
    blocks = equal_blocks(one, other)
    check(one, other, blocks, hunks(blocks, (len(one), len(other))))


@settings(max_examples=40)
@given(PIECES, PIECES)
def test_moved_blocks_and_hunks_are_all_of_both(one: bytes, other: bytes) -> None:
    check(one, other, *moved_blocks(one, other))


def test_what_was_taken_is_not_found_again() -> None:
    """Zeros stand for what was taken: a piece that begins with zeros was found in them for ever."""
    one, other = b"ABCDEFGH" + bytes(4) + b"x1234567" + bytes(9), b"ABCDEFGHx1234567"
    check(one, other, *moved_blocks(one, other))


def test_runs_are_the_bytes_that_differ() -> None:
    changed = (0, 5, 6, (1 << 20) - 1, 1 << 20, (3 << 20) - 1)
    one, other = bytes(3 << 20), bytearray(3 << 20)
    for at in changed:
        other[at] = 1
    runs = differing_runs(one, bytes(other))
    assert tuple(n for begin, end in runs for n in range(begin, end)) == changed


def check(one: bytes, other: bytes, blocks: Iterable[Block], left: Iterable[Hunk]) -> None:
    covered = [bytearray(len(one)), bytearray(len(other))]
    for at, there, length in blocks:
        assert one[at : at + length] == other[there : there + length]
        for side, begin in zip(covered, (at, there), strict=True):
            assert not any(side[begin : begin + length])
            side[begin : begin + length] = b"\1" * length
    for hunk in left:
        for side, (begin, end) in zip(covered, hunk, strict=True):
            assert not any(side[begin:end])
            side[begin:end] = b"\1" * (end - begin)
    assert all(all(side) for side in covered)
