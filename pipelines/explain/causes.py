"""Named causes of a difference, one small rule each, from the first look alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipelines.judge.finding import Cause, CauseName
from pipelines.judge.look import FirstLook, MemberLook

Rule = Callable[[MemberLook], str | None]
"""Returns what the cause was seen in, or None."""
_SHOWN = 3


def causes(look: FirstLook) -> tuple[Cause, ...]:
    """Return every cause that `look` shows, in the order of the rules."""
    members = look.members
    if members is None:
        return (Cause(name=CauseName.CONTENT, detail=_content(look)),)
    found = ((name, rule(members)) for name, rule in _RULES.items())
    return tuple(Cause(name=name, detail=detail) for name, detail in found if detail)


def _content(look: FirstLook) -> str:
    if look.first_offset is None:
        return "the bytes differ"
    return f"the bytes differ from offset {look.first_offset} on"


def _added(look: MemberLook) -> str | None:
    return _paths(look.counts.get("added", 0), (member.path for member in look.added))


def _removed(look: MemberLook) -> str | None:
    return _paths(look.counts.get("removed", 0), (member.path for member in look.removed))


def _changed(look: MemberLook) -> str | None:
    return _paths(look.counts.get("changed", 0), (member.path for member in look.changed))


def _metadata_only(look: MemberLook) -> str | None:
    real = [change for change in look.metadata if change.field != "packing"]
    if not look.complete or _contents_differ(look) or not real:
        return None
    fields = ", ".join(sorted({change.field for change in real}))
    return f"{fields} of " + str(
        _paths(len({change.path for change in real}), dict.fromkeys(c.path for c in real))
    )


def _container_only(look: MemberLook) -> str | None:
    real = [change for change in look.metadata if change.field != "packing"]
    if not look.complete or _contents_differ(look) or real:
        return None
    return "same members in another order" if look.reordered else "same members, packed differently"


def _contents_differ(look: MemberLook) -> bool:
    return any(look.counts.get(name) for name in ("added", "removed", "changed"))


def _paths(count: int, paths: Iterable[str]) -> str | None:
    if not count:
        return None
    shown = list(paths)[:_SHOWN]
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return ", ".join(shown) + more


_RULES: dict[CauseName, Rule] = {
    CauseName.MEMBER_ADDED: _added,
    CauseName.MEMBER_REMOVED: _removed,
    CauseName.MEMBER_CHANGED: _changed,
    CauseName.METADATA_ONLY: _metadata_only,
    CauseName.CONTAINER_ONLY: _container_only,
}
