"""What the directory store promises beyond the contract: real disks, real processes, real kills."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreConflictError, StoreError
from pipelines.storage import folders
from pipelines.storage.directory import FORMAT, DirectoryStore
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import Store
from tests.storage.versions import versions

KEY = "public/releases/v/p/1.0/center/run/report.json"
HERE = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Store:
    return DirectoryStore(root)


def spool(root: Path) -> list[Path]:
    return list((root / "tmp").iterdir())


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


def largest(folder: Path) -> int:
    """Return the size of the largest file in a folder in which others are at work."""
    size = 0
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            size = max(size, path.stat().st_size)
    return size


def writer(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.storage.writer", *map(str, arguments)],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_objects_are_plain_read_only_files(store: Store, root: Path) -> None:
    store.put_record(KEY, b"{}")
    store.put_cas(Visibility.PRIVATE, b"secret")
    assert (root / KEY).read_bytes() == b"{}"
    assert (root / KEY).stat().st_mode & 0o777 == 0o444
    assert (root / KEY).stat().st_nlink == 1
    for folder in ("private", "private/cas", "tmp"):
        assert (root / folder).stat().st_mode & 0o777 == 0o700
    assert spool(root) == []


def test_reading_creates_nothing(store: Store, root: Path) -> None:
    store.has(KEY)
    list(store.list("public/"))
    assert not root.exists()


def test_racing_processes_have_one_winner(root: Path) -> None:
    processes = [writer(root, "record", KEY, number) for number in range(4)]
    for process in processes:
        assert process.stdout
        process.stdout.readline()
    answers = []
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=300)
        answers.append(process.returncode)
    assert sorted(answers) == [0, 3, 3, 3]
    assert (root / KEY).read_text() == str(answers.index(0))
    assert spool(root) == []


def test_a_killed_writer_leaves_nothing_to_be_read(root: Path, tmp_path: Path) -> None:
    process = writer(root, "file", sparse(tmp_path / "big", 8 << 30))
    deadline = time.monotonic() + 30
    while largest(root / "tmp") < 4 << 20:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert DirectoryStore(root).sweep() == 0, "a living writer's file is left alone"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    (left,) = spool(root)
    assert left.stat().st_size < 8 << 30
    store = DirectoryStore(root)
    assert list(store.list("private/")) == []
    store.put_record(KEY, b"the next write sweeps")
    assert spool(root) == []


def test_sweep_removes_what_the_dead_left_and_nothing_else(store: Store, root: Path) -> None:
    store.put_record(KEY, b"{}")
    (root / "tmp/1-dead").write_bytes(b"half")
    (root / "tmp/folder").mkdir()
    (root / "tmp/link").symlink_to(root / KEY)
    with (root / "tmp/2-alive").open("wb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        assert DirectoryStore(root).sweep() == 1
    assert {p.name for p in spool(root)} == {"folder", "link", "2-alive"}
    assert store.get(KEY, 10) == b"{}"


def test_memory_does_not_grow_with_the_object(store: Store, tmp_path: Path) -> None:
    big = sparse(tmp_path / "big", 256 << 20)
    tracemalloc.start()
    try:
        digest = store.put_cas(Visibility.PRIVATE, big)
        store.put_file(f"private/vault/sha256/{digest.hex[:2]}/{digest}", big)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    ((_, size),) = versions(store, cas(Visibility.PRIVATE, digest))
    assert size == 256 << 20


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(
    small_disk: Path, tmp_path: Path
) -> None:
    store = DirectoryStore(small_disk / "store")
    store.put_record(KEY, b"{}")
    big = sparse(tmp_path / "big", 4 << 20)
    with pytest.raises(StoreError, match=r"No space left on device.*Free some space"):
        store.put_cas(Visibility.PRIVATE, big)
    with pytest.raises(StoreError, match="Free some space"):
        store.put_record("public/big", bytes(4 << 20))
    assert spool(small_disk / "store") == []
    assert list(store.list("public/")) == [KEY]
    assert list(store.list("private/")) == []
    store.put_record("public/small", b"there is room again")


def test_a_read_only_disk_can_be_read(small_disk: Path) -> None:
    DirectoryStore(small_disk).put_record(KEY, b"{}")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    store = DirectoryStore(small_disk)
    assert store.get(KEY, 10) == b"{}"
    assert list(store.list("public/")) == [KEY]
    store.put_record(KEY, b"{}")
    with pytest.raises(StoreError, match=r"Read-only file system.*Mount it writable"):
        store.put_record("public/x", b"")


def test_a_folder_without_permission_is_named() -> None:
    with pytest.raises(StoreError, match=r"in the store /proc/store; got .*; expected"):
        DirectoryStore(Path("/proc/store")).put_record(KEY, b"")


def test_a_frozen_folder_is_named(store: Store, root: Path) -> None:
    store.put_record(KEY, b"")
    subprocess.run(["chattr", "+i", str(root / "public")], check=True)
    try:
        with pytest.raises(StoreError, match=r"not permitted.*Give this user permission"):
            store.put_record("public/x", b"")
    finally:
        subprocess.run(["chattr", "-i", str(root / "public")], check=True)
    assert spool(root) == []


@pytest.mark.parametrize("place", ["store", "store/public", "store/public/releases", "store/tmp"])
def test_a_file_in_place_of_a_folder_is_named(root: Path, tmp_path: Path, place: str) -> None:
    if place != "store":
        DirectoryStore(root).put_record("private/x", b"")
    path = tmp_path / place
    if path.exists():
        path.rmdir()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="Another file or folder is where"):
        DirectoryStore(root).put_record(KEY, b"")


def test_a_folder_in_place_of_a_file_is_named(store: Store) -> None:
    store.put_record(KEY, b"")
    assert not store.has("public/releases")
    with pytest.raises(StoreError, match="got a folder, a link or a device"):
        store.put_record("public/releases", b"")
    with pytest.raises(NotFoundError):
        store.get("public/releases", 10)


@pytest.mark.parametrize("missing", [None, errno.ENOSYS, errno.EPERM, errno.EAGAIN])
def test_symbolic_links_do_not_lead_out(
    store: Store,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: int | None,
) -> None:
    """With openat2(2), and where a kernel or a filter of system calls has none."""
    if missing:
        monkeypatch.setattr(folders, "_libc", Mock(syscall=Mock(return_value=-1)))
        monkeypatch.setattr(ctypes, "get_errno", lambda: missing)
    store.put_record(KEY, b"{}")
    assert store.get(KEY, 10) == b"{}"
    (root / "public/inside").symlink_to(root / "public/releases")
    with pytest.raises(StoreError):
        store.get(KEY.replace("releases", "inside"), 10)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "public/folder").symlink_to(outside)
    (root / "public/file").symlink_to(outside / "secret")
    assert list(store.list("public/")) == [KEY]
    for key in ("public/folder/secret", "public/file"):
        with pytest.raises(StoreError):
            store.get(key, 100)
    assert not store.has("public/file")
    for key in ("public/folder/new", "public/file"):
        with pytest.raises(StoreError):
            store.put_record(key, b"new")
    assert [p.name for p in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    DirectoryStore(tmp_path / "link").put_record(KEY, b"{}")
    assert DirectoryStore(tmp_path / "real").get(KEY, 10) == b"{}"


def test_foreign_files_are_passed_over(store: Store, root: Path) -> None:
    store.put_record(KEY, b"")
    (root / "public/note to self~").write_bytes(b"")
    os.mkfifo(root / "public/fifo")
    (root / b"public/\xff".decode("utf-8", "surrogateescape")).write_bytes(b"")
    assert list(store.list("public/")) == [KEY]
    with pytest.raises(NotFoundError):
        store.open("public/fifo")


def test_a_newer_format_is_refused(store: Store, root: Path) -> None:
    store.put_record(KEY, b"")
    assert (root / "format").read_bytes() == FORMAT
    (root / "format").unlink()
    (root / "format").write_bytes(b"samebits-store/v2\n")
    for call in (
        lambda: DirectoryStore(root).put_record(KEY, b""),
        lambda: DirectoryStore(root).has(KEY),
        lambda: list(DirectoryStore(root).list("public/")),
        lambda: DirectoryStore(root).sweep(),
    ):
        with pytest.raises(
            StoreError, match=r"got 'samebits-store/v2'; expected samebits-store/v1"
        ):
            call()


def test_somebody_elses_folder_is_not_made_a_store(root: Path) -> None:
    root.mkdir()
    (root / "thesis.txt").write_bytes(b"")
    with pytest.raises(StoreError, match=r"is not a store; got a folder with 'thesis.txt'"):
        DirectoryStore(root).put_record(KEY, b"")
    assert [p.name for p in root.iterdir()] == ["thesis.txt"]


def test_many_first_users_make_one_store(root: Path) -> None:
    processes = [writer(root, "record", f"public/{number}", "x") for number in range(3)]
    for process in processes:
        process.communicate("\n", timeout=300)
        assert process.returncode == 0
    assert list(DirectoryStore(root).list("public/")) == ["public/0", "public/1", "public/2"]


def test_a_truncated_object_is_noticed_when_it_is_stored_again(store: Store, root: Path) -> None:
    digest = store.put_cas(Visibility.PUBLIC, b"content")
    path = root / cas(Visibility.PUBLIC, digest)
    path.unlink()
    path.write_bytes(b"con")
    with pytest.raises(StoreConflictError, match="got 3 bytes; expected 7 bytes"):
        store.put_cas(Visibility.PUBLIC, b"content")
    assert Digest.of(b"con") != digest
