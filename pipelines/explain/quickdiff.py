"""A quick comparison of two files that differ, and the causes it names: in seconds, bounded memory.

Bytes are compared chunk by chunk; then, when both are archives, their members. What does not fit
into the time is left out, and the result says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from builders.archives import ArchiveLimits, MonotonicClock
from pipelines.explain.memberdiff import MEMBER_LIMITS, Listing, compare_members, listing
from pipelines.judge.explanation import Cause, CauseName, MemberDiff, QuickDiff

_CHUNK = 1 << 20
_SHOWN = 3
_LISTS = {
    CauseName.MEMBER_ADDED: "added",
    CauseName.MEMBER_REMOVED: "removed",
    CauseName.MEMBER_CHANGED: "changed",
}
"""The list of members that is evidence of a cause."""


def quick_diff(
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    *,
    seconds: float = 2.0,
    limits: ArchiveLimits = MEMBER_LIMITS,
    clock: MonotonicClock = time.monotonic,
) -> QuickDiff:
    """Return what two seekable files show within `seconds`, at most half of it spent on bytes."""
    start = clock()
    sizes = (shipped.seek(0, 2), rebuilt.seek(0, 2))
    front = _forward(shipped, rebuilt, start + seconds * 0.4, clock)
    last = None
    if front.first is not None or not front.whole:
        same = front.scanned if front.first is None else front.first
        tail = _common_tail(shipped, rebuilt, sizes, same, start + seconds * 0.6, clock)
        last = None if tail is None else max(sizes) - tail - 1
    left: list[Listing | None] = []
    for at, stream in enumerate((shipped, rebuilt)):
        allowed = (start + seconds - clock()) / (2 - at)
        left.append(listing(stream, limits, seconds=max(0.0, allowed), clock=clock))
    members = compare_members(left[0], left[1]) if left[0] and left[1] else None
    cut = members is not None and (members.capped or not members.complete)
    return QuickDiff(
        shipped_size=sizes[0],
        rebuilt_size=sizes[1],
        first_offset=front.first,
        last_offset=last,
        differing_bytes=front.count + abs(sizes[0] - sizes[1]) if front.whole else None,
        members=members,
        truncated=cut or not front.whole or (front.first is not None and last is None),
    )


@dataclass(frozen=True, kw_only=True)
class _Front:
    """What reading from the front found."""

    first: int | None
    count: int
    scanned: int
    whole: bool


def _forward(one: BinaryIO, other: BinaryIO, deadline: float, clock: MonotonicClock) -> _Front:
    one.seek(0)
    other.seek(0)
    at = count = 0
    first: int | None = None
    while True:
        a, b = _read(one, _CHUNK), _read(other, _CHUNK)
        common = min(len(a), len(b))
        if a[:common] != b[:common]:
            differing = _xor(a[:common], b[:common])
            if first is None:
                first = at + len(differing) - len(differing.lstrip(b"\0"))
            count += common - differing.count(0)
        if len(a) != len(b) and first is None:
            first = at + common
        at += common
        if common < _CHUNK or clock() > deadline:
            return _Front(first=first, count=count, scanned=at, whole=common < _CHUNK)


def _common_tail(
    one: BinaryIO,
    other: BinaryIO,
    sizes: tuple[int, int],
    first: int,
    deadline: float,
    clock: MonotonicClock,
) -> int | None:
    """Return the length of the tail both share after `first`; None when the time runs out."""
    room = min(sizes) - first
    tail = 0
    while tail < room:
        step = min(_CHUNK, room - tail)
        pieces = []
        for stream, size in ((one, sizes[0]), (other, sizes[1])):
            stream.seek(size - tail - step)
            pieces.append(_read(stream, step))
        if pieces[0] != pieces[1]:
            differing = _xor(pieces[0], pieces[1])
            return tail + len(differing) - len(differing.rstrip(b"\0"))
        tail += step
        if clock() > deadline:
            return None
    return tail


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end."""
    piece = stream.read(size)
    while 0 < len(piece) < size and (more := stream.read(size - len(piece))):
        piece += more
    return piece


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))


def named_causes(diff: QuickDiff) -> tuple[Cause, ...]:
    """Return every cause that `diff` shows: of archives by their members, else by their bytes."""
    members = diff.members
    if members is None:
        where = "" if diff.first_offset is None else f" from offset {diff.first_offset} on"
        return (Cause(name=CauseName.CONTENT, detail=f"the bytes differ{where}"),)
    found = []
    for name, field in _LISTS.items():
        if count := members.counts.get(field, 0):
            paths = (member.path for member in getattr(members, field))
            found.append(Cause(name=name, detail=_paths(count, paths)))
    if not found and members.complete:
        found.append(_same_contents(members))
    return tuple(found)


def _same_contents(members: MemberDiff) -> Cause:
    """Return the cause where all members have the same content on both sides."""
    changes = [change for change in members.metadata if change.field != "packing"]
    if changes:
        fields = ", ".join(sorted({change.field for change in changes}))
        paths = dict.fromkeys(change.path for change in changes)
        detail = f"{fields} of {_paths(len(paths), paths)}"
        return Cause(name=CauseName.METADATA_ONLY, detail=detail)
    how = (
        "same members in another order" if members.reordered else "same members, packed differently"
    )
    return Cause(name=CauseName.CONTAINER_ONLY, detail=how)


def _paths(count: int, paths: Iterable[str]) -> str:
    shown = list(paths)[:_SHOWN]
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return ", ".join(shown) + more
