"""JSON that two readers could read differently, or that no reader could hold, is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evidence.errors import MalformedError
from pipelines.evidence.strictjson import MAX_DEPTH, read_object

REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "JSON"),
    "list": (b"[]", "a JSON object"),
    "text": (b'"a"', "a JSON object"),
    "not-utf8": (b'{"a": "\xff"}', "UTF-8"),
    "key-twice": (b'{"a": 1, "a": 1}', "twice"),
    "key-twice-inside": (b'{"a": [{"b": 1, "b": 1}]}', "twice"),
    "nan": (b'{"a": NaN}', "NaN"),
    "fraction": (b'{"a": 1.5}', "1.5"),
    "too-large": (b'{"a": "' + b"x" * 1000 + b'"}', "at most 1000 bytes"),
    "too-deep-list": (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "levels"),
    "too-deep-object": (b'{"a":' * 40 + b"1" + b"}" * 40, "levels"),
    "deeper-than-the-parser": (b'{"a":' + b"[" * 450 + b"]" * 450 + b"}", "levels"),
    "too-many-in-a-list": (b'{"a":[' + b"1," * 100 + b"1]}", "at most 90 values"),
    "too-many-keys": (
        b"{" + b",".join(b'"%d":1' % n for n in range(60)) + b"}",
        "at most 90 values",
    ),
    "integer-above-2-53": (b'{"a": 9007199254740992}', "below 2"),
    "integer-below-2-53": (b'{"a": -9007199254740992}', "below 2"),
    "lone-surrogate": (b'{"a": "\\ud800"}', "Unicode"),
    "lone-surrogate-in-a-key": (b'{"\\ud800": 1}', "Unicode"),
    "lone-surrogate-in-a-list": (b'{"a": ["\\udfff"]}', "Unicode"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_why(name: str) -> None:
    data, why = REFUSED[name]
    with pytest.raises(MalformedError, match=why):
        read_object(data, what="it", limit=1000, nodes=90)


def test_what_is_read() -> None:
    data = b'{"a": [9007199254740991, {"b": null}], "\xc3\xbc": "\\ud83d\\ude00"}'
    assert read_object(data, what="it", limit=1000) == {
        "a": [(1 << 53) - 1, {"b": None}],
        "ü": "😀",
    }


def test_fractions_where_they_are_expected() -> None:
    assert read_object(b'{"a": 1.5}', what="it", limit=10, floats=True) == {"a": 1.5}
    with pytest.raises(MalformedError, match="fit a double"):
        read_object(b'{"a": 1e999}', what="it", limit=99, floats=True)
    with pytest.raises(MalformedError, match="NaN"):
        read_object(b'{"a": NaN}', what="it", limit=99, floats=True)


def test_what_is_deeper_than_python_goes_is_refused() -> None:
    data = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with pytest.raises(MalformedError, match="levels"):
        read_object(data, what="it", limit=1 << 20)


def _bounds(value: Any) -> tuple[int, int]:
    """Return how many levels a value has, and how many values and keys are below it."""
    below = [*value.values()] if isinstance(value, dict) else value
    if not isinstance(below, list):
        return 1, 0
    found = [_bounds(one) for one in below]
    own = len(below) * (2 if isinstance(value, dict) else 1)
    return 1 + max((level for level, _ in found), default=0), own + sum(n for _, n in found)


_TEXT = st.text(alphabet='[]{}",:\\ax', max_size=8)
_VALUES = st.recursive(
    st.integers(0, 9) | st.none() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=30,
)


@given(_VALUES, st.integers(0, MAX_DEPTH), st.integers(0, 120))
def test_the_bounds_are_those_of_the_values_whatever_the_text_holds(
    value: Any, deeper: int, nodes: int
) -> None:
    for _ in range(deeper):
        value = [value]
    levels, count = _bounds(whole := {"a": value})
    data = json.dumps(whole).encode()
    if levels <= MAX_DEPTH and count <= nodes:
        assert read_object(data, what="it", limit=9999, nodes=nodes) == whole
    else:
        with pytest.raises(MalformedError, match="at most"):
            read_object(data, what="it", limit=9999, nodes=nodes)
