"""Canonical statements are read in a shorter way, which takes nothing that the long one refuses."""

from __future__ import annotations

import random
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipelines.evidence.errors import MalformedError
from pipelines.evidence.statements import reader
from pipelines.evidence.statements.reader import STATEMENT_TYPES, read_statement
from pipelines.evidence.statements.statement import Statement
from tests.evidence.examples import STATEMENTS

OTHERS = [
    b"1.0", b"1e2", b"-0", b"-1", b"9007199254740992", b"1" + b"0" * 400, b"NaN", b"Infinity",
    b"null", b"true", b"[]", b"{}", b'"a":1', b'"\\u0061"', b'"\\ud800"', b" ", b"\xff",
    "é".encode(), b'"_type":"x",', b'"predicateType":"x",', b"[" * 40, b"]", b"}",
]  # fmt: skip


def outcome(payload: bytes) -> Statement | str:
    try:
        return read_statement(payload)
    except MalformedError as error:
        return str(error)


def altered(payload: bytes, rng: random.Random) -> bytes:
    """Return a payload with another token at some place, or a part of it twice."""
    places = [at for at, one in enumerate(payload) if one in b'[]{}:,"0123456789']
    start, end = sorted((rng.choice(places), rng.choice(places)))
    if rng.random() < 0.3:
        return payload[:end] + payload[start:end] + payload[end:]
    at = rng.choice(places)
    return payload[:at] + rng.choice(OTHERS) + payload[at + rng.choice((0, 1)) :]


@pytest.mark.parametrize("kind", STATEMENTS)
def test_both_ways_read_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = STATEMENTS[kind].to_bytes()
    short = type(STATEMENTS[kind]) not in reader._FREE
    assert (reader._canonical(payload) is not None) is short
    rng = random.Random(kind)  # noqa: S311  # the same each time
    given = [payload, *(altered(payload, rng) for _ in range(60))]
    found = [outcome(one) for one in given]
    monkeypatch.setattr(reader, "_canonical", lambda _: None)
    assert found == [outcome(one) for one in given]
    assert sum(isinstance(one, str) for one in found) > 40


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a key twice", lambda p: p.replace(b'{"_type"', b'{"_type":"x","_type"', 1)),
        ("an escape", lambda p: p.replace(b'"subject"', b'"\\u0073ubject"')),
        ("a space", lambda p: p.replace(b',"subject"', b', "subject"')),
        ("another order", lambda p: p.replace(b'{"_type"', b'{"subject":[],"_type"', 1)),
    ],
)
def test_what_is_not_canonical_is_read_in_full(name: str, change: Any) -> None:
    payload = STATEMENTS["comparison"].to_bytes()
    assert change(payload) != payload, name
    assert reader._canonical(change(payload)) is None
    with pytest.raises(MalformedError):
        read_statement(change(payload))


def free_numbers(model: type[BaseModel], seen: set[type[BaseModel]]) -> list[str]:
    """Return the fields of a model that can hold a number that is not whole, or not below 2^53."""
    if model in seen:
        return []
    seen.add(model)
    return [
        f"{model.__name__}.{name}"
        for name, field in model.model_fields.items()
        if _is_free(field.annotation, tuple(field.metadata), seen)
    ]


def _is_free(kind: Any, bounds: tuple[Any, ...], seen: set[type[BaseModel]]) -> bool:
    if get_origin(kind) is Annotated:
        return _is_free(get_args(kind)[0], (*bounds, *get_args(kind)[1:]), seen)
    if get_origin(kind) is Literal:
        return False
    if arguments := get_args(kind):
        return any(_is_free(one, bounds, seen) for one in arguments if one is not Ellipsis)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return bool(free_numbers(kind, seen))
    if kind is int:
        flat = [one for b in bounds for one in (b.metadata if isinstance(b, FieldInfo) else [b])]
        below = [getattr(b, "lt", getattr(b, "le", None)) for b in flat]
        above = any(hasattr(b, "ge") for b in flat)
        return not above or not any(most is not None and most <= 1 << 53 for most in below)
    texts = ("Digest", "datetime", "str", "bool", "NoneType")
    is_text = isinstance(kind, type) and (kind.__name__ in texts or issubclass(kind, Enum))
    return not is_text


def test_which_kinds_have_numbers_that_their_model_does_not_bound() -> None:
    found = {kind for kind in STATEMENT_TYPES.values() if free_numbers(kind, set())}
    assert found == set(reader._FREE)
