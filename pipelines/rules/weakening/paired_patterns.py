"""The patterns of two rules, paired: which are the same, and how changed ones relate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Pattern
from pipelines.rules.weakening.boolean_condition import OPAQUE
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.formula import Atom, Formula, atoms, implies
from pipelines.rules.weakening.pattern_relation import MatchRelation

_RANGE = re.compile(r" in \( (\d+) \.\. (\d+) \)$")
_AT = re.compile(r" at (\d+)$")
_BASE = re.compile(r" (?:at|in) ")

Compare = Callable[[Pattern, Pattern], tuple[MatchRelation, Weakness]]
"""Returns how two patterns relate, and the name of what is lost if something is."""


@dataclass
class PairedPatterns:
    """Both rules' patterns by the variables that stand for them in formulas."""

    old: list[tuple[str, str]] = field(default_factory=list)
    """Name in the rule, and variable, in order."""
    new: list[tuple[str, str]] = field(default_factory=list)
    related: list[tuple[str, str, bool]] = field(default_factory=list)
    """Variables of which the first implies the second; whether in the same place."""
    findings: list[EffectFinding] = field(default_factory=list)
    """What differs between patterns; it matters only if the condition depends on them."""

    def constraints(self, *formulas: Formula) -> Iterator[Formula]:
        """Yield what holds of the variables of formulas: what a narrower pattern implies."""
        used = [atom for formula in formulas for atom in atoms(formula)]
        lows = {1.0, *(atom.low for atom in used if atom.low > 0)}
        names = dict.fromkeys(atom.variable for atom in used)
        for first, second, placed in self.related:
            yield from (implies(Atom(first, low), Atom(second, low)) for low in sorted(lows))
            for name in names:
                place = name.removeprefix(first)
                if placed and name != place and f"{second}{place}" in names:
                    yield implies(Atom(name), Atom(f"{second}{place}"))
        mine = {variable for _, variable in (*self.old, *self.new)}
        yield from _placed([name for name in names if _BASE.split(name)[0] in mine])


def _placed(names: Sequence[str]) -> Iterator[Formula]:
    """Yield that a pattern in one place is there, and in each larger place."""
    for name in names:
        where = _AT.search(name) or _RANGE.search(name)
        if where is None:
            base = re.match(r"(\S+) (?:at|in) ", name)
            if base:
                yield implies(Atom(name), Atom(base[1]))
            continue
        base_name = name[: where.start()]
        yield implies(Atom(name), Atom(base_name))
        low, high = int(where[1]), int(where[where.lastindex or 1])
        for other in names:
            wide = _RANGE.search(other)
            same = wide is not None and other != name and other[: wide.start()] == base_name
            if wide and same and int(wide[1]) <= low and high <= int(wide[2]):
                yield implies(Atom(name), Atom(other))


def pair_patterns(
    old: Sequence[Pattern], new: Sequence[Pattern], compare: Compare
) -> PairedPatterns:
    """Pair patterns that are the same, then those of one name, then those of one value."""
    result = PairedPatterns()
    partner = _partners(old, new)
    variables: dict[int, str] = {}
    same: dict[tuple[str, tuple[str, ...]], str] = {}
    dropped = set(range(len(old))) - set(partner.values())
    for number, one in enumerate(old):
        key = one.value, one.modifiers
        variables[number] = same.setdefault(key, f"p{number}")
    for number, two in enumerate(new):
        if number not in partner:
            name = same.get((two.value, two.modifiers), f"n{number}")
        else:
            was = partner[number]
            name = _related(result, old[was], two, variables, was, compare)
        result.new.append((two.name, name))
    result.old = [(one.name, variables[number]) for number, one in enumerate(old)]
    for number in sorted(dropped):
        detail = f"{old[number].name} = {old[number].value} is gone"
        result.findings.append(
            EffectFinding(
                relation=MatchRelation.OTHER, weakness=Weakness.PATTERN_DROPPED, detail=detail
            )
        )
    return result


def _related(
    result: PairedPatterns,
    old: Pattern,
    new: Pattern,
    variables: dict[int, str],
    was: int,
    compare: Compare,
) -> str:
    """Return the variable of a new pattern; note how it relates to the old one."""
    mine = variables[was]
    if (old.value, old.modifiers) == (new.value, new.modifiers):
        return mine
    relation, weakness = compare(old, new)
    if relation is MatchRelation.EQUAL:
        return mine
    shown = [" ".join((one.value, *one.modifiers)) for one in (old, new)]
    result.findings += found(relation, weakness, old.name, *shown)
    if relation is MatchRelation.UNKNOWN:
        variables[was] = f"{OPAQUE}{mine.removeprefix(OPAQUE)}"
        return f"{OPAQUE}{mine.removeprefix(OPAQUE)}'"
    name = f"{mine}'"
    placed = old.value == new.value
    if relation is MatchRelation.NARROWER:
        result.related.append((name, mine, placed))
    elif relation is MatchRelation.WIDER:
        result.related.append((mine, name, placed))
    return name


def _partners(old: Sequence[Pattern], new: Sequence[Pattern]) -> dict[int, int]:
    """Return for numbers of new patterns those of the old ones that they came from."""
    keys: tuple[Callable[[Pattern], object], ...] = (
        lambda p: (p.name, p.value, p.modifiers),
        lambda p: (p.value, p.modifiers),
        lambda p: p.name,
        lambda p: p.value,
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for key in keys:
        waiting: dict[object, list[int]] = {}
        for number, one in enumerate(old):
            if number not in taken:
                waiting.setdefault(key(one), []).append(number)
        for number, two in enumerate(new):
            if number in pairs or (two.name in ("", "$") and key is keys[2]):
                continue
            if places := waiting.get(key(two)):
                pairs[number] = places.pop(0)
                taken.add(pairs[number])
    return pairs
