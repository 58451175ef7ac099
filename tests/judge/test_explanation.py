"""What an explanation says of lists that were capped."""

from __future__ import annotations

import pytest

from pipelines.judge.difference import MemberDiff


@pytest.mark.parametrize(
    ("counts", "capped"),
    [
        ({}, False),
        ({"added": 0, "repacked": 1}, False),
        ({"added": 0, "repacked": 2}, True),
        ({"added": 1, "repacked": 1}, True),
    ],
)
def test_a_list_is_capped_where_more_was_counted(counts: dict[str, int], *, capped: bool) -> None:
    assert MemberDiff(complete=True, repacked=("a.zip",), counts=counts).capped is capped
