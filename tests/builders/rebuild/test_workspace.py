from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from builders.container.scratch import scratch
from builders.core.errors import ScratchError
from builders.core.runid import RunId
from builders.rebuild.workspace import abandoned_folders, is_alive, remove_folder, workspace

RUN = RunId("20260102T030405Z-0a1b2c3d")
KILLED = """
import os, signal, sys
from pathlib import Path
from builders.core.runid import RunId
from builders.container.scratch import scratch
from builders.rebuild.workspace import workspace

with workspace(Path(sys.argv[1]), RunId(sys.argv[2])) as folder:
    (folder / "1").mkdir()
    with scratch(folder / "1", 16 << 20) as mount:
        (mount / "work" / "half").write_text("done")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def mounts(folder: Path) -> int:
    return Path("/proc/self/mountinfo").read_text().count(str(folder))


def test_a_run_has_its_folder_while_it_lives(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    assert not is_alive(root, RUN)
    with workspace(root, RUN) as folder:
        assert folder == root / RUN
        assert folder.stat().st_mode & 0o777 == 0o700
        assert is_alive(root, RUN)
        assert list(abandoned_folders(root)) == []
    assert list(root.iterdir()) == []
    assert not is_alive(root, RUN)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_folder_goes_whatever_happens(tmp_path: Path, error: type[BaseException]) -> None:
    def work(folder: Path) -> None:
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "link").symlink_to("/etc")
        raise error

    with pytest.raises(error), workspace(tmp_path, RUN) as folder:
        work(folder)
    assert list(tmp_path.iterdir()) == []
    assert Path("/etc/passwd").exists()


def test_scratch_that_is_still_mounted_goes_too(tmp_path: Path) -> None:
    with workspace(tmp_path, RUN) as folder:
        held = []
        for name in ("1", "2"):
            (folder / name).mkdir()
            held.append(scratch(folder / name, 16 << 20))
            held[-1].__enter__()
        assert mounts(folder) == 2
    assert list(tmp_path.iterdir()) == []
    assert mounts(tmp_path) == 0


def test_no_file_is_deleted_below_a_foreign_mount(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").touch()
    folder = tmp_path / "run"
    (folder / "bound").mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(precious), str(folder / "bound")], check=True)
    try:
        with pytest.raises(ScratchError, match="still mounted"):
            remove_folder(folder)
        assert (precious / "data").exists()
    finally:
        subprocess.run(["umount", str(folder / "bound")], check=True)
    remove_folder(folder)
    assert (precious / "data").exists()
    assert not folder.exists()


def test_a_killed_run_is_found_dead_and_cleared(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    done = subprocess.run([sys.executable, "-c", KILLED, str(root), RUN], check=False)
    assert done.returncode == -9
    assert (root / RUN / "1" / "scratch" / "work" / "half").read_text() == "done"
    assert not is_alive(root, RUN)
    for folder in abandoned_folders(root):
        assert folder == root / RUN
        assert is_alive(root, RUN), "nobody else may take it while it is being cleared"
        remove_folder(folder)
    assert list(root.iterdir()) == []
    assert mounts(root) == 0


def test_the_living_are_told_from_the_dead(tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "lock").touch()
    (tmp_path / "no run").mkdir()
    (tmp_path / "file").touch()
    with workspace(tmp_path, RUN):
        assert [folder.name for folder in abandoned_folders(tmp_path)] == ["left"]
    assert list(abandoned_folders(tmp_path / "missing")) == []


def test_no_run_can_be_taken_for_dead_while_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, found = fcntl.flock, list[Path]()

    def flock(file: object, how: int) -> None:
        if threading.current_thread() is threading.main_thread() and how == fcntl.LOCK_EX:
            seen = threading.Thread(target=lambda: found.extend(abandoned_folders(tmp_path)))
            seen.start()
            seen.join()
        real(file, how)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(fcntl, "flock", flock)
    with workspace(tmp_path, RUN):
        assert found == []
        assert is_alive(tmp_path, RUN)


def test_no_two_runs_have_one_folder(tmp_path: Path) -> None:
    with workspace(tmp_path, RUN) as folder:
        with pytest.raises(ScratchError, match="cannot be made; got File exists"):
            workspace(tmp_path, RUN).__enter__()
        assert folder.is_dir()
        assert is_alive(tmp_path, RUN)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(ScratchError, match="cannot be made") as caught:
        workspace(tmp_path / "runs", RUN).__enter__()
    assert "SAMEBITS_HOME" in str(caught.value.todo)


@pytest.mark.parametrize("run", ["..", "a/b", "../runs", ""])
def test_only_a_name_can_be_a_run(tmp_path: Path, run: str) -> None:
    (tmp_path / "runs" / "a" / "b").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "runs", tmp_path / "runs" / "a" / "b"):
        (folder / "lock").touch()
    with (tmp_path / "lock").open() as one, (tmp_path / "runs" / "lock").open() as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(two, fcntl.LOCK_EX)
        assert not is_alive(tmp_path / "runs", run)
