"""The causes that two files show: of archives by their members, of others by their bytes."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.judge.difference import Cause, CauseName, MemberDiff, QuickDiff

_NAMED = 3
"""Members that a cause names; the rest is only counted."""
_LISTS = {
    CauseName.MEMBER_ADDED: "added",
    CauseName.MEMBER_REMOVED: "removed",
    CauseName.MEMBER_CHANGED: "changed",
}
"""The list of members that is evidence of a cause."""


def named_causes(diff: QuickDiff) -> tuple[Cause, ...]:
    """Return every cause that `diff` shows: of archives by their members, else by their bytes."""
    members = diff.members
    if members is None:
        where = "" if diff.first_offset is None else f" from offset {diff.first_offset} on"
        return (Cause(name=CauseName.CONTENT, detail=f"the bytes differ{where}"),)
    found = []
    for name, listed in _LISTS.items():
        if count := members.counts.get(listed, 0):
            paths = (member.path for member in getattr(members, listed))
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
