"""Two archives compared by what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, get_args

from builders.archives import ArchiveError, ArchiveLimits, Member, MonotonicClock, members
from pipelines.judge.explanation import (
    ChangedMember,
    ChangedMetadata,
    MemberDiff,
    MemberFact,
    MetadataField,
)

MEMBER_LIMITS = ArchiveLimits(members=50_000, text=16 << 20, set_aside=64 << 20)
SHOWN = 50
"""Entries of each list; the rest is only counted."""
_FIELDS: tuple[MetadataField, ...] = get_args(MetadataField)

_Key = tuple[str, int]
"""Path, and how many members of the same path came before."""


@dataclass(frozen=True)
class Listing:
    """What was read of one archive; `fault` says why no more."""

    members: dict[_Key, Member]
    fault: str | None


def listing(
    stream: BinaryIO, limits: ArchiveLimits, *, seconds: float, clock: MonotonicClock
) -> Listing | None:
    """List an archive within `seconds`; None when it is not one."""
    stream.seek(0)
    found: dict[_Key, Member] = {}
    seen: Counter[str] = Counter()
    try:
        for member in members(stream, replace(limits, seconds=seconds), clock=clock):
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
