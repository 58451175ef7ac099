"""What the shipped wheel and its source tell before anything is tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from builders.core.errors import InputUnavailableError
from pipelines.infer.machine_traces import ZONES, local, zones_for
from pipelines.infer.wheel.clues import initial_hypothesis
from pipelines.infer.wheel.hypothesis import WheelHypothesis
from pipelines.infer.wheel.toolchain import Resolver
from tests.fakes.jail import OpenJail
from tests.infer.workbench import (
    BUILT,
    FLIT,
    METADATA,
    SOURCE_TIME,
    Entries,
    Entry,
    backends,
    clues,
    no_requirements,
    source_files,
    tools_of,
    wheel_files,
)

FIXED = int(datetime(2016, 1, 1, tzinfo=UTC).timestamp())


def guess(folder: Path, shipped: Entries, source: Entries | None = None) -> WheelHypothesis:
    found = clues(folder, shipped=shipped, source=source)
    return initial_hypothesis(found, Resolver(backends(), no_requirements(folder), OpenJail()))


def test_generated_files_tell_the_clock(tmp_path: Path) -> None:
    found = guess(tmp_path, wheel_files())
    assert (found.clock, found.epoch) == (BUILT, None)
    assert tools_of(found) == ["setuptools 61.3.1", "wheel 0.37.1"]
    assert "Generator: bdist_wheel (0.37.1)" in found.why("wheel")


def test_one_time_for_all_is_a_source_date_epoch(tmp_path: Path) -> None:
    shipped = {n: replace(e, at=BUILT) for n, e in wheel_files().items()}
    found = guess(tmp_path, shipped)
    assert (found.clock, found.epoch) == (None, BUILT)


@pytest.mark.parametrize(
    ("before", "step"), [(2, True), (600, True), (602, False), (0, False), (-2, False)]
)
def test_metadata_that_is_older_than_the_wheel_tells_two_steps(
    tmp_path: Path, before: int, step: bool
) -> None:
    top_level = Entry(data=b"tool\n", at=BUILT - before)
    shipped = {**wheel_files(), "tool-1.0.dist-info/top_level.txt": top_level}
    found = guess(tmp_path, shipped)
    two, newest = (BUILT - before, BUILT), max(BUILT, BUILT - before)
    assert (found.clock, found.then) == (two if step else (newest, None))


@pytest.mark.parametrize(
    ("late", "before"),
    [({"RECORD"}, "record"), ({"RECORD", "METADATA"}, "wheel"), ({"tool/made.py"}, "wheel")],
)
def test_a_record_that_alone_is_newer_tells_when_the_files_were_packed(
    tmp_path: Path, late: set[str], before: str
) -> None:
    folder = "tool-1.0.dist-info"
    shipped = {**wheel_files(), f"{folder}/top_level.txt": Entry(data=b"tool\n", at=BUILT)}
    shipped["tool/made.py"] = Entry(data=b"made\n", at=BUILT)
    for name in late - {"RECORD"}:
        path = name if "/" in name else f"{folder}/{name}"
        shipped[path] = replace(shipped[path], at=BUILT + 2)
    at = BUILT + 2 if "RECORD" in late else BUILT
    found = initial_hypothesis(
        clues_with_record_at(tmp_path, shipped, at),
        Resolver(backends(), no_requirements(tmp_path), OpenJail()),
    )
    assert (found.clock, found.then, found.before) == (BUILT, BUILT + 2, before)


def test_a_source_of_the_same_run_is_evidence_too(tmp_path: Path) -> None:
    shipped = {**wheel_files(), "tool-1.0.dist-info/top_level.txt": Entry(at=BUILT - 4)}
    for at, said in ((BUILT - 3, True), (BUILT - 9, False)):
        source = source_files(**{"tool.egg-info/PKG-INFO": Entry(data=b"Name: tool\n", at=at)})
        assert ("in the source too" in guess(tmp_path, shipped, source).why("clock")) is said


def test_metadata_of_several_times_tells_no_step(tmp_path: Path) -> None:
    folder = "tool-1.0.dist-info"
    shipped = {
        **wheel_files(),
        f"{folder}/entry_points.txt": Entry(at=BUILT - 4),
        f"{folder}/top_level.txt": Entry(at=BUILT - 2),
    }
    found = guess(tmp_path, shipped)
    assert (found.clock, found.then) == (BUILT, None)


def test_times_that_a_backend_always_writes_tell_nothing(tmp_path: Path) -> None:
    shipped = {n: replace(e, at=SOURCE_TIME) for n, e in wheel_files(FLIT).items()}
    for name in ("METADATA", "WHEEL"):
        path = f"tool-1.0.dist-info/{name}"
        shipped[path] = replace(shipped[path], at=FIXED)
    found = initial_hypothesis(
        clues_with_record_at(tmp_path, shipped, FIXED),
        Resolver(backends(), no_requirements(tmp_path), OpenJail()),
    )
    assert (found.clock, found.epoch, found.timezone) == (None, None, "UTC")


def clues_with_record_at(folder: Path, shipped: Entries, at: int):  # type: ignore[no-untyped-def]
    from pipelines.infer.wheel.clues import clues_of
    from pipelines.infer.wheel.facts import read_sdist, read_wheel
    from tests.infer.workbench import IMAGES, RELEASED, sdist, wheel

    name = "tool-1.0-py3-none-any.whl"
    made = wheel(folder / name, shipped, at=at)
    source = sdist(folder / "tool-1.0.tar.gz", source_files())
    return clues_of(
        read_wheel(made, name, OpenJail()),
        read_sdist(source, "tool-1.0.tar.gz", OpenJail()),
        RELEASED,
        IMAGES,
    )


def test_local_times_tell_the_time_zone(tmp_path: Path) -> None:
    there = local(SOURCE_TIME, ZoneInfo("America/Los_Angeles"))
    shipped = {n: replace(e, at=there) for n, e in wheel_files(FLIT).items()}
    for name in ("METADATA", "WHEEL"):
        path = f"tool-1.0.dist-info/{name}"
        shipped[path] = replace(shipped[path], at=FIXED)
    found = initial_hypothesis(
        clues_with_record_at(tmp_path, shipped, FIXED),
        Resolver(backends(), no_requirements(tmp_path), OpenJail()),
    )
    assert found.timezone == "America/Los_Angeles"
    assert found.image != "python311-wheel", "that image knows no time zones"


@pytest.mark.parametrize(("mode", "umask"), [(0o644, "022"), (0o664, "002"), (0o600, "077")])
def test_generated_files_tell_the_umask(tmp_path: Path, mode: int, umask: str) -> None:
    assert guess(tmp_path, wheel_files(mode=mode)).umask == umask


def test_copied_files_tell_the_umask_of_unpacking(tmp_path: Path) -> None:
    source = {n: replace(e, mode=0o664) for n, e in source_files().items()}
    shipped = wheel_files()
    for name in ("tool/data.txt", "tool-1.0.dist-info/LICENSE"):
        shipped[name] = replace(shipped[name], mode=0o664)
    assert guess(tmp_path, shipped, source).source_umask == "000"
    assert guess(tmp_path, wheel_files(), source).source_umask is None


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ("Platform: UNKNOWN\n", "56.2.0"),
        ("Platform: UNKNOWN\nLicense-File: LICENSE\n", "61.3.1"),
        ("Platform: linux\n", "56.2.0"),
        ("License-File: LICENSE\n", "61.3.1"),  # from 62.2 on, and no such version that day
    ],
)
def test_fields_of_metadata_date_setuptools(tmp_path: Path, fields: str, version: str) -> None:
    metadata = METADATA.replace("Summary: d\n", f"Summary: d\n{fields}")
    found = guess(tmp_path, wheel_files(metadata=metadata))
    assert tools_of(found)[0] == f"setuptools {version}"


@pytest.mark.parametrize(
    ("year", "image"),
    [(2019, "python39-wheel"), (2021, "python39-wheel"), (2023, "python311-wheel"),
     (2026, "python-wheel")],
)  # fmt: skip
def test_the_python_of_the_day_comes_first(tmp_path: Path, year: int, image: str) -> None:
    found = clues(tmp_path, dated=datetime(year, 6, 1, tzinfo=UTC))
    assert found.ordered_images()[0].name == image
    assert len(found.ordered_images()) == 3


def test_a_file_name_can_name_the_python(tmp_path: Path) -> None:
    shipped = {**wheel_files(), "tool-1.0-py3.13-nspkg.pth": Entry(data=b"import x\n")}
    assert clues(tmp_path, shipped=shipped).ordered_images()[0].name == "python-wheel"


def test_an_unknown_backend_is_one_finding(tmp_path: Path) -> None:
    with pytest.raises(InputUnavailableError, match="not known here"):
        clues(tmp_path, shipped=wheel_files("somebody's own 1.0"))


def test_summer_and_winter_tell_zones_apart() -> None:
    winter, summer = 1_579_000_000, 1_594_000_000
    london = [(at, local(at, ZoneInfo("Europe/London"))) for at in (winter, summer)]
    assert next(zones_for(london)) == "Europe/London"
    assert next(zones_for(london[:1])) == "UTC"
    assert list(zones_for([(winter, winter + 12345)])) == []
    assert next(zones_for([(winter, winter + 2)])) == "UTC"
    assert len(set(ZONES)) == len(ZONES)
