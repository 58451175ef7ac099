"""Changes of rules as the jail returns them: what differs as text that is escaped and short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipelines.rules.change import (
    ChangeKind,
    Duplicate,
    FieldChange,
    Judgement,
    RuleChange,
    RulePlace,
)
from pipelines.rules.rule import LOGIC_FIELDS, METADATA_FIELDS, Pattern, Rule
from pipelines.rules.rule_pairs import grouped, identity_of
from pipelines.rules.rule_set import shortened

SHOWN_DUPLICATES = 100
_PLACES = 5
_FIELDS = 12
_TEXT = 400


def told(kind: ChangeKind, old: Rule | None, new: Rule | None, judgement: Judgement) -> RuleChange:
    """Return a change as it is told; one of the two rules is there."""
    known = new or old
    if known is None:
        raise ValueError("a change of no rule")
    raised = True
    if old and new and old.revision is not None and new.revision is not None:
        raised = kind is not ChangeKind.CHANGED or new.revision > old.revision
    return RuleChange(
        kind=kind,
        language=known.language,
        identity=_short(known.identity),
        old_identity=_short(old.identity) if old and new and old.identity != new.identity else None,
        old=_place(old),
        new=_place(new),
        judgement=judgement.model_copy(
            update={"details": tuple(map(_short, judgement.details[:_FIELDS]))}
        ),
        fields=tuple(_field_changes(old, new))[:_FIELDS] if old and new else (),
        revision_not_raised=not raised,
    )


def _place(rule: Rule | None) -> RulePlace | None:
    if rule is None:
        return None
    return RulePlace(
        file=_short(rule.file), line=rule.line, text=rule.text, normalized=rule.normalized
    )


def _field_changes(old: Rule, new: Rule) -> Iterator[FieldChange]:
    """Yield the fields that differ; of a list, what was taken out and what was put in."""
    for name in (*LOGIC_FIELDS, *METADATA_FIELDS):
        was, now = getattr(old, name), getattr(new, name)
        if was == now or (name == "name" and (was, now) == (old.identity, new.identity)):
            continue
        if isinstance(was, tuple):
            before, after = set(was), set(now)
            gone = [_text(one) for one in was if one not in after]
            come = [_text(one) for one in now if one not in before]
            texts = (", ".join(gone) or None, ", ".join(come) or None)
            if not (gone or come):
                texts = (", ".join(map(_text, was)), ", ".join(map(_text, now)))
        elif isinstance(was, Mapping):
            keys = [key for key in {**was, **now} if was.get(key) != now.get(key)]
            texts = tuple(  # type: ignore[assignment]
                ", ".join(f"{key}: {_text(side[key])}" for key in keys if key in side) or None
                for side in (was, now)
            )
        else:
            texts = (_text(was) or None, _text(now) or None)
        yield FieldChange(
            field=name, old=texts[0] and _short(texts[0]), new=texts[1] and _short(texts[1])
        )


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Pattern():
            return " ".join((f"{value.name} = {value.value}", *value.modifiers))
        case _ if hasattr(value, "lowest"):
            ends = ("" if end is None else str(end) for end in (value.lowest, value.highest))
            return "..".join(ends)
        case _:
            return str(value)


def duplicates(old: Iterable[Rule], new: Iterable[Rule]) -> Iterator[Duplicate]:
    """Yield identities that several rules of the new set have."""
    before = Counter(map(identity_of, old))
    shown = 0
    for rules in grouped(new, identity_of).values():
        if len(rules) > 1 and shown < SHOWN_DUPLICATES:
            shown += 1
            yield Duplicate(
                language=rules[0].language,
                identity=_short(rules[0].identity),
                places=tuple(p for rule in rules[:_PLACES] if (p := _place(rule))),
                count=len(rules),
                new=before[identity_of(rules[0])] < len(rules),
            )


def _short(text: str) -> str:
    return shortened(text, _TEXT)
