"""A quick comparison of two files that differ, and the causes it names: in seconds, bounded memory.

Bytes are compared chunk by chunk; then, when both are archives, their members. What does not fit
into the time is left out, and the result says so.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, get_args

from builders.archives import (
    ArchiveError,
    ArchiveLimits,
    Member,
    MonotonicClock,
    Scratch,
    members,
)
from pipelines.judge.finding import (
    Cause,
    CauseName,
    ChangedMember,
    ChangedMetadata,
    MemberDiff,
    MemberFact,
    MetadataField,
    QuickDiff,
)

MEMBER_LIMITS = ArchiveLimits(members=50_000, text=16 << 20, set_aside=64 << 20)
SHOWN = 50
"""Entries of each list; the rest is only counted."""
_FIELDS: tuple[MetadataField, ...] = get_args(MetadataField)

_Key = tuple[str, int]
"""Path, and how many members of the same path came before."""
_CHUNK = 1 << 20
_NAMED = 3
"""Members that a cause names; the rest is only counted."""
_LISTS = {
    CauseName.MEMBER_ADDED: "added",
    CauseName.MEMBER_REMOVED: "removed",
    CauseName.MEMBER_CHANGED: "changed",
}
"""The list of members that is evidence of a cause."""


@dataclass(frozen=True)
class Listing:
    """What was read of one archive; `fault` says why no more."""

    members: dict[_Key, Member]
    fault: str | None


def listing(
    stream: BinaryIO,
    limits: ArchiveLimits,
    *,
    seconds: float,
    clock: MonotonicClock,
    scratch: Scratch,
) -> Listing | None:
    """List an archive within `seconds`; None when it is not one."""
    stream.seek(0)
    found: dict[_Key, Member] = {}
    seen: Counter[str] = Counter()
    try:
        bounded = replace(limits, seconds=seconds)
        for member in members(stream, bounded, clock=clock, scratch=scratch):
            found[member.path, seen[member.path]] = member
            seen[member.path] += 1
    except ArchiveError as error:
        return Listing(found, str(error))
    return Listing(found, None) if found else None


def compare_members(shipped: Listing, rebuilt: Listing) -> MemberDiff:
    """Compare two listings; of partial ones, and of containers that broke, only what both have."""
    faults = {"shipped": shipped.fault, "rebuilt": rebuilt.fault}
    note = "; ".join(f"{side}: {fault}" for side, fault in faults.items() if fault) or None
    pairs = [
        (m, rebuilt.members[key]) for key, m in shipped.members.items() if key in rebuilt.members
    ]
    blind = {a.path for a, b in pairs if a.unread or b.unread or a.container != b.container}
    removed = [] if note else _only_in(shipped, rebuilt, blind)
    added = [] if note else _only_in(rebuilt, shipped, blind)
    differing = [(a, b) for a, b in pairs if not _same_content(a, b)]
    changed = [(a, b) for a, b in differing if not (a.container and b.container)]
    metadata = [change for a, b in pairs for change in _metadata(a, b)]
    metadata_of = [a for a, b in pairs if any(_metadata(a, b))]
    explained = _around(shipped, [*removed, *metadata_of, *(a for a, _ in changed)])
    explained |= _around(rebuilt, [*added, *(b for _, b in changed)])
    repacked = [
        a.path for a, b in differing if a.container and b.container and a.path not in explained
    ]
    order = [key for key in rebuilt.members if key in shipped.members]
    return MemberDiff(
        complete=note is None,
        note=note,
        added=tuple(_fact(m) for m in added[:SHOWN]),
        removed=tuple(_fact(m) for m in removed[:SHOWN]),
        changed=tuple(
            ChangedMember(path=a.path, shipped=_fact(a), rebuilt=_fact(b))
            for a, b in changed[:SHOWN]
        ),
        metadata=tuple(metadata[:SHOWN]),
        repacked=tuple(repacked[:SHOWN]),
        reordered=order != [key for key in shipped.members if key in rebuilt.members],
        counts={
            "added": len(added),
            "removed": len(removed),
            "changed": len(changed),
            "metadata": len(metadata),
            "repacked": len(repacked),
        },
    )


def _same_content(one: Member, other: Member) -> bool:
    return (one.kind, one.target, one.sha256) == (other.kind, other.target, other.sha256)


def _metadata(one: Member, other: Member) -> Iterator[ChangedMetadata]:
    for name in _FIELDS:
        was, now = getattr(one, name), getattr(other, name)
        if was != now:
            yield ChangedMetadata(
                path=one.path, field=name, shipped=_text(name, was), rebuilt=_text(name, now)
            )


def _text(name: str, value: object) -> str:
    return f"{value:04o}" if name == "mode" and isinstance(value, int) else str(value)


def _only_in(side: Listing, other: Listing, blind: set[str]) -> list[Member]:
    """Return what only one side has, but for what is in containers not read on both sides."""
    return [
        member
        for key, member in side.members.items()
        if key not in other.members and not blind & _around(side, [member])
    ]


def _around(side: Listing, inner: Iterable[Member]) -> set[str]:
    """Return the paths of all containers around these members."""
    found: set[str] = set()
    for member in inner:
        path = member.inside
        while path and path not in found:
            found.add(path)
            parent = side.members.get((path, 0))
            path = parent.inside if parent else ""
    return found


def _fact(member: Member) -> MemberFact:
    return MemberFact(path=member.path, kind=member.kind, size=member.size, sha256=member.sha256)


def quick_diff(
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    *,
    seconds: float = 2.0,
    limits: ArchiveLimits = MEMBER_LIMITS,
    clock: MonotonicClock = time.monotonic,
    scratch: Scratch = tempfile.TemporaryFile,
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
        seconds_left = max(0.0, allowed)
        left.append(listing(stream, limits, seconds=seconds_left, clock=clock, scratch=scratch))
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
    shown = list(paths)[:_NAMED]
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return ", ".join(shown) + more
