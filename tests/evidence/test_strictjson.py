"""JSON that two readers could read differently, or that no reader could hold, is refused."""

from __future__ import annotations

import pytest

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
