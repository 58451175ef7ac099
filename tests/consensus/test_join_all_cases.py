"""Every case of up to five operators, against the written order, written down a second time.

The order here is computed from the counts alone; it shares no line or table with the code.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest

from pipelines.audit.center_finding import CenterFinding
from pipelines.consensus.join import join
from pipelines.policy import ConsensusRules
from tests.consensus.findings import (
    SUBJECT,
    MakeFinding,
    cancelled,
    differs,
    differs_otherwise,
    failed,
    match,
    unreachable,
    wavers,
)

SAYINGS: dict[str, MakeFinding | None] = {
    "absent": None,
    "match": match,
    "tampered": differs,
    "other": differs_otherwise,
    "contradicts": wavers,
    "unchecked": unreachable,
    "unbuildable": failed,
    "cancelled": cancelled,
}
OPERATORS = ("ada", "bob", "cyd", "dee", "eve")
TABLE = {
    (name, operator): saying(operator)
    for name, saying in SAYINGS.items()
    if saying is not None
    for operator in OPERATORS
}


def oracle(  # noqa: PLR0911  # the order, one line a result
    case: tuple[str, ...], k: int, max_dissent: int
) -> tuple[str, bool | None]:
    """Return the result, and what a summary says, from how many say what."""
    n = Counter(case)
    against = n["tampered"] + n["other"] + n["contradicts"]
    if n["match"] + against + n["unbuildable"] == 0:
        return "NOT_CHECKED", None
    if n["unbuildable"] and n["match"] + against + n["unchecked"] == 0:
        return "UNBUILDABLE", None
    if n["tampered"] >= max(1, k) or n["other"] >= max(1, k):
        return "SUSPECT", False
    if n["match"] > 0 and against > 0:
        return "SPLIT", 0 < k <= n["match"] and against <= max_dissent
    if n["match"] >= k > 0:
        return "CONFIRMED", True
    if n["contradicts"] > 0 or (n["tampered"] > 0 and n["other"] > 0):
        return "NONDETERMINISTIC", False
    return "PENDING", None


def cases(operators: int) -> Iterator[tuple[str, ...]]:
    return itertools.product(SAYINGS, repeat=operators)


def positions(case: tuple[str, ...]) -> list[CenterFinding]:
    return [
        TABLE[name, operator]
        for name, operator in zip(case, OPERATORS, strict=False)
        if name != "absent"
    ]


@pytest.mark.parametrize("operators", [0, 1, 2, 3, 4])
def test_every_case_with_every_k_and_every_allowed_dissent(operators: int) -> None:
    for case in cases(operators):
        given = positions(case)
        for k, dissent in itertools.product(range(operators + 2), (0, 1)):
            found = join(SUBJECT, given, ConsensusRules(k=k, max_dissent=dissent))
            assert (found.result, found.passed) == oracle(case, k, dissent), (case, k, dissent)


@pytest.mark.parametrize("k", [0, 1, 2, 3, 5, 6])
def test_every_case_of_five_operators(k: int) -> None:
    """Order cannot matter (see below), so of five operators each choice is asked once."""
    for case in itertools.combinations_with_replacement(SAYINGS, 5):
        given = positions(case)
        for dissent in (0, 1, 2):
            found = join(SUBJECT, given, ConsensusRules(k=k, max_dissent=dissent))
            assert (found.result, found.passed) == oracle(case, k, dissent), (case, k, dissent)


def test_every_ordered_case_of_five_operators_for_a_majority() -> None:
    rules = ConsensusRules(k=3, max_dissent=1)
    for case in cases(5):
        found = join(SUBJECT, positions(case), rules)
        assert (found.result, found.passed) == oracle(case, 3, 1), case


def test_the_oracle_meets_every_result() -> None:
    met = {oracle(case, k, 0)[0] for case in cases(3) for k in range(5)}
    assert met == {
        "NOT_CHECKED", "UNBUILDABLE", "SUSPECT", "SPLIT", "CONFIRMED", "NONDETERMINISTIC",
        "PENDING",
    }  # fmt: skip


def test_nobody_who_is_absent_changes_anything() -> None:
    for case in cases(3):
        there = tuple(name for name in case if name != "absent")
        rules = ConsensusRules(k=2)
        alone = join(SUBJECT, positions(there), rules)
        assert join(SUBJECT, positions(case), rules).result == alone.result


def test_who_says_less_never_makes_it_pass() -> None:
    """Take a match away, and what did not pass does not pass now."""
    rules = ConsensusRules(k=2, max_dissent=1)
    for case in cases(4):
        if join(SUBJECT, positions(case), rules).passed:
            continue
        for place, name in enumerate(case):
            if name == "match":
                less = (*case[:place], "absent", *case[place + 1 :])
                assert not join(SUBJECT, positions(less), rules).passed
