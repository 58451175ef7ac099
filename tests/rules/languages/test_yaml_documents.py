"""YAML of rules: items that are read alone say what they say in their file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.rules.languages.rule_language import RuleSyntaxError
from pipelines.rules.languages.yaml_documents import (
    YamlPart,
    load_items,
    load_list,
    split_items,
)

LINES = (
    "rules:", "rules: # all", "other: 1", "---", "...", "# note", "", "   ", "\t", "\tx: 1", "- a",
    "  - a", "  - id: a", "  - id: 'a", "  - b'", '  - id: "a', '  - b"', "  - [a,", "  - b]",
    "  - {a: b,", "  - c: d}", "  - &x a", "  - *x", "  - <<: {a: b}", "  - |", "  - >1", "  - |2-",
    "  - key: |", "    text", "     - more", "    b: c", "    - c", "   - odd", "  -", "  - - a",
    "  -a", " - a", "  - ? a", "  ? b", "  : c", "  - !!str 1", "  - !x a", "  - 1", "%YAML 1.1",
    "  - a\u2028  - b", "  - a\u2028b: c", "  - \u00e4\u0085  - b", "  - a # - b", "  - a\r",
)  # fmt: skip


def alone(data: bytes) -> list[tuple[int, bytes, object]] | None:
    """Return the items of a file read one by one; None where that does not work."""
    try:
        read = [(load_list(item), line) for line, item in split_items(data, "rules")]
    except RuleSyntaxError:
        return None
    found = [shown(part, line) for parts, line in read for part in parts]
    return found if read else None


def shown(part: YamlPart, line: int = 0) -> tuple[int, bytes, object]:
    return part.line + line, part.text, part.value


@settings(max_examples=300)
@given(st.lists(st.sampled_from(LINES), max_size=9), st.sampled_from(["\n", ""]))
def test_items_that_are_read_alone_say_what_the_file_says(lines: list[str], end: str) -> None:
    data = ("\n".join(["rules:", *lines]) + end).encode()
    if (found := alone(data)) is None:
        return
    try:
        whole = load_items(data, "rules")
    except RuleSyntaxError as error:
        assert "second occurrence" in str(error)  # noqa: PT017  # of an anchor, for PyYAML alone
    else:
        assert [one[1:] for one in found] == [(part.text, part.value) for part in whole]


def test_items_of_a_plain_list_are_read_alone() -> None:
    data = b"# pack\nrules:\n  # one\n  - id: a\n    text: |\n      - b\n\n  # two\n  - id: c\n"
    assert [line for line, _ in split_items(data, "rules")] == [3, 8]
    found = alone(data)
    assert found == [shown(part) for part in load_items(data, "rules")]
    assert [value for _, _, value in found] == [{"id": "a", "text": "- b\n"}, {"id": "c"}]


@pytest.mark.parametrize(
    "data",
    [
        b"rules:\n- a\nother: 1\n",
        b"other:\n- a\n",
        b"rules: [a]\n",
        b"rules:\n  - 'a\n  - b'\n",
        b"rules:\n  - &x a\n  - *x\n",
        b"rules:\n- a\n---\nrules:\n- b\n",
        b"%YAML 1.1\n---\nrules:\n- a\n",
    ],
)
def test_a_file_whose_items_depend_on_each_other_is_read_as_one(data: bytes) -> None:
    assert alone(data) is None
