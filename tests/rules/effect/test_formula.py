"""The search for what a condition misses agrees with trying everything."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.rules.weakening.formula import (
    AtLeast,
    Atom,
    Formula,
    Not,
    UndecidedError,
    implies,
    is_satisfiable,
    misses,
)

NAMES, VALUES = "abc", range(8)  # one beyond what atoms name
ATOMS = st.builds(
    lambda name, low, size: Atom(name, low, low + size),
    st.sampled_from(NAMES),
    st.integers(0, 4),
    st.integers(0, 2),
)
FORMULAS = st.recursive(
    ATOMS,
    lambda part: st.one_of(
        part.map(Not),
        st.builds(AtLeast, st.integers(0, 4), st.lists(part, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def holds(formula: Formula, sample: dict[str, int]) -> bool:
    match formula:
        case Atom(variable, low, high):
            return low <= sample[variable] <= high
        case Not(part):
            return not holds(part, sample)
        case AtLeast(count, parts):
            return sum(holds(part, sample) for part in parts) >= count


def samples() -> list[dict[str, int]]:
    return [dict(zip(NAMES, values, strict=True)) for values in product(VALUES, repeat=3)]


@settings(deadline=None)
@given(FORMULAS, FORMULAS, FORMULAS)
def test_a_sample_is_found_where_there_is_one(old: Formula, new: Formula, fact: Formula) -> None:
    every = [sample for sample in samples() if holds(fact, sample)]
    assert misses(old, new, [fact]) == any(holds(old, s) and not holds(new, s) for s in every)
    assert is_satisfiable(old, [fact]) == any(holds(old, s) for s in every)


def test_a_search_that_takes_too_long_is_given_up() -> None:
    parts = tuple(Atom(f"p{number}") for number in range(40))
    with pytest.raises(UndecidedError):
        misses(AtLeast(20, parts), AtLeast(20, parts[::-1]))


def test_large_sets_are_decided() -> None:
    parts = tuple(Atom(f"p{number}") for number in range(100))
    assert misses(AtLeast(1, parts), AtLeast(1, parts[:-1]))
    assert not misses(AtLeast(1, parts[:-1]), AtLeast(1, parts))
    assert misses(AtLeast(1, parts), AtLeast(100, parts))
    assert not misses(Atom("a", 3), Atom("b", 3), [implies(Atom("a", 3), Atom("b", 3))])
