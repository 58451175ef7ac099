"""What killed runs leave is removed, whatever it is; one leftover keeps no other.

Real file systems on real loop devices, and an engine that has what it is given.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from builders.container.scratch import IMAGE, MOUNT_POINT, mounts_below, scratch
from builders.core.errors import EngineError
from builders.core.runid import RunId, new_run_id
from builders.engine import Engine
from builders.engine.engine import LabelledContainer
from builders.rebuild.reap import ReapReport, reap
from tests.fakes.disk import make_deep

pytestmark = pytest.mark.root

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PAST = NOW - timedelta(hours=1)


class Containers:
    """An engine with these containers, some of which cannot be removed."""

    def __init__(self, *containers: LabelledContainer, stuck: str = "") -> None:
        self.left, self.stuck = list(containers), stuck

    def containers(
        self, *, center: str | None = None, run: str | None = None
    ) -> list[LabelledContainer]:
        assert center in {None, "lab"}
        return [c for c in self.left if run in {None, c.run}]

    def remove(self, container: str) -> None:
        if container == self.stuck:
            raise EngineError("a container was not removed", got="device busy")
        self.left = [c for c in self.left if c.id != container]


class Leftovers:
    """The folders of killed runs, and what is kept of half-made files."""

    def __init__(self, folder: Path) -> None:
        self.runs, self.workdir = folder / "runs", folder / "work"
        self.spaces = ExitStack()
        self.runs.mkdir()
        self.workdir.mkdir()

    def run(self) -> Path:
        folder = self.runs / new_run_id()
        folder.mkdir()
        (folder / "lock").touch()
        return folder

    def stale(self, name: str) -> Path:
        path = self.workdir / name
        path.mkdir()
        return path

    def abandon(self, folder: Path) -> Path:
        """Leave a scratch space mounted, as a killed process does; returns its mount point."""
        folder.mkdir(exist_ok=True)
        return self.spaces.enter_context(scratch(folder, 16 << 20))

    def reap(self, engine: Containers | None = None, *, keep: str = "") -> ReapReport:
        for path in self.workdir.iterdir():
            os.utime(path, (0, 0), follow_symlinks=False)
        found = cast("Engine", engine or Containers())
        return reap(found, self.runs, self.workdir, center="lab", now=NOW, keep={keep})


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Leftovers]:
    found = Leftovers(tmp_path)
    yield found
    assert mounts_below(found.runs) == mounts_below(found.workdir) == []
    found.spaces.close()
    subprocess.run(["chattr", "-R", "-i", str(tmp_path)], check=False, stderr=subprocess.DEVNULL)


def test_a_hostile_scratch_space_goes_without_being_read(left: Leftovers) -> None:
    """No walk could remove it: of files that cannot be deleted, and of one that is in use."""
    run = left.run()
    mount = left.abandon(run / "attempt-1")
    work = mount / "work"
    (work / "fixed").touch()
    subprocess.run(["chattr", "+i", str(work / "fixed")], check=True)
    (work / ("x" * 255)).symlink_to("/etc")
    (work / "round").symlink_to("round")
    os.mkfifo(work / "pipe")
    make_deep(work, 300)
    with (mount / "out" / "open").open("wb"):
        found = left.reap()
        assert (found.folders, found.failed) == ([run.name], [])
        assert mounts_below(left.runs) == []
    assert not run.exists()


def test_what_cannot_be_removed_keeps_nothing_else(left: Leftovers, tmp_path: Path) -> None:
    bound, fixed, odd, fine = sorted(left.run() for _ in range(4))
    for run in (bound, fine):
        left.abandon(run / "attempt-1")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").touch()
    (bound / "other").mkdir()
    subprocess.run(["mount", "--bind", str(precious), str(bound / "other")], check=True)
    (fixed / "file").touch()
    subprocess.run(["chattr", "+i", str(fixed / "file")], check=True)
    (odd / "lock").unlink()
    (odd / "lock").symlink_to("lock")
    make_deep(fine, 300)
    try:
        found = left.reap()
    finally:
        subprocess.run(["umount", str(bound / "other")], check=True)
    assert found.folders == [fine.name]
    reasons = {one.name: one.reason for one in found.failed}
    assert list(reasons) == [bound.name, fixed.name, odd.name]
    assert "still mounted" in reasons[bound.name]
    assert "Operation not permitted" in reasons[fixed.name]
    assert "symbolic links" in reasons[odd.name]
    assert (precious / "data").exists()


def test_containers_go_one_by_one(left: Leftovers) -> None:
    """One has no deadline, one cannot be removed, one has an endless name, one is of a folder."""
    run = left.run()
    living = RunId("20260102T030405Z-0a1b2c3d")
    engine = Containers(
        LabelledContainer(id="a", run="none", deadline=None),
        LabelledContainer(id="b", run="none", deadline=PAST),
        LabelledContainer(id="c", run="x" * 5000, deadline=PAST),
        LabelledContainer(id="d", run=run.name, deadline=NOW + timedelta(hours=1)),
        LabelledContainer(id="e", run="a\0b", deadline=PAST),
        LabelledContainer(id="f", run=living, deadline=NOW + timedelta(hours=1)),
        stuck="b",
    )
    found = left.reap(engine)
    assert found.containers == ["c", "e", "d"]
    assert [c.id for c in engine.left] == ["a", "b", "f"]
    assert {one.name: one.reason.split(";")[0].split(".")[0] for one in found.failed} == {
        "a": "its deadline cannot be read",
        "b": "a container was not removed",
    }
    assert found.folders == [run.name]


def test_half_made_files_go_whatever_they_are(left: Leftovers) -> None:
    tool = left.stale("tool-1")
    left.abandon(tool)
    fixed = left.stale("fixed")
    (fixed / "file").touch()
    subprocess.run(["chattr", "+i", str(fixed / "file")], check=True)
    make_deep(left.stale("deep"), 300)
    (left.workdir / "gone").symlink_to("nowhere")
    (left.workdir / "root").symlink_to("/")
    (left.workdir / "half").touch()
    found = left.reap()
    assert found.files == ["deep", "gone", "half", "root", "tool-1"]
    assert [one.name for one in found.failed] == ["fixed"]
    assert [path.name for path in left.workdir.iterdir()] == ["fixed"]


def test_a_run_that_was_killed_before_it_had_its_lock_goes_after_a_day(left: Leftovers) -> None:
    old, new = sorted(left.run() for _ in range(2))
    for run in (old, new):
        (run / "lock").rename(run / "lock.new")
    other = left.runs / "other"
    other.mkdir()
    for path in (old, other):
        os.utime(path, (0, 0))
    os.utime(new, (NOW.timestamp(), NOW.timestamp()))
    assert left.reap().folders == [old.name]
    assert sorted(left.runs.iterdir()) == [new, other]


def test_a_link_has_no_mounts_below_it(left: Leftovers) -> None:
    run = left.run()
    left.abandon(run / "attempt-1")
    (left.workdir / "link").symlink_to(left.runs)
    assert mounts_below(left.workdir / "link") == []
    left.reap()


def test_the_scratch_space_of_a_run_that_is_kept_goes(left: Leftovers) -> None:
    run = left.run()
    left.abandon(run / "attempt-1")
    found = left.reap(keep=run.name)
    assert (found.folders, found.failed) == ([], [])
    assert [path.name for path in (run / "attempt-1").iterdir()] == []
    assert {IMAGE, MOUNT_POINT}.isdisjoint(os.listdir(run))  # noqa: PTH208
