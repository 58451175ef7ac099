"""The comments at the head of a draft recipe; other comments are ignored."""

from __future__ import annotations

import pytest

from pipelines.infer.trial import head_notes

DRAFT = """# draft: found by rebuilding
#   until the bytes were the same
# one more thing
schema: samebits/recipe/v1
# not of the head
"""


def test_the_head_of_a_draft_is_returned_line_by_line() -> None:
    assert head_notes(DRAFT) == [
        "draft: found by rebuilding until the bytes were the same",
        "one more thing",
    ]


@pytest.mark.parametrize(
    "text", ["", "schema: x\n# draft: later\n", "# a comment\n# draft: second\n", "#   indented\n"]
)
def test_other_recipes_say_nothing(text: str) -> None:
    assert head_notes(text) == []
