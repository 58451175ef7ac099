"""Two rule sets, compared rule by rule: rules are paired by their identity, else by their logic."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipelines.rules.change import (
    ChangeKind,
    Duplicate,
    Effect,
    FieldChange,
    Judgement,
    RuleChange,
    RuleChanges,
    RulePlace,
)
from pipelines.rules.languages import ORDERED
from pipelines.rules.rule import LOGIC_FIELDS, METADATA_FIELDS, Pattern, Rule
from pipelines.rules.rule_set import RuleSet, shortened
from pipelines.rules.weakening import judge_change

SHOWN = 2000
"""Changes that are listed."""
SHOWN_DUPLICATES = 100
_PLACES = 5
_FIELDS = 12
_TEXT = 400
_KINDS, _EFFECTS = (
    {kind: number for number, kind in enumerate(enum)} for enum in (ChangeKind, Effect)
)
_SAME_LOGIC = {ChangeKind.RENAMED, ChangeKind.METADATA_ONLY, ChangeKind.LAYOUT_ONLY}

_Pair = tuple[Rule | None, Rule | None]


def compare_rules(old: RuleSet, new: RuleSet) -> RuleChanges:
    """Return what differs, the worst first; bounded, whatever the sets hold."""
    pairs = list(_pairs(old.rules, new.rules))
    faulty = {_base(fault.file) for fault in new.faults}
    changes = [change for pair in pairs if (change := _change(*pair, faulty))]
    changes += _moved(pairs)
    changes += _dependents(pairs, changes)
    changes.sort(key=lambda c: (_EFFECTS[c.judgement.effect], _KINDS[c.kind], c.identity))
    return RuleChanges(
        old=old.facts(),
        new=new.facts(),
        changes=tuple(changes[:SHOWN]),
        left_out=max(0, len(changes) - SHOWN),
        duplicates=tuple(_duplicates(old.rules, new.rules)),
        counts=dict(Counter(str(change.kind) for change in changes)),
        effects=dict(Counter(str(change.judgement.effect) for change in changes)),
        unchanged=len(pairs) - len(changes),
    )


def _pairs(old: Iterable[Rule], new: Iterable[Rule]) -> Iterator[_Pair]:
    """Pair the rules of two sets; what one has alone is paired with None."""
    left, right = _grouped(old, _identity), _grouped(new, _identity)
    removed: list[Rule] = []
    added: list[Rule] = []
    for key in dict.fromkeys((*left, *right)):
        ours, theirs = left.get(key, []), right.get(key, [])
        if len(ours) > 1 or len(theirs) > 1:  # nearest first
            for near in (_by_text, _by_logic, _by_file):
                both, ours, theirs = _matched(ours, theirs, near)
                yield from both
        count = min(len(ours), len(theirs))
        yield from zip(ours[:count], theirs[:count], strict=True)
        removed += ours[count:]
        added += theirs[count:]
    both, removed, added = _matched(removed, added, _by_language_and_logic)
    yield from both
    yield from ((rule, None) for rule in removed)
    yield from ((None, rule) for rule in added)


def _grouped(rules: Iterable[Rule], key: Any) -> dict[Hashable, list[Rule]]:
    groups: dict[Hashable, list[Rule]] = defaultdict(list)
    for rule in rules:
        groups[key(rule)].append(rule)
    return groups


def _matched(
    old: list[Rule], new: list[Rule], key: Any
) -> tuple[list[tuple[Rule, Rule]], list[Rule], list[Rule]]:
    """Pair rules of the same key in their order; return what is left of both, too."""
    waiting = _grouped(reversed(new), key)
    pairs, left = [], []
    for rule in old:
        if found := waiting.get(key(rule)):
            pairs.append((rule, found.pop()))
        else:
            left.append(rule)
    return pairs, left, [rule for group in waiting.values() for rule in reversed(group)]


def _identity(rule: Rule) -> Hashable:
    return rule.language, rule.identity


def _by_text(rule: Rule) -> Hashable:
    return rule.text


def _by_logic(rule: Rule) -> Hashable:
    return rule.logic


def _by_file(rule: Rule) -> Hashable:
    return rule.file


def _by_language_and_logic(rule: Rule) -> Hashable:
    return rule.language, rule.logic, rule.enabled


def _change(old: Rule | None, new: Rule | None, faulty: set[str]) -> RuleChange | None:
    """Return what became of a rule; None where it says the same in the same words."""
    if old and new and _unchanged(old, new):
        return None
    kind = _kind(old, new)
    if kind in _SAME_LOGIC:
        judgement = Judgement(effect=Effect.NONE)
    elif new is None and old is not None and _base(old.file) in faulty:
        judgement = Judgement(effect=Effect.UNKNOWN, details=("its file was not read whole",))
    else:
        judgement = judge_change(old, new)
    return _told(kind, old, new, judgement)


def _unchanged(old: Rule, new: Rule) -> bool:
    same = old.text == new.text and old.logic == new.logic and old.normalized == new.normalized
    return same and old.enabled == new.enabled and old.identity == new.identity


def _kind(old: Rule | None, new: Rule | None) -> ChangeKind:
    if old is None:
        return ChangeKind.ADDED
    if new is None:
        return ChangeKind.REMOVED
    if old.logic != new.logic or old.enabled != new.enabled or _differ(old, new, LOGIC_FIELDS):
        return ChangeKind.CHANGED
    if old.identity != new.identity:
        return ChangeKind.RENAMED
    same = old.normalized == new.normalized and not _differ(old, new, METADATA_FIELDS)
    return ChangeKind.LAYOUT_ONLY if same else ChangeKind.METADATA_ONLY


def _differ(old: Rule, new: Rule, fields: Iterable[str]) -> bool:
    return any(getattr(old, name) != getattr(new, name) for name in fields)


def _told(kind: ChangeKind, old: Rule | None, new: Rule | None, judgement: Judgement) -> RuleChange:
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
        if was == now:
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


def _dependents(pairs: Iterable[_Pair], changes: Iterable[RuleChange]) -> Iterator[RuleChange]:
    """Yield rules that say the same, and refer to one that does not, however far."""
    users: dict[Hashable, list[tuple[Rule, Rule]]] = defaultdict(list)
    for old, new in pairs:
        if old and new and _unchanged(old, new):
            for name in new.needs:
                users[new.language, name].append((old, new))
    waiting = [(c.language, c.identity) for c in changes if c.kind not in _SAME_LOGIC]
    seen: set[Hashable] = set(waiting)
    while waiting:
        language, name = waiting.pop()
        for old, new in users.get((language, name), ()):
            if (key := _identity(new)) not in seen:
                seen.add(key)
                waiting.append((language, new.identity))
                detail = f"it refers to {name}, which differs"
                judgement = Judgement(effect=Effect.UNKNOWN, details=(detail,))
                yield _told(ChangeKind.DEPENDS, old, new, judgement)


def _moved(pairs: Iterable[_Pair]) -> Iterator[RuleChange]:
    """Yield rules that say the same elsewhere in their file, of languages to which that matters."""
    files: dict[Hashable, list[tuple[Rule, Rule]]] = defaultdict(list)
    for old, new in pairs:
        if old and new and new.language in ORDERED and _unchanged(old, new):
            files[new.language, old.file, new.file].append((old, new))
    for both in files.values():
        both.sort(key=lambda pair: pair[0].line)
        stayed = _rising([new.line for _, new in both])
        for number, (old, new) in enumerate(both):
            if number not in stayed:
                details = ("it is elsewhere among rules whose order matters",)
                judgement = Judgement(effect=Effect.UNKNOWN, details=details)
                yield _told(ChangeKind.MOVED, old, new, judgement)


def _rising(numbers: Sequence[int]) -> set[int]:
    """Return the places of a longest part of `numbers` that rises."""
    ends: list[int] = []
    places: list[int] = []
    before: list[int | None] = []
    for place, number in enumerate(numbers):
        at = bisect_right(ends, number)
        ends[at : at + 1] = [number]
        places[at : at + 1] = [place]
        before.append(places[at - 1] if at else None)
    found: set[int] = set()
    last = places[-1] if places else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found


def _duplicates(old: Iterable[Rule], new: Iterable[Rule]) -> Iterator[Duplicate]:
    before = Counter(map(_identity, old))
    shown = 0
    for key, rules in _grouped(new, _identity).items():
        if len(rules) > 1 and shown < SHOWN_DUPLICATES:
            shown += 1
            yield Duplicate(
                language=rules[0].language,
                identity=_short(rules[0].identity),
                places=tuple(p for rule in rules[:_PLACES] if (p := _place(rule))),
                count=len(rules),
                new=before[key] < len(rules),
            )


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _short(text: str) -> str:
    return shortened(text, _TEXT)
