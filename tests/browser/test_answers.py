"""The answer about a file, from what the bundles of several centers say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser

from pipelines.portal.scripts import joined, sources

Answer = Callable[..., tuple[str, str]]
CENTERS = [
    {"id": "europe", "operator": "one", "region": "eu"},
    {"id": "europe-2", "operator": "one", "region": "eu"},
    {"id": "asia", "operator": "two", "region": "as"},
    {"id": "berlin", "operator": "three", "region": "eu"},
    {"id": "americas", "operator": "two", "region": "am"},
]
MATCH, DIFFERENT, UNPROVEN, REFUSED = "reproduced", "not-reproduced", "not-proven", "refused"


@pytest.fixture(scope="module")
def answer(chromium: Browser) -> Any:
    """Return the function that answers, as the page has it."""
    page = chromium.new_page()
    page.add_script_tag(content=joined("check/judging.js", sources(), "judging"))

    def asked(*said: Any, compared: bool = True, **rules: Any) -> tuple[str, str]:
        standings = [
            {"claim": "c", "scope": "s", "user_namespace": False, **one}
            if isinstance(one, dict)
            else {"center": one, "answer": MATCH, "claim": "c", "scope": "s"}
            for one in said
        ]
        consensus = {"k": 2, "regions": 2, "kinds": {}, **rules}
        policy = {"centers": CENTERS, "consensus": consensus}
        words = [standings, policy, compared]
        found = page.evaluate("([one, two, three]) => judging.answerOf(one, two, three)", words)
        return found["answer"], found["reason"]

    yield asked
    page.close()


def test_as_many_operators_and_regions_as_the_policy_asks_for(answer: Answer) -> None:
    assert answer("europe", "asia") == (MATCH, "enough")
    assert answer("europe", "europe-2") == (UNPROVEN, "too-few"), "of one operator"
    assert answer("europe", "berlin") == (UNPROVEN, "too-few"), "in one region"
    assert answer("europe", "nowhere") == (UNPROVEN, "too-few"), "of no center of the policy"
    assert answer("europe", "berlin", regions=1) == (MATCH, "enough")
    strict = {"ruleset": {"k": 3, "regions": 1}}
    assert answer("europe", "asia", kinds=strict) == (UNPROVEN, "too-few"), "of some kind"
    assert answer() == (UNPROVEN, "nothing")


def test_one_operator_counts_for_one_region(answer: Answer) -> None:
    """Also where it has centers in several, as a center joins findings."""
    assert answer("asia", "americas", k=1) == (UNPROVEN, "too-few")
    assert answer("europe", "asia", "americas", regions=3) == (UNPROVEN, "too-few")
    assert answer("europe", "berlin", "asia", "americas", k=3) == (MATCH, "enough")


def test_matches_of_other_claims_or_scopes_do_not_add_up(answer: Answer) -> None:
    for other in ({"claim": "d"}, {"scope": "t"}):
        said = {"center": "asia", "answer": MATCH, **other}
        assert answer("europe", said) == (UNPROVEN, "too-few")
        assert answer("europe", said, "asia") == (MATCH, "enough")


def test_one_difference_and_one_altered_bundle_outweigh_all_matches(answer: Answer) -> None:
    different = {"center": "berlin", "answer": DIFFERENT}
    refused = {"center": "berlin", "answer": REFUSED}
    assert answer("europe", "asia", different) == (DIFFERENT, "different")
    assert answer("europe", "asia", refused) == (REFUSED, "refused")
    assert answer(different, refused) == (DIFFERENT, "different")
    unproven = {"center": "berlin", "answer": UNPROVEN}
    assert answer("europe", "asia", unproven) == (MATCH, "enough")


def test_what_bundles_cannot_prove_and_what_nobody_compared_is_not_proven(answer: Answer) -> None:
    assert answer("europe", "asia", work_proof="required") == (UNPROVEN, "work")
    assert answer("europe", "asia", work_proof="optional") == (MATCH, "enough")
    assert answer("europe", "asia", compared=False) == (UNPROVEN, "not-compared")
    mapped = [{"center": c, "answer": MATCH, "user_namespace": True} for c in ("europe", "asia")]
    assert answer("europe", "asia", user_namespace="required") == (UNPROVEN, "nothing")
    assert answer(*mapped, user_namespace="required") == (MATCH, "enough")


@pytest.mark.parametrize(
    ("steps", "verdict", "expected"),
    [
        ([], "IDENTICAL", MATCH),
        ([], "IDENTICAL_SIGNED", MATCH),
        ([], "EQUIVALENT", DIFFERENT),
        ([], "SHIPPED_MISMATCH", DIFFERENT),
        ([], "NOT_CHECKED", UNPROVEN),
        ([], None, UNPROVEN),
        ([("bases", "unchecked")], "IDENTICAL", UNPROVEN),
        ([("bases", "unchecked")], "DIFFERENT", DIFFERENT),
        ([("fresh", "note")], "IDENTICAL", MATCH),
        ([("signatures", "wrong")], None, REFUSED),
        ([("files", "wrong")], None, DIFFERENT),
    ],
)
def test_one_bundle(
    chromium: Browser, steps: list[tuple[str, str]], verdict: str | None, expected: str
) -> None:
    page = chromium.new_page()
    page.add_script_tag(content=joined("check/judging.js", sources(), "judging"))
    checked = {
        "steps": [{"step": s, "status": status, "message": "why"} for s, status in steps],
        "files": [{"file": "x", "verdict": verdict}],
    }
    found = page.evaluate("(checked) => judging.standing(checked)", checked)
    page.close()
    assert found["answer"] == expected
