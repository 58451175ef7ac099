"""What differs between two files as sentences for people, the most telling first."""

from __future__ import annotations

from collections.abc import Iterator

from builders.core.escaping import escaped
from pipelines.explain.format_fields import WHOLE, time_text
from pipelines.judge.difference import FieldDifference, FieldKind, MemberDiff, QuickDiff

MANY = 8
"""Sentences that are shown where there are many."""


def sentences(look: QuickDiff, most: int = MANY) -> Iterator[str]:
    """Yield a sentence for each field, at most so many, and how many more there are.

    What only follows from other differences is told where nothing else is.
    """
    found = list(differences(look))
    telling = [field for field in found if field.kind is not FieldKind.DERIVED] or found
    yield from map(sentence, telling[:most])
    if (more := len(found) - len(telling[:most]) + look.fields_left_out) > 0:
        yield f"{more} more {'field differs' if more == 1 else 'fields differ'}"


def differences(look: QuickDiff) -> tuple[FieldDifference, ...]:
    """Return the fields that differ; of a record without them, those of members."""
    if look.fields or look.members is None:
        return look.fields
    return tuple(_of_members(look.members))


def sentence(difference: FieldDifference) -> str:
    """Return what a field says in both files: "`.comment` says GCC 14.2, the rebuild GCC 14.1"."""
    name = f"`{escaped(difference.field)}`"
    theirs, ours = (
        None if text is None else escaped(text) for text in (difference.shipped, difference.rebuilt)
    )
    if theirs is not None and ours is not None:
        said = f"{name} says {theirs or 'nothing'}, the rebuild {ours or 'nothing'}"
    elif theirs is not None:
        said = f"{name} says {theirs}, the rebuild has none"
    elif ours is not None:
        said = f"{name} of the rebuild says {ours}, what was shipped has none"
    elif difference.field == WHOLE:
        count = difference.differing_bytes
        said = f"{_bytes(count)} {'differs' if count == 1 else 'differ'}"
    else:
        said = f"{name} differs"
        if difference.differing_bytes:
            said += f" in {_bytes(difference.differing_bytes)}"
    where = escaped(difference.path)
    if difference.places > 1:
        where = f"{where or 'here'} and {difference.places - 1} more"
    about = ", ".join(filter(None, (difference.format, where)))
    return f"{said} ({about})" if about else said


def _bytes(count: int) -> str:
    return f"{count} {'byte' if count == 1 else 'bytes'}"


def _of_members(members: MemberDiff) -> Iterator[FieldDifference]:
    changes: dict[str, FieldDifference] = {}
    for change in members.metadata:
        if known := changes.get(change.field):
            changes[change.field] = known.model_copy(update={"places": known.places + 1})
            continue
        sides = (change.shipped, change.rebuilt)
        shipped, rebuilt = map(_time, sides) if change.field == "mtime" else sides
        changes[change.field] = FieldDifference(
            path=change.path,
            format="",
            field=change.field,
            kind=FieldKind.SETTING,
            shipped=shipped,
            rebuilt=rebuilt,
        )
    yield from changes.values()
    if members.reordered:
        yield FieldDifference(path="", format="", field="order of members", kind=FieldKind.SETTING)


def _time(seconds: str) -> str:
    return time_text(int(seconds)) if seconds.removeprefix("-").isdecimal() else seconds
