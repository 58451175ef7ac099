"""A statement is read in its canonical form alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import canonical_json
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.statements.reader import read_statement
from tests.evidence.examples import STATEMENTS, example_provenance

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(value=st.dictionaries(TEXT, VALUES, max_size=5))
def test_what_is_ascii_throughout_has_one_spelling_for_both_writers(value: dict[str, Any]) -> None:
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    if plain.isascii():
        assert plain == canonical_json(value)


def spelt(**parameters: Any) -> dict[str, Any]:
    made = example_provenance().to_dict()
    made["predicate"]["buildDefinition"]["externalParameters"]["parameters"] = parameters
    return made


@pytest.mark.parametrize(
    "parameters", [{"a": "\x7f\x00\n\u2028"}, {"\ue000": 1, "\U00010000": 2}, {"é": "ü"}, {"a": 1}]
)
def test_a_statement_is_read_in_its_canonical_form_alone(parameters: dict[str, Any]) -> None:
    made = spelt(**parameters)
    payload = canonical_json(made)
    assert read_statement(payload).to_bytes() == payload
    others = {
        json.dumps(made, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode(),
        json.dumps(made, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(),
        json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode(),
        json.dumps(made, sort_keys=True).encode(),
        payload + b" ",
    } - {payload}
    assert others
    for other in others:
        with pytest.raises(MalformedError):
            read_statement(other)


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_field_by_its_python_name_or_as_null_is_another_spelling(kind: str) -> None:
    plain = STATEMENTS[kind].to_dict()
    for change in ({"predicate_type": plain.pop("predicateType")}, {"subject": None}):
        with pytest.raises(MalformedError):
            read_statement(canonical_json({**plain, **change}))
