"""What a policy file may say, and what it may not mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builders.core.enums import Kind
from builders.core.errors import RecipeError
from builders.core.yamlfile import parse_document
from infra.bench.madeup import EMPTY_POLICY
from pipelines.center.center import load_center
from pipelines.policy import Policy, read_policy
from pipelines.policy.model import ReviewRules
from pipelines.policy.validation import policy_from
from tests.policy.reviews.people import ADA, BOB, policy
from tests.policy.world import draft

DATA = Path(__file__).parents[2] / "data" / "reviews"
GOOD = sorted((DATA / "policies" / "good").glob("*.yaml"))
BAD = sorted((DATA / "policies" / "bad").glob("*.yaml"))
SAYS = {
    "alias": "anchors and aliases",
    "duplicate-key": "duplicate key",
    "empty-key": "no key",
    "empty": "empty file",
    "key-is-a-folder": "cannot be read",
    "key-is-missing": "cannot be read",
    "key-is-private": "the key cannot be used",
    "key-is-rubbish": "the key cannot be used",
    "key-truncated": "the key cannot be used",
    "kind-cannot-be-reached": "more reviewers with a valid key are required",
    "kind-unknown": "expected 'binary', 'update' or 'ruleset'",
    "minimum-cannot-be-reached": "more reviewers with a valid key are required",
    "minimum-negative": "greater than or equal to 0",
    "minimum-no-number": "valid integer",
    "minimum-only-with-revoked": "more reviewers with a valid key are required",
    "minimum-without-reviewers": "more reviewers with a valid key are required",
    "no-schema": "missing field",
    "not-yaml": "not valid YAML",
    "one-key-in-two-spellings": "one key is used twice",
    "one-key-twice": "one key is used twice",
    "one-person-counted-twice": "more reviewers with a valid key are required",
    "other-schema": "samebits/policy/v1",
    "reviewer-without-key": "missing field",
    "reviewer-with-upper-case": "match pattern",
    "revoked-no-key-id": "match pattern",
    "two-documents": "more than one document",
    "unknown-key": "unknown key",
    "unknown-key-of-reviewer": "unknown key",
}


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_a_good_policy_is_read(path: Path) -> None:
    assert isinstance(read_policy(path), Policy)


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_a_bad_policy_is_one_clear_error(path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        read_policy(path)
    assert SAYS[path.stem] in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert "PRIVATE" not in str(caught.value)
    assert caught.value.exit_code == 64


def test_every_expectation_has_its_file() -> None:
    assert {path.stem for path in BAD} == set(SAYS)


def test_keys_are_files_or_stand_in_the_policy() -> None:
    both = [read_policy(DATA / "policies" / "good" / f"{n}.yaml") for n in ("files", "inline")]
    assert [[r.key for r in p.reviewers] for p in both] == [[ADA.public, BOB.public]] * 2


@pytest.mark.parametrize(
    ("kind", "recipe", "expected"),
    [(Kind.BINARY, 0, 1), (Kind.RULESET, 0, 2), (Kind.RULESET, 1, 2), (Kind.BINARY, 3, 3)],
)
def test_a_recipe_can_only_ask_for_more(kind: Kind, recipe: int, expected: int) -> None:
    written = replace(EMPTY_POLICY, reviews=ReviewRules(minimum=1, kinds={Kind.RULESET: 2}))
    assert written.demand(kind, recipe) == expected


def test_who_only_has_revoked_keys_is_nobody() -> None:
    assert set(policy(revoked=(ADA,)).reviewer_keys()) == {"bob", "cleo"}


def test_a_center_names_its_policy_beside_its_file(tmp_path: Path) -> None:
    path = tmp_path / "center.yaml"
    path.write_text("schema: samebits/center/v1\nid: europe\npolicy: rules/policy.yaml\n")
    assert load_center(path).policy == tmp_path / "rules" / "policy.yaml"


plain = st.recursive(
    st.none() | st.text(max_size=20) | st.integers(-5, 200),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "schema",
                    "reviewers",
                    "reviews",
                    "revoked",
                    "name",
                    "key",
                    "minimum",
                    "kinds",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def assert_read_or_refused(text: str) -> None:
    try:
        policy_from(parse_document(text, file="policy.yaml"), DATA)
    except RecipeError as error:
        told = str(error)
    else:
        told = ""
    assert "\n" not in told


@given(plain)
def test_whatever_a_policy_holds_it_is_read_or_refused(data: object) -> None:
    fields = data if isinstance(data, dict) else {"x": data}
    assert_read_or_refused(yaml.safe_dump({**draft(), **fields}))


@given(st.text(max_size=200))
def test_whatever_text_is_a_policy_it_is_read_or_refused(text: str) -> None:
    assert_read_or_refused(text)


# Each rule of a policy, and a test that goes red without it:
#
#   one key for two people              a_bad_policy_is_one_clear_error[one-key-in-two-spellings]
#   a minimum that can be reached       a_bad_policy_is_one_clear_error[minimum-without-reviewers]
#   and one of a kind                   a_bad_policy_is_one_clear_error[kind-cannot-be-reached]
#   revoked keys reach nothing          a_bad_policy_is_one_clear_error[minimum-only-with-revoked]
#   a recipe only tightens              a_recipe_can_only_ask_for_more
