"""What is tried next for members in another order, at other times or with other modes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders.container.folderorder import CREATED, HASHED
from pipelines.infer.journal import WheelDifferences
from pipelines.infer.machine_traces import order_of
from pipelines.infer.wheel.hypothesis import MAX_FILES, SEEDS, FileChange
from pipelines.infer.wheel.refinement import Refinement
from pipelines.infer.wheel.toolchain import Resolver
from tests.fakes.jail import OpenJail
from tests.infer.refinement_bench import DATA, DIST, NEWEST, TIMES, Make, values
from tests.infer.workbench import (
    BUILT,
    Entry,
    backends,
    source_files,
    wheel_files,
)


@pytest.mark.parametrize(
    "left", [WheelDifferences(order=True), WheelDifferences(record_order=True)]
)
def test_another_order_may_be_that_of_folders(made: Make, left: WheelDifferences) -> None:
    bench = made()
    assert values(bench.ideas(left), "folder_order", "hash_seed") == [(CREATED, 0)]
    assert bench.ideas(left, folder_order=CREATED) == []
    assert bench.ideas(left, folder_order="hashed-1") == []


LISTED = tuple(f"{DIST}/{name}" for name in ("LICENSE", "METADATA", "WHEEL"))


def test_an_order_of_members_may_be_that_of_one_seed(made: Make) -> None:
    bench = made()
    ideas = bench.ideas(WheelDifferences(order=True, reordered=("tool", DIST)))
    both = [*LISTED, "tool/__init__.py", "tool/data.txt"]
    seed = order_of(both, (DIST, "tool"), DIST)
    assert seed not in {None, order_of(both, ("tool",), "tool"), order_of(both, (DIST,), DIST)}
    assert values(ideas, "folder_order") == [(seed,), (CREATED,)]
    assert f"under it {DIST} lists its files" in ideas[0].why("folder_order")
    top = bench.ideas(WheelDifferences(order=True, reordered=("tool",)))
    assert "under it tool lists its files" in top[0].why("folder_order")


def test_a_seed_keeps_the_order_of_metadata_where_it_can(made: Make) -> None:
    ideas = made().ideas(WheelDifferences(order=True, reordered=("tool",)))
    both = [*LISTED, "tool/__init__.py", "tool/data.txt"]
    assert values(ideas, "folder_order")[0] == (order_of(both, (DIST, "tool"), DIST),)


def test_an_order_of_record_alone_may_be_that_of_one_seed(tmp_path: Path, made: Make) -> None:
    bench = made()
    turned = [*reversed(LISTED), f"{DIST}/RECORD"]
    facts = replace(bench.clues.shipped, record=tuple(turned))
    refiner = Refinement(
        replace(bench.clues, shipped=facts), Resolver(backends(), lambda _: tmp_path, OpenJail())
    )
    other = replace(bench, refiner=refiner)
    seeds = order_of(LISTED, (DIST,), DIST), order_of(turned, (DIST,), DIST)
    assert seeds[0] != seeds[1]
    for order, seed in zip((True, False), seeds, strict=True):
        left = WheelDifferences(order=order, record_order=True, reordered=(DIST,))
        ideas = other.ideas(left)
        assert values(ideas, "folder_order") == [(seed,), (CREATED,)]


def test_an_order_that_no_seed_gives_is_none_of_one(made: Make) -> None:
    files = wheel_files() | {f"tool/{number:03}.py": Entry() for number in range(40)}
    ideas = made(shipped=files).ideas(WheelDifferences(order=True, reordered=(DIST, "tool")))
    assert values(ideas, "folder_order") == [(CREATED,)]


def test_few_words_in_another_order_may_be_those_of_a_set(made: Make) -> None:
    bench = made()
    few = WheelDifferences(shuffled={"b": 2, "a": 4})
    ideas = bench.ideas(few)
    assert values(ideas, "folder_order", "hash_seed") == [
        (CREATED, 0),
        *((HASHED, seed) for seed in SEEDS),
    ]
    assert "in another order in a, as of a set" in ideas[1].why("hash_seed")
    many = bench.ideas(WheelDifferences(shuffled={"b": 2, "a": 5}))
    assert values(many, "hash_seed") == [(0,)]


def test_another_way_of_fixing_times(made: Make) -> None:
    bench = made()
    newest = bench.clues.shipped.newest
    ways = {(BUILT + 60, None): [(None, newest)], (None, BUILT): [(newest, None)]}
    ways[None, None] = [(None, newest), (newest, None)]
    for (clock, epoch), expected in ways.items():
        ideas = bench.ideas(TIMES, clock=clock, epoch=epoch)
        assert values(ideas, "clock", "epoch") == expected
        name = "clock" if expected[-1][0] else "source_date_epoch"
        assert ideas[-1].why(name) == NEWEST
    assert bench.ideas(WheelDifferences(modes={}), clock=BUILT) == []


def test_other_umasks_are_tried_then_single_modes(made: Make) -> None:
    files = {**wheel_files(), DATA: Entry(data=b"data\n", mode=0o755)}
    bench = made(shipped=files)
    left = WheelDifferences(modes={DATA: (0o755, 0o644)})
    ideas = bench.ideas(left, umask="022", source_umask=None)
    umasks = [("002", None), ("022", "000"), ("002", "022"), ("022", None)]
    assert values(ideas, "umask", "source_umask") == umasks
    assert values(bench.ideas(left, umask="002"), "umask", "source_umask")[:2] == [
        ("022", None),
        ("022", "000"),
    ]
    change = FileChange(path=DATA, mode="755")
    assert [idea.files for idea in ideas] == [(), (), (), (change,)]
    assert ideas[0].why("umask") == "other modes were not explained"
    assert ideas[-1].why(f"mode of {DATA}").startswith("the shipped member has it")
    before = FileChange(path="LICENSE", mode="600")
    assert bench.ideas(left, files=(before,))[-1].files == (before, change)


@pytest.mark.parametrize(
    ("modes", "shipped"),
    [
        ({DATA: (None, 0o644)}, {}),
        ({DATA: (0o755, 0o644)}, {DATA: Entry(data=b"not as in the source\n")}),
        ({DATA: (0o755, 0o644), f"{DIST}/METADATA": (0o755, 0o644)}, {}),
        ({"tool/other.txt": (0o755, 0o644)}, {"tool/other.txt": Entry(data=b"data\n")}),
    ],
)
def test_modes_of_what_the_source_has_not_are_no_single_ones(
    made: Make, modes: dict[str, Any], shipped: dict[str, Entry]
) -> None:
    bench = made(shipped={**wheel_files(), **shipped})
    ideas = bench.ideas(WheelDifferences(modes=modes))
    assert {idea.files for idea in ideas} == {()}


def test_more_single_modes_than_are_allowed_are_none(made: Make) -> None:
    more = {f"tool/{n}.txt": Entry(data=b"%d" % n) for n in range(MAX_FILES + 1)}
    bench = made(shipped={**wheel_files(), **more}, source={**source_files(), **more})
    modes = dict.fromkeys(more, (0o755, 0o644))
    assert bench.ideas(WheelDifferences(modes=modes))[-1].files == ()
    modes.popitem()
    assert len(bench.ideas(WheelDifferences(modes=modes))[-1].files) == MAX_FILES
