"""How foreign text is shown in a message."""

from __future__ import annotations

import pytest

from pipelines.log.text import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a b", "'a b'"), ("\x1b[2J\u00e9\n", r"'\x1b[2J\xe9\n'"), ("x" * 99, f"'{'x' * 79}")],
)
def test_it_is_quoted_ascii_and_short(text: str, expected: str) -> None:
    assert shown(text) == expected
