"""Strict JSON for evidence: bounded in size, depth and count, and unambiguous.

RFC 8259 leaves duplicate keys and large numbers to the reader; two readers then see two documents
in one signature. Here they are refused, with whatever RFC 8785 cannot write.
"""

from __future__ import annotations

import json
from functools import lru_cache, partial
from itertools import chain
from math import isinf
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from builders.core.escaping import escaped
from pipelines.evidence.errors import MalformedError

MAX_DEPTH = 32
MAX_NODES = 500_000
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_MAX_INTEGER = (1 << 53) - 1  # I-JSON (RFC 7493), and so RFC 8785
Model = TypeVar("Model", bound=BaseModel)


def read_object(
    data: bytes, *, what: str, limit: int, nodes: int = MAX_NODES, floats: bool = False
) -> dict[str, Any]:
    """Read one JSON object of at most `limit` bytes and `nodes` values.

    `what` names it in messages. Numbers with a fraction or exponent are refused unless `floats`.
    Raises `MalformedError`.
    """
    if len(data) > limit:
        raise malformed(what, got=f"{len(data)} bytes", expected=f"at most {limit} bytes")
    try:
        value = _decoder(what, floats=floats).decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise malformed(
            what, got=f"byte {data[error.start]:#04x} at {error.start}", expected="UTF-8"
        ) from error
    except RecursionError as error:
        raise malformed(what, got="more", expected=f"at most {MAX_DEPTH} levels") from error
    except ValueError as error:
        raise malformed(what, got=escaped(str(error))[:200], expected="JSON") from error
    if not isinstance(value, dict):
        raise malformed(what, got=type(value).__name__, expected="a JSON object")
    if not is_small(data, nodes):
        _check_nodes(value, what, nodes)
    if b"\\u" in data:  # only so can UTF-8 give text that is not Unicode
        _check_text(value, what)
    return value


def read_model(
    data: bytes,
    model: type[Model],
    *,
    what: str,
    limit: int,
    nodes: int = MAX_NODES,
    floats: bool = False,
) -> Model:
    """Read one JSON object as `model`, strictly; raises `MalformedError` naming the field."""
    read_object(data, what=what, limit=limit, nodes=nodes, floats=floats)
    return validate(data, model, what=what)


def validate(data: bytes | dict[str, Any], model: type[Model], *, what: str) -> Model:
    """Return what `read_object` has accepted, or given, as `model`; raises `MalformedError`."""
    try:
        if isinstance(data, bytes):
            return model.model_validate_json(data, strict=True)
        return model.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        first = faults[0]
        field = ".".join(str(part) for part in first["loc"])
        given = first["input"]
        shown = ascii(given)[:120] if isinstance(given, str | int | float) else type(given).__name__
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        if first["type"] == "missing":
            got = f"no field {escaped(field)[:200]}{more}"
            raise malformed(what, got=got, expected="all of its fields") from error
        raise malformed(
            what,
            got=f"{escaped(field)[:200] or 'the document'} {shown}{more}",
            expected=ascii(first["msg"].removeprefix("Value error, ").removeprefix("expected "))[
                1:-1
            ][:300],
        ) from error


def check_canonical(data: bytes, canonical: bytes, *, what: str) -> None:
    """Require `data` to be the canonical JSON of its value; raises `MalformedError`."""
    if data != canonical:
        raise malformed(
            what, got="JSON that is not canonical", expected="canonical JSON (RFC 8785)"
        )


def is_small(data: bytes, nodes: int = MAX_NODES) -> bool:
    """Say whether punctuation alone shows that a document is within the bounds, as it mostly does.

    What strings hold counts too: that makes a document larger than it is, never smaller.
    """
    brackets = data.translate(None, _NO_BRACKETS)
    if len(brackets) + data.count(b",") + 2 * data.count(b":") > nodes:
        return False
    for _ in range(MAX_DEPTH - 1):  # each round takes the innermost level away
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return not brackets


def printable(text: str) -> str:
    """Return text of printable characters alone, for a field of a model; raises ValueError."""
    if not text.isprintable():
        raise ValueError("expected printable characters")
    return text


def malformed(what: str, *, got: object, expected: object) -> MalformedError:
    """Return the error for `what`, which is not in its form."""
    return MalformedError(
        f"{what} is malformed",
        got=got,
        expected=expected,
        todo="Take it again from where it was published; a damaged copy proves nothing",
    )


@lru_cache(64)
def _decoder(what: str, *, floats: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_unique,
        parse_constant=_refuse,
        parse_int=partial(_whole, what=what),
        parse_float=partial(_finite, what=what) if floats else _refuse,
    )


def _check_nodes(value: Any, what: str, nodes: int) -> None:
    """Bound depth and count; a key of an object counts like a value."""
    count, level = 0, [value]
    for _ in range(MAX_DEPTH):
        objects = [node for node in level if isinstance(node, dict)]
        lists = [node for node in level if isinstance(node, list)]
        below = [*chain.from_iterable(o.values() for o in objects), *chain.from_iterable(lists)]
        count += len(below) + sum(map(len, objects))
        if count > nodes:
            raise malformed(what, got="more", expected=f"at most {nodes} values")
        if not below:
            return
        level = below
    raise malformed(what, got="more", expected=f"at most {MAX_DEPTH} levels")


def _check_text(value: Any, what: str) -> None:
    """Refuse lone surrogates, which RFC 8785 cannot write."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        got = ascii(error.object[error.start])
        raise malformed(what, got=got, expected="Unicode text") from error


def _whole(text: str, *, what: str) -> int:
    value = int(text)
    if abs(value) > _MAX_INTEGER:
        raise malformed(what, got=text[:40], expected="whole numbers below 2^53")
    return value


def _finite(text: str, *, what: str) -> float:
    value = float(text)
    if isinf(value):
        raise malformed(what, got="a number out of range", expected="numbers that fit a double")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return result


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"the number {constant[:40]} is refused")
