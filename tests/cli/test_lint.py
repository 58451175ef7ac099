"""What a recipe's first lines say of a draft, and that other comments are left alone."""

from __future__ import annotations

import pytest

from pipelines.cli.lint import draft_notes

DRAFT = """# draft: found by rebuilding
#   until the bytes were the same
# one more thing
schema: samebits/recipe/v1
# not of the head
"""


def test_the_head_of_a_draft_is_told_line_by_line() -> None:
    assert draft_notes(DRAFT) == [
        "draft: found by rebuilding until the bytes were the same",
        "one more thing",
    ]


@pytest.mark.parametrize(
    "text", ["", "schema: x\n# draft: later\n", "# a comment\n# draft: second\n", "#   indented\n"]
)
def test_other_recipes_say_nothing(text: str) -> None:
    assert draft_notes(text) == []
