"""No value of a report can be altered unnoticed, whoever makes new checksums for the bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.bundle.check.result import CheckStatus
from tests.bundle.bundles import REPORT, Maker
from tests.bundle.test_check import statuses


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value that is no list and no object."""
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    if not isinstance(value, dict | list):
        yield path
    for name, part in parts:
        yield from places(part, (*path, name))


def altered_at(document: Any, path: tuple[str | int, ...]) -> bytes:
    """Return the document with another value of the same type at `path`."""
    copy = json.loads(json.dumps(document))
    node = copy
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = other_than(node[path[-1]])
    return json.dumps(copy, indent=2).encode() + b"\n"


def other_than(value: Any) -> Any:
    """Return a value of the same form."""
    match value:
        case None:
            return "x"
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if len(value) == 64:
            return "0" * 64 if value[0] != "0" else "1" * 64
        case _:
            return f"{value}x"


@pytest.mark.parametrize("scene", ["identical", "confirmed"])
def test_every_value_of_the_report_is_signed(bundle: Maker, scene: str) -> None:
    altered = bundle(scene)
    altered.settle()
    sound = altered.members[REPORT]
    document = json.loads(sound)
    every = list(places(document))
    assert len(every) > 50
    assert all(status is not CheckStatus.WRONG for status in statuses(altered.check()).values())
    unnoticed = []
    for path in every:
        altered.members[REPORT] = altered_at(document, path)
        if CheckStatus.WRONG not in statuses(altered.check()).values():
            unnoticed.append("/".join(map(str, path)))
    altered.members[REPORT] = sound
    assert unnoticed == []
