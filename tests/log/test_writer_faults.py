"""The appender dies at every write: the next append finishes the work, and doubles nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from builders.core.errors import StoreError
from pipelines.log import writer
from pipelines.log.batch import batch_key
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.writer_cache import WriterCache
from pipelines.storage import files as durable
from pipelines.storage.directory import DirectoryStore
from tests.fakes.store import MemoryStore
from tests.log.logs import audited, entries, identities, opened, public

HERE = Path(__file__).parents[2]
BEFORE, AFTER = range(250), range(250, 530)


class Killed(BaseException):
    """A process ends here: nothing handles it."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryStore, Path]:
    """A log of 250 leaves, and the home of its appender."""
    store, home = MemoryStore(), tmp_path_factory.mktemp("begun")
    opened(store, home).append(entries(BEFORE))
    return store, home


@pytest.fixture(scope="module")
def whole(
    begun: tuple[MemoryStore, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The same log when nobody dies: the second batch fills two tiles and begins a third."""
    store, home = copied(begun, tmp_path_factory.mktemp("whole"))
    opened(store, home).append(entries(AFTER))
    assert len(writes(store)) == 10
    return public(store)


def copied(begun: tuple[MemoryStore, Path], folder: Path) -> tuple[MemoryStore, Path]:
    store = MemoryStore()
    store.objects = {key: list(versions) for key, versions in begun[0].objects.items()}
    shutil.copytree(begun[1], folder / "home")
    return store, folder / "home"


def writes(store: MemoryStore) -> list[str]:
    return [key for operation, key in store.calls if operation == "put"]


def killed_at(store: MemoryStore, write: int, *, lost_reply: bool) -> None:
    store.fail_on("put", after=write, times=1, lost_reply=lost_reply, error=Killed())


@pytest.mark.parametrize("lost_reply", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("home", ["kept", "lost"])
@pytest.mark.parametrize("write", range(10))
def test_killed_at_every_write(
    begun: tuple[MemoryStore, Path],
    whole: dict[str, bytes],
    tmp_path: Path,
    write: int,
    home: str,
    *,
    lost_reply: bool,
) -> None:
    store, folder = copied(begun, tmp_path)
    killed_at(store, write, lost_reply=lost_reply)
    with pytest.raises(Killed):
        opened(store, folder).append(entries(AFTER))
    store.heal()
    # Whoever comes next is this process again, or one that has nothing but store and key.
    again = opened(store, folder if home == "kept" else tmp_path / "new")
    done = again.append(entries(AFTER))
    assert public(store) == whole
    assert [placed.index for placed in done.leaves] == list(AFTER)
    assert done.size == 530
    if write in {0, 9}:
        assert identities(audited(store)) == identities(entries(range(530)))


@pytest.mark.parametrize("write", [1, 4, 8, 9])
def test_others_come_first_after_a_kill(
    begun: tuple[MemoryStore, Path], whole: dict[str, bytes], tmp_path: Path, write: int
) -> None:
    """Another center process appends something else, and so finishes what was committed."""
    store, folder = copied(begun, tmp_path)
    killed_at(store, write, lost_reply=False)
    with pytest.raises(Killed):
        opened(store, folder).append(entries(AFTER))
    store.heal()
    assert opened(store, tmp_path / "other").append(entries([9999])).start == 530
    done = opened(store, folder).append(entries(AFTER))
    assert [placed.index for placed in done.leaves] == list(AFTER)
    assert whole.items() - public(store).items() == {(CHECKPOINT, whole[CHECKPOINT])}
    assert identities(audited(store)) == identities(entries([*range(530), 9999]))


def test_recovery_alone_finishes_it(
    begun: tuple[MemoryStore, Path], whole: dict[str, bytes], tmp_path: Path
) -> None:
    store, folder = copied(begun, tmp_path)
    killed_at(store, 1, lost_reply=False)
    with pytest.raises(Killed):
        opened(store, folder).append(entries(AFTER))
    store.heal()
    newest = opened(store, folder).recover()
    assert newest is not None
    assert newest.size == 530
    assert public(store) == whole


def test_before_the_commit_nothing_happened(
    begun: tuple[MemoryStore, Path], tmp_path: Path
) -> None:
    store, folder = copied(begun, tmp_path)
    killed_at(store, 0, lost_reply=False)
    with pytest.raises(Killed):
        opened(store, folder).append(entries(AFTER))
    store.heal()
    assert store.objects == begun[0].objects
    newest = opened(store, folder).recover()
    assert newest is not None
    assert newest.size == 250


def test_killed_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three batches of five: every write of each, the first of a new log included."""
    monkeypatch.setattr(writer, "MAX_LEAVES", 5)
    wanted = entries(range(15))
    smooth = MemoryStore()
    opened(smooth, tmp_path / "smooth").append(wanted)
    count = len(writes(smooth))
    assert count == 15
    for write in range(count):
        store, home = MemoryStore(), tmp_path / str(write)
        killed_at(store, write, lost_reply=write % 2 == 1)
        with pytest.raises(Killed):
            opened(store, home).append(wanted)
        store.heal()
        done = opened(store, home).append(wanted)
        assert [placed.index for placed in done.leaves] == list(range(15))
        assert public(store) == public(smooth)


def test_killed_again_and_again(
    begun: tuple[MemoryStore, Path], whole: dict[str, bytes], tmp_path: Path
) -> None:
    """Each attempt dies one write later than the one before it."""
    store, folder = copied(begun, tmp_path)
    for write in (0, *range(9)):  # the commit is not written again
        killed_at(store, write, lost_reply=False)
        with pytest.raises(Killed):
            opened(store, folder).append(entries(AFTER))
        store.heal()
    opened(store, folder).append(entries(AFTER))
    assert public(store) == whole


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["cache", "signer"])
def test_killed_at_a_write_into_the_home(
    begun: tuple[MemoryStore, Path],
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    moment: str,
) -> None:
    store, folder = copied(begun, tmp_path)
    owner, name = (WriterCache, "extend") if what == "cache" else (durable, "replace")
    real = getattr(owner, name)

    def die(*arguments: object) -> None:
        if moment == "after":
            real(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, die)
        with pytest.raises(Killed):
            opened(store, folder).append(entries(AFTER))
    done = opened(store, folder).append(entries(AFTER))
    assert [placed.index for placed in done.leaves] == list(AFTER)
    assert public(store) == whole


@pytest.mark.parametrize("operation", ["get", "put"])
def test_a_store_that_fails_is_named_and_the_same_call_goes_on(
    begun: tuple[MemoryStore, Path], whole: dict[str, bytes], tmp_path: Path, operation: str
) -> None:
    store, folder = copied(begun, tmp_path)
    for after in range(0, 12, 3):
        store.fail_on(operation, after=after, times=1)  # type: ignore[arg-type]
        try:
            opened(store, folder).append(entries(AFTER))
        except StoreError as error:
            assert "out of order" in str(error)  # noqa: PT017  # it may also succeed by now
        store.heal()
    opened(store, folder).append(entries(AFTER))
    assert public(store) == whole


_WORKER = """
import os, signal, sys
from pathlib import Path
from pipelines.storage.directory import DirectoryStore
from tests.log.logs import entries, opened
folder, left = Path(sys.argv[1]), int(sys.argv[2])

class Deadly(DirectoryStore):
    def _publish(self, file, key):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return super()._publish(file, key)

opened(Deadly(folder / "store"), folder / "home").append(entries(range(250, 530)))
"""


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    opened(DirectoryStore(folder / "store"), folder / "home").append(entries(BEFORE))
    return folder


@pytest.mark.parametrize("write", [0, 1, 5, 8])
def test_a_process_is_killed_on_a_real_disk(
    on_disk: Path, whole: dict[str, bytes], tmp_path: Path, write: int
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(on_disk, folder)
    done = subprocess.run(
        [sys.executable, "-c", _WORKER, str(folder), str(write)], cwd=HERE, check=False
    )
    assert done.returncode == -signal.SIGKILL
    store = DirectoryStore(folder / "store")
    assert store.has(batch_key(250)) == (write > 0)
    opened(store, folder / "home").append(entries(AFTER))
    found = {key: store.get(key, 1 << 30) for key in store.list("public/log/")}
    assert found == whole
    assert not list((folder / "store/tmp").iterdir())
