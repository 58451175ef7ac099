"""What two files that differ show in seconds and bounded memory, in stages.

Bytes are compared piece by piece; then, when both are archives, their members, by digest. Then the
formats of all that differs are read, which says what the differences mean. What does not fit into
the time is left out, and the result says so.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import BinaryIO, get_args

from pydantic import TypeAdapter

from builders.archives import (
    ArchiveError,
    ArchiveLimits,
    Member,
    MonotonicClock,
    Scratch,
    members,
)
from builders.archives.compressed import unpacked_name
from builders.archives.limits import Budget
from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Reader
from pipelines.explain.differing import common_tail, read_front
from pipelines.explain.format_fields import Content
from pipelines.explain.meaning import Meaning, Pair, formats
from pipelines.explain.spool import LEVELS, MOST, Spool
from pipelines.judge.difference import (
    ChangedMember,
    ChangedMetadata,
    FieldDifference,
    FieldKind,
    MemberDiff,
    MemberFact,
    MetadataField,
    QuickDiff,
)
from pipelines.rules.rule_files import HEAD, may_be_rules, may_hold_rules

MOST_SECONDS = 60.0
MEMBER_LIMITS = ArchiveLimits(members=50_000, text=16 << 20, set_aside=64 << 20)
SHOWN = 50
"""Entries of each list; the rest is only counted."""
_FIELDS: tuple[MetadataField, ...] = get_args(MetadataField)

_Key = tuple[str, int]
"""Path, and how many members of the same path came before."""


class LookTime(FrozenModel):
    """How long to look."""

    seconds: float
    fields: bool = True
    """Whether the formats of what differs are read."""


class Look(FrozenModel):
    """What two files show at once."""

    diff: QuickDiff
    rules: bool = False
    """Whether a file in these archives that differs may have detection rules."""


@dataclass
class Listing:
    """What was read of one archive; `fault` says why no more."""

    members: dict[_Key, Member] = field(default_factory=dict)
    copies: dict[_Key, Content] = field(default_factory=dict)
    """The contents of its files, where there was room for them."""
    fault: str | None = None


def listing(
    stream: BinaryIO,
    limits: ArchiveLimits,
    *,
    clock: MonotonicClock,
    scratch: Scratch,
    spool: Spool,
) -> Listing:
    """List an archive within its limits; what is none has no members."""
    stream.seek(0)
    found = Listing()
    seen: Counter[str] = Counter()
    try:
        for member in members(stream, limits, clock=clock, scratch=scratch, copier=spool.copied):
            key = (member.path, seen[member.path])
            seen[member.path] += 1
            found.members[key] = member
            if (copy := spool.take(member)) is not None:
                found.copies[key] = copy
    except ArchiveError as error:
        found.fault = str(error)
    return found


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
    seconds: float = 30.0,
    limits: ArchiveLimits = MEMBER_LIMITS,
    clock: MonotonicClock = time.monotonic,
    scratch: Scratch = tempfile.TemporaryFile,
    with_fields: bool = True,
) -> Look:
    """Return what two seekable files show within `seconds`, at most half of it spent on bytes.

    Without its fields a difference counts as not shown whole.
    """
    start = clock()
    sizes = (shipped.seek(0, 2), rebuilt.seek(0, 2))
    front = read_front(shipped, rebuilt, lambda: clock() <= start + seconds * 0.4)
    last = None
    if front.first is not None or not front.whole:
        same = front.scanned if front.first is None else front.first
        tail = common_tail(shipped, rebuilt, same, lambda: clock() <= start + seconds * 0.6)
        last = None if tail is None else max(sizes) - tail - 1
    with ExitStack() as held:
        listed: list[Listing] = []
        for at, stream in enumerate((shipped, rebuilt)):
            allowed = (start + seconds * 0.9 - clock()) / (2 - at)
            bounded = replace(limits, seconds=max(0.0, allowed))
            spool = Spool(scratch, held)
            listed.append(listing(stream, bounded, clock=clock, scratch=scratch, spool=spool))
        both = all(one.members or one.fault for one in listed)
        members = compare_members(*listed) if both else None
        pairs = _pairs(Content(shipped), Content(rebuilt), *listed)
        left = Budget(replace(limits, seconds=max(0.0, start + seconds - clock())), clock)
        meaning = Meaning()
        if with_fields:
            meaning.read(pairs, left.time)
        rules = members is not None and _may_differ_in_rules(members, *listed)
    fields, left_out = meaning.fields()
    fields = (*islice(_unread(*listed), SHOWN), *fields)[:SHOWN]
    cut = members is not None and (members.capped or not members.complete)
    diff = QuickDiff(
        shipped_size=sizes[0],
        rebuilt_size=sizes[1],
        first_offset=front.first,
        last_offset=last,
        differing_bytes=front.count + abs(sizes[0] - sizes[1]) if front.whole else None,
        members=members,
        fields=fields,
        fields_left_out=left_out,
        truncated=cut
        or meaning.cut
        or not with_fields
        or not front.whole
        or (front.first is not None and last is None),
    )
    return Look(diff=diff, rules=rules)


def _may_differ_in_rules(members: MemberDiff, one: Listing, other: Listing) -> bool:
    """Say so by the names of what differs, then by its content, where all of that is known."""
    paths = [one.path for one in members.changed]
    paths += [one.path for one in (*members.added, *members.removed)]
    named = any(map(may_hold_rules, paths))
    if not named or not members.complete:
        return named
    for side, against in ((one, other), (other, one)):
        for key, member in side.members.items():
            same = key in against.members and _same_content(member, against.members[key])
            if same or member.container or member.kind != "file":
                continue
            copy = side.copies.get(key)
            if copy is None or may_be_rules(member.path, copy.bytes(0, HEAD)):
                return True
    return False


def _pairs(shipped: Content, rebuilt: Content, one: Listing, other: Listing) -> Iterator[Pair]:
    """Yield the two files, then every file inside them that differs."""
    both = [key for key in one.members if key in other.members]
    same = {key for key in both if _same_content(one.members[key], other.members[key])}
    inside: dict[str, list[_Key]] = {}
    for side in (one, other):
        for key, member in side.members.items():
            inside.setdefault(member.inside, []).append(key)

    def is_same(container: str, member: str) -> bool:
        if member:
            return (_inner(container) + member, 0) in same
        return container in inside and same.issuperset(inside[container])

    opened = bool(one.members and other.members) and not (one.fault or other.fault)
    outermost = partial(is_same, "") if opened else _unknown
    yield Pair(path="", shipped=shipped, rebuilt=rebuilt, is_same=outermost)
    for key in both:
        if key not in same and key in one.copies and key in other.copies:
            opened = one.members[key].container and other.members[key].container
            yield Pair(
                path=_inner(key[0]).removesuffix("/"),
                shipped=one.copies[key],
                rebuilt=other.copies[key],
                is_same=partial(is_same, key[0]) if opened else _unknown,
            )

    empty = Content(io.BytesIO())
    for key in {**one.copies, **other.copies}:
        if key not in one.members or key not in other.members:
            yield Pair(
                path=_inner(key[0]).removesuffix("/"),
                shipped=one.copies.get(key, empty),
                rebuilt=other.copies.get(key, empty),
                alone=True,
            )


def _unread(one: Listing, other: Listing) -> Iterator[FieldDifference]:
    """Yield the archives that can be unpacked on one side alone."""
    for key, theirs in one.members.items():
        ours = other.members.get(key)
        if ours is not None and theirs.unread != ours.unread:
            sound = "sound"
            yield FieldDifference(
                path=key[0],
                format="",
                field="archive",
                kind=FieldKind.CONTENT,
                shipped=theirs.unread or sound,
                rebuilt=ours.unread or sound,
            )


def _unknown(_: str) -> bool:
    """Say of what could not be unpacked that its packed form is to be told."""
    return True


def _inner(container: str) -> str:
    """Return what the paths of the members of a container begin with."""
    return "" if container in {"", unpacked_name("")} else f"{container}/"


def _look(files: Sequence[BinaryIO], parameters: LookTime, scratch: Scratch) -> Look:
    shipped, rebuilt = files
    seconds, fields = parameters.seconds, parameters.fields
    return quick_diff(shipped, rebuilt, seconds=seconds, scratch=scratch, with_fields=fields)


LOOK = Reader(
    name="pipelines.explain.quickdiff:LOOK",
    read=_look,
    parameters=LookTime,
    result=TypeAdapter(Look),
    prepare=formats,
    limits=JailLimits(
        seconds=MOST_SECONDS,
        answer=32 << 20,
        scratch_files=MEMBER_LIMITS.depth + 2 * LEVELS,
        scratch=MOST,
    ),
)
"""Compares a shipped and a rebuilt file."""
