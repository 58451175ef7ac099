"""Conditions as formulas over counts and sizes, and what one matches that another does not.

A formula is true or false of a sample. Its atoms say that a variable (how often a pattern occurs,
the size of the file, a field) lies in an interval; everything else is `AtLeast` of some parts and
`Not`. Of two formulas a sample is searched that the first matches and the second misses. Variables
are independent of each other, unless a constraint relates them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_MAX_STEPS = 60_000
"""Atoms that are looked at before a search is given up."""


@dataclass(frozen=True)
class Atom:
    """A variable that is at least `low` and at most `high`."""

    variable: str
    low: float = 1
    high: float = math.inf
    counts: bool = True
    """Whether the variable is a count: a whole number, and not below 0."""


@dataclass(frozen=True)
class AtLeast:
    """At least `count` of the parts are true: all of them is "and", one of them "or"."""

    count: int
    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Not:
    """The part is not true."""

    part: Formula


Formula: TypeAlias = Atom | AtLeast | Not
TRUE, FALSE = AtLeast(0, ()), AtLeast(1, ())


class UndecidedError(Exception):
    """A search that would take too long."""


def both(*parts: Formula) -> Formula:
    """Return "and"."""
    return parts[0] if len(parts) == 1 else AtLeast(len(parts), parts)


def either(*parts: Formula) -> Formula:
    """Return "or"."""
    return parts[0] if len(parts) == 1 else AtLeast(1, parts)


def implies(first: Formula, second: Formula) -> Formula:
    """Return "the second, if the first"."""
    return either(Not(first), second)


def atoms(formula: Formula) -> Iterable[Atom]:
    """Yield all atoms, in order."""
    waiting = [formula]
    while waiting:
        match waiting.pop():
            case Atom() as atom:
                yield atom
            case Not(part):
                waiting.append(part)
            case AtLeast(_, parts):
                waiting.extend(reversed(parts))


def is_satisfiable(formula: Formula, constraints: Sequence[Formula] = ()) -> bool:
    """Say whether any sample at all matches; raises `UndecidedError`."""
    goal = both(formula, *constraints)
    points = _points(goal)
    return _search(goal, points, {}, [_MAX_STEPS])


def misses(old: Formula, new: Formula, constraints: Sequence[Formula] = ()) -> bool:
    """Say whether there is a sample that `old` matches and `new` misses; raises `UndecidedError`.

    `constraints` hold of every sample.
    """
    return is_satisfiable(both(old, Not(new)), constraints)


def _points(formula: Formula) -> Mapping[str, list[float]]:
    """Return values of each variable of which every interval has one inside and one outside."""
    found: dict[str, set[float]] = {}
    for atom in atoms(formula):
        values = found.setdefault(atom.variable, {0.0})
        for end, beyond in ((atom.low, -math.inf), (atom.high, math.inf)):
            if not math.isinf(end):
                step = math.copysign(1, beyond) if atom.counts and end == int(end) else 0
                near = end + step if step else math.nextafter(end, beyond)
                values |= {one for one in (end, near) if one >= 0 or not atom.counts}
    # Large values first: a sample that has everything is what an old rule most often matches.
    return {name: sorted(kept, reverse=True) for name, kept in found.items()}


def _search(
    goal: Formula,
    points: Mapping[str, list[float]],
    values: dict[str, float],
    steps: list[int],
) -> bool:
    """Say whether the values can be completed so that the goal is true."""
    known = _value(goal, values, steps)
    if known is not None:
        return known
    name = next(atom.variable for atom in _open(goal, values, steps))
    for value in points[name]:
        values[name] = value
        if _search(goal, points, values, steps):
            return True
    del values[name]
    return False


def _value(formula: Formula, values: Mapping[str, float], steps: list[int]) -> bool | None:
    """Return what the formula is; None while that depends on a variable without a value."""
    if isinstance(formula, Atom):
        steps[0] -= 1
        if steps[0] < 0:
            raise UndecidedError
        value = values.get(formula.variable)
        return None if value is None else formula.low <= value <= formula.high
    if isinstance(formula, Not):
        inner = _value(formula.part, values, steps)
        return None if inner is None else not inner
    true, unknown = 0, 0
    left = len(formula.parts)
    if formula.count <= 0:
        return True
    for part in formula.parts:
        if true + unknown + left < formula.count:
            return False
        left -= 1
        inner = _value(part, values, steps)
        true += inner is True
        unknown += inner is None
        if true >= formula.count:
            return True
    return False if true + unknown < formula.count else None


def _open(formula: Formula, values: Mapping[str, float], steps: list[int]) -> Iterable[Atom]:
    """Yield atoms without a value, of those parts alone that are not decided."""
    if isinstance(formula, Atom):
        if formula.variable not in values:
            yield formula
    elif isinstance(formula, Not):
        yield from _open(formula.part, values, steps)
    else:
        for part in formula.parts:
            if _value(part, values, steps) is None:
                yield from _open(part, values, steps)
