"""Two rule sets, compared rule by rule."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from builders.archives import MonotonicClock
from pipelines.rules.change import ChangeKind, Effect, Judgement, RuleChanges
from pipelines.rules.languages import ORDERED
from pipelines.rules.rule import LOGIC_FIELDS, METADATA_FIELDS, Language, Rule
from pipelines.rules.rule_pairs import Pair, identity_of, rule_pairs
from pipelines.rules.rule_set import RuleSet
from pipelines.rules.told_changes import duplicates, told
from pipelines.rules.weakening import judge_change

JUDGING = 20.0
"""Seconds for the effects of all changes."""
SHOWN = 2000
"""Changes that are listed."""
_KINDS, _EFFECTS = (
    {kind: number for number, kind in enumerate(enum)} for enum in (ChangeKind, Effect)
)
_ALIKE = {(Language.SEMGREP, "yaml"): "yml", (Language.YARA, "yara"): "yar"}
"""Suffixes that engines take for others; those of capa and Sigma pass over `.yaml`."""
_ONCE = frozenset({
    Language.CAPA, Language.MODSECURITY, Language.SIGMA, Language.SNORT, Language.SURICATA,
    Language.YARA,
})  # fmt: skip
"""Languages whose engines may refuse rules, or a whole set, for an identity that is used twice."""
_SOUND = {Effect.NONE, Effect.STRENGTHENED}
_SAME_LOGIC = {ChangeKind.RENAMED, ChangeKind.METADATA_ONLY, ChangeKind.LAYOUT_ONLY}


class _Found(NamedTuple):
    """A change before it is told: of a large set most never are."""

    kind: ChangeKind
    old: Rule | None
    new: Rule | None
    judgement: Judgement

    @property
    def rule(self) -> Rule:
        """Return the new rule, or the old one where that is gone."""
        found = self.new or self.old
        if found is None:
            raise ValueError("a change of no rule")
        return found

    @property
    def rank(self) -> tuple[int, int, str]:
        """Return what sorts the worst first."""
        return _EFFECTS[self.judgement.effect], _KINDS[self.kind], self.rule.identity


def compare_rules(
    old: RuleSet, new: RuleSet, *, clock: MonotonicClock = time.monotonic
) -> RuleChanges:
    """Return what differs, the worst first; bounded, whatever the sets hold.

    A change that is not judged in time has an unknown effect.
    """
    pairs = list(rule_pairs(old.rules, new.rules))
    faulty = {_base(fault.file) for fault in new.faults}
    before, after = (Counter(map(identity_of, side.rules)) for side in (old, new))
    doubled = {key for key, n in after.items() if key[0] in _ONCE and n > max(1, before[key])}
    deadline = clock() + JUDGING
    found = [
        change
        for pair in pairs
        if (change := _change(*pair, faulty, doubled, late=clock() > deadline))
    ]
    found += _moved(pairs)
    dependents = list(_dependents(pairs, found))
    superseded = {id(change.new) for change in dependents}
    found = [c for c in found if c.kind not in _SAME_LOGIC or id(c.new) not in superseded]
    found += dependents
    found.sort(key=lambda change: change.rank)
    return RuleChanges(
        old=old.facts(),
        new=new.facts(),
        changes=tuple(told(*change) for change in found[:SHOWN]),
        left_out=max(0, len(found) - SHOWN),
        duplicates=tuple(duplicates(old.rules, new.rules)),
        counts=dict(Counter(str(change.kind) for change in found)),
        effects=dict(Counter(str(change.judgement.effect) for change in found)),
        unchanged=len(pairs) - len(found),
    )


def _change(
    old: Rule | None,
    new: Rule | None,
    faulty: set[str],
    doubled: set[tuple[str, str]],
    *,
    late: bool,
) -> _Found | None:
    """Return what became of a rule; None where it says the same in the same words."""
    if old and new and _unchanged(old, new):
        if _loaded(old) == _loaded(new):
            return None
        details = ("its file has another suffix, or is hidden: engines may not load it",)
        return _Found(ChangeKind.MOVED, old, new, Judgement(effect=Effect.UNKNOWN, details=details))
    kind = _kind(old, new)
    if kind in _SAME_LOGIC:
        judgement = Judgement(effect=Effect.NONE)
    elif new is None and old is not None and _base(old.file) in faulty:
        judgement = Judgement(effect=Effect.UNKNOWN, details=("its file was not read whole",))
    elif late and old is not None and new is not None:
        judgement = Judgement(effect=Effect.UNKNOWN, details=("not judged within the time",))
    else:
        judgement = judge_change(old, new)
    if new and identity_of(new) in doubled and judgement.effect in _SOUND:
        details = ("its identity is used twice now: an engine may refuse all that have it",)
        judgement = Judgement(effect=Effect.UNKNOWN, details=details)
    return _Found(kind, old, new, judgement)


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


def _dependents(pairs: Iterable[Pair], changes: Iterable[_Found]) -> Iterator[_Found]:
    """Yield rules whose logic is the same, and that refer to one that is not, however far."""
    users: dict[Hashable, list[tuple[Rule, Rule]]] = defaultdict(list)
    for old, new in pairs:
        if old and new and (_unchanged(old, new) or _kind(old, new) in _SAME_LOGIC):
            for name in {*old.needs, *new.needs}:
                users[new.language, name].append((old, new))
    waiting = list(dict.fromkeys(key for change in changes for key in _differing_names(change)))
    seen, told_of = set(waiting), set[int]()
    while waiting:
        differs = waiting.pop()
        for old, new in users.get(differs, ()):
            if id(new) in told_of:
                continue
            told_of.add(id(new))
            keys = [(new.language, name) for name in (new.identity, *new.groups)]
            waiting += [key for key in keys if key not in seen]
            seen.update(keys)
            detail = f"it refers to {differs[1]}, which differs"
            judgement = Judgement(effect=Effect.UNKNOWN, details=(detail,))
            yield _Found(ChangeKind.DEPENDS, old, new, judgement)


def _differing_names(change: _Found) -> Iterator[tuple[str, str]]:
    """Yield the names by which others refer to something else, or to nothing, after a change."""
    sides = [side for side in (change.old, change.new) if side]
    names = [{side.identity, *side.groups} for side in sides]
    stayed = names[0] & names[-1] if change.kind in _SAME_LOGIC else set()
    for name in sorted(set[str]().union(*names) - stayed):
        yield change.rule.language, name


def _moved(pairs: Iterable[Pair]) -> Iterator[_Found]:
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
                yield _Found(ChangeKind.MOVED, old, new, judgement)


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


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _loaded(rule: Rule) -> tuple[str, bool]:
    """Return what of a path engines look at: how it ends, and whether a part of it is hidden."""
    suffix = _base(rule.file).rpartition(".")[2].lower() if "." in _base(rule.file) else ""
    hidden = any(part.startswith(".") for part in rule.file.split("/"))
    return _ALIKE.get((rule.language, suffix), suffix), hidden
