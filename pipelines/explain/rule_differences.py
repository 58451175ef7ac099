"""Differing files of detection rules, told rule by rule beside what else a first look shows.

What the build from reviewed source left is the old rule set, and what was shipped the new one: so
`weakened` says that the shipped rules detect less than those that were reviewed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from builders.jail.file_reader import Jail
from pipelines.explain.rule_texts import reasons
from pipelines.judge.difference import Cause, CauseName, FieldDifference, FieldKind, QuickDiff
from pipelines.rules.change import Effect, RuleChange, RuleChanges
from pipelines.rules.reading import rule_changes

SHOWN = 50
"""Fields of a look, those of rules included."""
_NAMED = 3
_CAUSES = {
    Effect.DISABLED: CauseName.RULE_DISABLED,
    Effect.WEAKENED: CauseName.RULE_WEAKENED,
    Effect.UNKNOWN: CauseName.RULE_CHANGED,
    Effect.STRENGTHENED: CauseName.RULE_CHANGED,
}


def with_rule_changes(
    jail: Jail,
    name: str,
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    look: QuickDiff,
    *,
    seconds: float | None = None,
) -> tuple[QuickDiff, tuple[Cause, ...]]:
    """Return a look with the rules that differ as its first fields, and the causes they are.

    `name` is that of both files. Raises as `Jail.run` does.
    """
    changes = rule_changes(jail, [(name, rebuilt)], [(name, shipped)], seconds=seconds)
    found = [field for change in changes.changes for field in _fields(change)]
    if not found:
        return look, ()
    fields = (*found, *look.fields)
    left_out = look.fields_left_out + changes.left_out + max(0, len(fields) - SHOWN)
    told = look.model_copy(update={"fields": fields[:SHOWN], "fields_left_out": left_out})
    return told, tuple(_causes(changes))


def _fields(change: RuleChange) -> Iterator[FieldDifference]:
    """Yield what differs in one rule: each of its fields, or that one side has not got it."""
    place = change.new or change.old
    told = partial(
        FieldDifference,
        path=place.file if place else "",
        format=f"{change.language} rules",
        kind=FieldKind.CONTENT,
    )
    for field in change.fields:
        name = f"{change.identity}: {field.field}"
        yield told(field=name, shipped=field.new, rebuilt=field.old)
    if not change.fields:
        shipped, rebuilt = (f"line {p.line}" if p else None for p in (change.new, change.old))
        if change.old_identity is not None:
            shipped, rebuilt = change.identity, change.old_identity
        yield told(field=change.identity, shipped=shipped, rebuilt=rebuilt)


def _causes(changes: RuleChanges) -> Iterator[Cause]:
    """Yield the causes, each with the worst rules that it is seen in."""
    seen: dict[CauseName, list[RuleChange]] = {}
    for change in changes.changes:
        if (name := _CAUSES.get(change.judgement.effect)) is not None:
            seen.setdefault(name, []).append(change)
    for name, found in seen.items():
        told = [f"{one.identity} ({'; '.join(reasons(one))})" for one in found[:_NAMED]]
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        yield Cause(name=name, detail=", ".join(told) + more)
