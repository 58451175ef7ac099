"""Releases of a chain are verified in its order, all others side by side."""

from __future__ import annotations

import pytest

from pipelines.verify.waves import waves


@pytest.mark.parametrize(
    ("releases", "expected"),
    [
        ([], []),
        ([("a@1", ()), ("b@1", ())], [[0, 1]]),
        ([("a@3", ["a@2", "a@1"]), ("a@2", ["a@1"]), ("a@1", ()), ("a@9", ["a@8"])],
         [[2, 3], [1], [0]]),
        ([("a@2", ["a@1"]), ("a@2", ["a@1"])], [[0, 1]]),
        ([("a@1", ["a@2"]), ("a@2", ["a@1"]), ("a@3", ())], [[2], [0, 1]]),
    ],
)  # fmt: skip
def test_what_a_release_is_based_on_comes_first(
    releases: list[tuple[str, list[str]]], expected: list[list[int]]
) -> None:
    assert waves(releases) == expected
