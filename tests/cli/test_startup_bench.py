"""The benchmark of the most used commands: what it compares, and that it says what failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.bench.commits import HERE
from infra.bench.startup import COMMANDS, measure
from tests.command import samebits
from tests.docs.commands import parse


def test_a_command_is_timed_here_and_at_a_commit() -> None:
    figures = measure(1, against=("HEAD",), commands=("help",))
    told = figures["commands"]["help"]
    assert told.keys() == {HERE, "HEAD"}
    assert all(one["exit_code"] == 0 and len(one["values"]) == 1 for one in told.values())
    medians = {tree: one["median"] for tree, one in told.items()}
    assert figures["median_seconds"] == {"help": medians, "all": medians}
    assert all(0 < cpu < 30 for cpu in figures["median_cpu_seconds"]["help"].values())


def test_there_are_ten_commands_and_each_is_one_that_there_is() -> None:
    assert len(COMMANDS) == 10
    for words in COMMANDS.values():
        assert words == ("--help",) or parse(words)


@pytest.mark.usefixtures("build_image")
def test_all_of_them_end_well_on_a_release_that_was_verified() -> None:
    figures = measure(1)["commands"]
    assert {name: one[HERE]["exit_code"] for name, one in figures.items()} == dict.fromkeys(
        COMMANDS, 0
    )


@pytest.mark.parametrize("commit", ["nowhere", "--output=/tmp/never"])
def test_a_commit_that_there_is_not_is_named(tmp_path: Path, commit: str) -> None:
    ended = samebits("bench", "startup", "--against", commit, home=tmp_path)
    assert ended.code == 64
    ended.assert_clear()
    assert f"got {commit}" in ended.err
