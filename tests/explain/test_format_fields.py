"""Headers of many members are compared part by part, and only the parts that differ are read."""

from __future__ import annotations

import io

import pytest

from pipelines.explain.format_fields import Content, Field, FieldComparison, Format, Layout
from pipelines.judge.difference import FieldKind

LAYOUT = Layout(
    parts=(("number", 0, 4, FieldKind.SETTING), ("size", 4, 8, FieldKind.DERIVED)),
    value=lambda _, raw: str(int(raw)),
)
HEADERS = Format(
    name="headers",
    matches=lambda _: True,
    fields=lambda content: [Field(name="header", at=2, size=content.size - 2, layout=LAYOUT)],
)

Told = tuple[str, str | None, str | None, int]


@pytest.mark.parametrize(
    ("shipped", "rebuilt", "expected"),
    [
        (b"--0001odd!", b"--0012odd!", [("number", "1", "12", 2)]),
        (b"--00010008", b"--00020009", [("number", "1", "2", 1), ("size", "8", "9", 1)]),
        (b"--0001odd!abc", b"--0001odd!axx", [("header", None, None, 2)]),
        (b"--0001odd!abc", b"--0002odd!axc", [("number", "1", "2", 1), ("header", None, None, 1)]),
        (b"--0001odd!abc", b"--0002odd!ab", [("number", "1", "2", 1)]),
        (b"--0001  +8", b"--0001   8", [("size", None, None, 1)]),
    ],
    ids=["one", "all", "what no part covers", "both", "another size", "other bytes of one meaning"],
)
def test_only_parts_that_differ_are_read(
    shipped: bytes, rebuilt: bytes, expected: list[Told]
) -> None:
    both = FieldComparison(Content(io.BytesIO(shipped)), Content(io.BytesIO(rebuilt)))
    found = [(t.field.name, t.shipped, t.rebuilt, t.count) for t in both.told(HEADERS)]
    assert found == expected
