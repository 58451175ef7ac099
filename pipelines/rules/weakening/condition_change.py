"""What one condition over patterns detects that another does not, with its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipelines.rules.change import Weakness
from pipelines.rules.weakening.boolean_condition import OPAQUE, BooleanCondition
from pipelines.rules.weakening.effect_finding import EffectFinding, interval_text
from pipelines.rules.weakening.formula import (
    Atom,
    Formula,
    UndecidedError,
    atoms,
    is_satisfiable,
    misses,
)
from pipelines.rules.weakening.paired_patterns import PairedPatterns
from pipelines.rules.weakening.pattern_relation import MatchRelation

_COUNTED = re.compile(r"(?s)[pn]\d+'?|\(.*\)|(?:exact )?[a-z][^ =]*=.*|basic blocks")
"""Variables that count matches of patterns; others are sizes and places."""
_PLACED = re.compile(r"(?:\? )?[pn]\d+'* (?:at|in) ")
"""Variables of patterns in one place."""
TOO_LARGE = EffectFinding(
    relation=MatchRelation.UNKNOWN, detail="the condition is too large to be decided"
)


def condition_findings(
    old: BooleanCondition, new: BooleanCondition, patterns: PairedPatterns
) -> Sequence[EffectFinding]:
    """Return what the new condition misses or finds beside the old one."""
    try:
        return tuple(_findings(old, new, patterns))
    except (UndecidedError, RecursionError):
        return (TOO_LARGE,)


def _findings(
    old: BooleanCondition, new: BooleanCondition, patterns: PairedPatterns
) -> Iterator[EffectFinding]:
    constraints = (*patterns.constraints(old.formula, new.formula), *old.facts, *new.facts)
    if not is_satisfiable(new.formula, constraints):
        if is_satisfiable(old.formula, constraints):
            detail = "the condition is never true"
            yield _narrower(Weakness.NEVER_TRUE, detail, dead=True)
        return
    lost = misses(old.formula, new.formula, constraints)
    gained = misses(new.formula, old.formula, constraints)
    if not lost:
        if gained:
            yield EffectFinding(relation=MatchRelation.WIDER, detail="the condition is wider")
        return
    before, after = _by_variable(old.formula), _by_variable(new.formula)
    unknown = [{v for v in one if v.startswith(OPAQUE)} for one in (before, after)]
    gone = sorted(name for name in before.keys() - after.keys() if _is_text(name))
    come = sorted(unknown[1] - unknown[0])
    if gained and gone and come:
        texts = " and ".join(name.removeprefix(OPAQUE) for name in (*gone[:2], *come[:2]))
        detail = f"it is not known how these compare: {texts}"
        yield EffectFinding(relation=MatchRelation.UNKNOWN, detail=detail)
        return
    named = [*_patterns_lost(patterns), *_counts(old, new), *_bounds(before, after)]
    named += [
        _narrower(Weakness.EXCLUSION_ADDED, f"excluded now: {text}")
        for text in sorted(new.excluded - old.excluded)
    ]
    if not named and gone and not come:
        texts = ", ".join(name.removeprefix(OPAQUE) for name in gone[:4])
        named = [_narrower(Weakness.PATTERN_DROPPED, f"not looked for any more: {texts}")]
    yield from named or [_narrower(Weakness.CONDITION_NARROWER, "the condition is narrower")]


def _is_text(variable: str) -> bool:
    """Say whether a variable is a text that is looked for, known or not."""
    return variable.startswith(OPAQUE) or "=" in variable


def _narrower(weakness: Weakness, detail: str, *, dead: bool = False) -> EffectFinding:
    return EffectFinding(
        relation=MatchRelation.NARROWER, weakness=weakness, detail=detail, dead=dead
    )


def _patterns_lost(patterns: PairedPatterns) -> Iterator[EffectFinding]:
    yield from (one for one in patterns.findings if one.weakens)


def _counts(old: BooleanCondition, new: BooleanCondition) -> Iterator[EffectFinding]:
    """Yield where more patterns of a set are wanted than were."""
    for (before, was), (_, wanted) in zip(old.counts, new.counts, strict=False):
        if wanted > was:
            detail = f"at least {was} of {before} became {wanted}"
            yield _narrower(Weakness.THRESHOLD_RAISED, detail)


def _bounds(before: dict[str, set[Atom]], after: dict[str, set[Atom]]) -> Iterator[EffectFinding]:
    """Yield variables that are compared with other numbers, and places that are new."""
    for name, atoms_now in after.items():
        was = before.get(name)
        if was is None:
            if _PLACED.match(name):
                yield _narrower(Weakness.BOUND_MOVED, f"it has to be {name}")
            elif name.startswith("("):
                yield _narrower(Weakness.THRESHOLD_RAISED, f"matches of {name} are counted")
        elif was != atoms_now:
            counted = _COUNTED.fullmatch(name) is not None
            weakness = Weakness.THRESHOLD_RAISED if counted else Weakness.BOUND_MOVED
            shown = [", ".join(sorted(map(_interval, one))) for one in (was, atoms_now)]
            yield _narrower(weakness, f"{name}: {shown[0]} became {shown[1]}")


def _interval(atom: Atom) -> str:
    return interval_text(atom.low, atom.high)


def _by_variable(formula: Formula) -> dict[str, set[Atom]]:
    found: dict[str, set[Atom]] = {}
    for atom in atoms(formula):
        found.setdefault(atom.variable, set()).add(atom)
    return found
