"""Real file systems on real loop devices: these tests need root, as a rebuild does."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import time
from pathlib import Path

import pytest

from builders.container.folderorder import CREATED, HASHED, ORDER_SEED, hashed
from builders.container.scratch import IMAGE, MOUNT_POINT, detach_deleted, release, scratch
from builders.container.spec import BUILDER, User
from builders.core.errors import ScratchError

MIB = 1 << 20
SIZE = 16 * MIB


def mounted(folder: Path) -> bool:
    return str(folder) in Path("/proc/self/mountinfo").read_text()


def device_of(image: Path) -> str:
    """Return the loop device of an image; empty if it has none."""
    command = ["losetup", "-j", str(image), "--noheadings", "--output", "NAME"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def backing(device: str) -> str:
    """Return what the kernel says of a loop device to everybody."""
    try:
        return Path(f"/sys/block/{Path(device).name}/loop/backing_file").read_text()
    except FileNotFoundError:
        return ""


def fill(path: Path) -> int:
    """Write until the file system is full; returns what fitted."""
    with path.open("wb", buffering=0) as stream:
        try:
            for _ in range(10_000):
                stream.write(b"x" * (MIB // 8))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017  # filling is what this does
    return path.stat().st_size


def test_it_can_be_filled_to_its_size_and_no_further(tmp_path: Path) -> None:
    with scratch(tmp_path, SIZE) as mount:
        written = fill(mount / "work" / "large")
        assert 0.8 * SIZE < written < SIZE
        assert (tmp_path / IMAGE).stat().st_size == SIZE
        with pytest.raises(OSError, match="No space left"):
            (mount / "out" / "more").write_bytes(b"x" * MIB)


def test_it_belongs_to_the_builder_and_carries_no_privilege(tmp_path: Path) -> None:
    with scratch(tmp_path, SIZE) as mount:
        assert mount == tmp_path / MOUNT_POINT
        for name in ("work", "out", "tmp"):
            found = (mount / name).stat()
            assert (found.st_uid, found.st_gid) == (BUILDER.uid, BUILDER.gid)
            assert stat.S_IMODE(found.st_mode) == 0o755
            assert list((mount / name).iterdir()) == []
        flags = os.statvfs(mount).f_flag
        assert flags & os.ST_NOSUID
        assert flags & os.ST_NODEV
        os.mknod(mount / "null", 0o20666, os.makedev(1, 3))
        with pytest.raises(PermissionError):
            (mount / "null").read_bytes()


@pytest.mark.parametrize("count", [40, 600])
def test_the_order_of_a_folder_depends_on_names_alone(tmp_path: Path, count: int) -> None:
    names = [f"file-{number}" for number in range(count)]
    orders = []
    for folder, made in (("one", names), ("two", names[::-1])):
        (tmp_path / folder).mkdir()
        with scratch(tmp_path / folder, SIZE) as mount:
            for name in made:
                (mount / "work" / name).touch()
            orders.append([entry.name for entry in os.scandir(mount / "work")])
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == sorted(names)
    assert orders[0] != names


def test_another_seed_gives_another_order_and_another_owner_owns_it(tmp_path: Path) -> None:
    names = [f"file-{number}" for number in range(40)]
    orders = []
    for seed in (ORDER_SEED, "5a3eb175-0000-4000-8000-000000000001"):
        with scratch(tmp_path, SIZE, seed=seed, owner=User(uid=65534, gid=65533)) as mount:
            found = [mount.stat(), (mount / "work").stat()]
            assert {(f.st_uid, f.st_gid) for f in found} == {(65534, 65533)}
            for name in names:
                (mount / "work" / name).touch()
            orders.append([entry.name for entry in os.scandir(mount / "work")])
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def listing(folder: Path, names: list[str], order: str, seed: str | None = None) -> list[str]:
    with scratch(folder, SIZE, order=order, seed=seed) as mount:
        for name in names:
            (mount / "work" / name).touch()
        return [entry.name for entry in os.scandir(mount / "work")]


def test_every_declared_order_is_another_and_stays(tmp_path: Path) -> None:
    names = [f"file-{number}" for number in range(40)]
    orders = (HASHED, hashed(1), hashed(999), CREATED)
    found = [tuple(listing(tmp_path, names, order)) for order in orders]
    assert len(set(found)) == len(found)
    assert found[3] == tuple(names)
    assert found[1] == tuple(listing(tmp_path, names[::-1], hashed(1)))
    assert found[1] == tuple(
        listing(tmp_path, names, HASHED, "5a3eb175-0000-4000-8000-000000000001")
    )


def test_a_seed_that_is_asked_for_goes_before_the_declared_one(tmp_path: Path) -> None:
    names = [f"file-{number}" for number in range(40)]
    found = [listing(tmp_path, names, hashed(1), seed) for seed in (None, ORDER_SEED)]
    assert found[0] != found[1] == listing(tmp_path, names, HASHED)


def test_nothing_is_left(tmp_path: Path) -> None:
    with scratch(tmp_path, SIZE) as mount:
        assert mounted(mount)
        inode, device = (tmp_path / IMAGE).stat().st_ino, device_of(tmp_path / IMAGE)
        assert backing(device) == "/scratch.img\n", "its path would name the run"
        assert f" {inode} " in used_inodes()
    assert list(tmp_path.iterdir()) == []
    assert not mounted(tmp_path)
    assert f" {inode} " not in used_inodes()


def used_inodes() -> str:
    """Return inode, path and autoclear of the files behind loop devices, between blanks."""
    command = ["losetup", "--list", "--noheadings", "--output", "BACK-INO,BACK-FILE,AUTOCLEAR"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return f" {' '.join(done.stdout.split())} "


def test_nothing_is_left_after_a_failure_or_an_interruption(tmp_path: Path) -> None:
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), scratch(tmp_path, SIZE):
            raise error
        assert list(tmp_path.iterdir()) == []
        assert not mounted(tmp_path)


def test_a_process_that_lingers_is_waited_for(tmp_path: Path) -> None:
    with scratch(tmp_path, SIZE) as mount:
        lingers = subprocess.Popen(["sleep", "0.4"], cwd=mount / "work")
    assert lingers.poll() is not None or lingers.wait(1) == 0
    assert list(tmp_path.iterdir()) == []
    assert not mounted(tmp_path)


def test_a_file_that_stays_open_does_not_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with scratch(tmp_path, SIZE) as mount:
        kept = (mount / "work" / "open").open("wb")
    with kept:
        assert list(tmp_path.iterdir()) == []
        assert not mounted(tmp_path)


@pytest.mark.parametrize("tool", ["mkfs.ext4", "unshare", "mount", "losetup"])
@pytest.mark.parametrize("how", ["fails", "is missing"])
def test_nothing_is_left_when_a_tool_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, how: str
) -> None:
    real = subprocess.run

    def run(command: list[str], **options: object) -> object:
        if command[0] == tool:
            command = ["false"] if how == "fails" else ["samebits-no-such-tool"]
        return real(command, **options)  # type: ignore[call-overload]  # handed on as it came

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ScratchError, match=tool) as caught, scratch(tmp_path, SIZE):
        pytest.fail("it was never made")
    assert caught.value.todo is not None
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    detach_deleted()
    assert "/scratch.img (deleted) 0" not in used_inodes()


def test_a_size_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE - 1, hard))
    try:
        with (
            pytest.raises(ScratchError, match="no room for the scratch space"),
            scratch(tmp_path, SIZE),
        ):
            pytest.fail("it was never made")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_living_scratch_space_is_not_touched_by_a_second(tmp_path: Path) -> None:
    with scratch(tmp_path, SIZE) as mount:
        with pytest.raises(ScratchError, match="has a scratch space already"):
            scratch(tmp_path, SIZE).__enter__()
        (mount / "work" / "still").touch()
        assert mounted(mount)


def test_only_root_can_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ScratchError, match="got user id 1000") as caught:
        scratch(tmp_path, SIZE).__enter__()
    assert caught.value.todo == "Run samebits as root or with sudo"


def test_release_takes_any_state(tmp_path: Path) -> None:
    release(tmp_path)
    (tmp_path / IMAGE).touch()
    release(tmp_path)
    (tmp_path / MOUNT_POINT).mkdir()
    release(tmp_path)
    assert list(tmp_path.iterdir()) == []
