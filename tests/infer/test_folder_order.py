"""The order in which ext4 lists names: as its own tools and a real file system say."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from pathlib import Path

import pytest

from builders.container.folderorder import HASHED, SEEDS, hash_seed, hashed
from builders.container.scratch import scratch
from pipelines.infer.machine_traces import name_hash, names_of, order_of, reordered
from pipelines.infer.wheel.facts import record_paths

ORDERS = (HASHED, hashed(1), hashed(258), hashed(999))
NAMES = (
    *("a", "METADATA", "WHEEL", "top_level.txt", "naïve-éàü", "名前.txt"),
    *("x" * length for length in (31, 32, 33, 63, 64, 65, 255)),
    *("é" * length for length in (15, 16, 17, 127)),
)
DIST = "t-1.dist-info"
LISTED = [f"{DIST}/{name}" for name in ("LICENSE", "METADATA", "WHEEL")]


@pytest.mark.parametrize("order", ORDERS)
def test_names_are_hashed_as_the_tools_of_ext4_do(order: str) -> None:
    for name in NAMES:
        done = subprocess.run(
            ["debugfs", "-R", f"dx_hash -h half_md4 -s {hash_seed(order)} {name}"],
            capture_output=True,
            check=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        told = re.search(rb"is 0x([0-9a-f]+) \(minor 0x([0-9a-f]+)\)", done.stdout)
        assert told is not None, done
        assert name_hash(name, order) == (int(told[1], 16), int(told[2], 16)), name


@pytest.mark.parametrize("order", ORDERS)
def test_names_are_listed_as_a_mounted_file_system_does(tmp_path: Path, order: str) -> None:
    names = [*NAMES, "\udcff", *(f"file-{number}" for number in range(600))]
    for some in (NAMES, names):
        with scratch(tmp_path, 16 << 20, order=order) as mount:
            for name in some:
                (mount / "tmp" / name).touch()
            found = [entry.name for entry in os.scandir(mount / "tmp")]
        assert found == sorted(some, key=lambda name: name_hash(name, order))


def test_the_seeds_are_fixed_and_each_is_another() -> None:
    seeds = [hash_seed(order) for order in (HASHED, *map(hashed, SEEDS))]
    assert len(set(seeds)) == len(seeds) == 1000
    assert seeds[0] == "5a3eb175-0000-4000-8000-000000000000"
    assert seeds[999] == "5a3eb175-0000-4000-8000-0000000003e7"


def test_every_order_of_few_files_has_a_first_seed() -> None:
    for turned in itertools.permutations(LISTED):
        found = order_of(turned, (DIST,), DIST)
        fits = [
            order
            for order in map(hashed, SEEDS)
            if [*turned] == sorted(turned, key=lambda p: name_hash(p.rpartition("/")[2], order))
        ]
        assert found == fits[0]


def test_all_folders_that_differ_have_to_be_explained() -> None:
    many = [f"t/{number:03}.py" for number in range(40)]
    assert order_of([*many, *LISTED], (DIST,), DIST) is not None
    assert order_of([*many, *LISTED], (DIST, "t"), DIST) is None
    assert order_of([*many, *LISTED], ("t",), DIST) is None


def test_of_several_seeds_one_explains_the_first_folder_too() -> None:
    paths = ["t/a.py", "t/b.py", *LISTED]
    alone, both = order_of(paths, ("t",), ""), order_of(paths, ("t",), DIST)
    assert both == order_of(paths, ("t", DIST), "") != alone
    impossible = [*(f"{DIST}/{number:03}" for number in range(40)), *paths]
    assert order_of(impossible, ("t",), DIST) == alone


def test_record_is_written_last_and_does_not_count() -> None:
    assert names_of([f"{DIST}/RECORD", "RECORD", "a", "t/b", "t/c/d", "t/e"]) == {
        "": ["a"],
        "t": ["b", "e"],
        "t/c": ["d"],
    }


def test_folders_are_reordered_by_the_files_that_both_have() -> None:
    paths = ["a", "b", "t/a", "t/b", "t/c", "u/a"]
    turned = ["b", "a", "t/a", "t/x", "t/b", "v/a"]
    assert reordered(paths, turned) == ("",)
    assert reordered(paths, ["t/b", "u/a", "t/a", "a", "b"]) == ("t",)
    assert reordered(paths, paths[2:] + paths[:2]) == ()


def test_a_record_is_read_as_a_table() -> None:
    assert record_paths(b'"a,b",sha256=x,1\n\nc,,\n') == ("a,b", "c")
    assert record_paths(b'"' + b"x" * 200_000) == ()
