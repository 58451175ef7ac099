"""Appenders side by side: every entry once, whoever is first, in threads and processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from builders.core.errors import NotFoundError, StoreError
from pipelines.log.batch import batch_key
from pipelines.log.checkpoint import Checkpoint
from pipelines.storage.directory import DirectoryStore
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN
from tests.log.logs import (
    audited,
    committed,
    entries,
    entry,
    identities,
    opened,
    tree_of,
)

HERE = Path(__file__).parents[2]
COMMITTED = batch_key(0).rpartition("/")[0]


def numbers(turn: int) -> range:
    return range(turn * 100, turn * 100 + 10)


@pytest.mark.parametrize("shared", ["home", "signer", "nothing"])
def test_appenders_race_in_threads(tmp_path: Path, shared: str) -> None:
    store = DirectoryStore(tmp_path / "store")
    start = Barrier(4)

    def work(worker: int) -> None:
        home = tmp_path / ("home" if shared == "home" else f"home-{worker}")
        signed = tmp_path / "signed" if shared == "signer" else None
        start.wait()
        for turn in range(4):
            mine = entries(numbers(worker * 10 + turn))
            done = opened(store, home, signed=signed).append(mine)
            assert [placed.leaf.identity for placed in done.leaves] == identities(mine)
            assert done.size >= 10

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    opened(store, tmp_path / "last").recover()
    leaves = audited(store)
    wanted = [e for w in range(4) for t in range(4) for e in entries(numbers(w * 10 + t))]
    assert sorted(identities(leaves)) == sorted(identities(wanted))


def test_appenders_race_for_the_same_entries(tmp_path: Path) -> None:
    store = MemoryStore()
    start = Barrier(4)

    def work(worker: int) -> list[int]:
        start.wait()
        done = opened(store, tmp_path / f"home-{worker}").append(entries(range(40)))
        return [placed.index for placed in done.leaves]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [list(range(40))] * 4
    assert len(audited(store)) == 40


_WORKER = """
import sys
from pathlib import Path
from pipelines.storage.directory import DirectoryStore
from tests.log.logs import entries, opened
folder, worker = Path(sys.argv[1]), int(sys.argv[2])
log = opened(DirectoryStore(folder / "store"), folder / sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for turn in range(4):
    first = (worker * 10 + turn) * 100
    log.append(entries(range(first, first + 10)))
"""


@pytest.mark.parametrize("homes", [("one", "one"), ("one", "other")], ids=["one", "two"])
def test_appenders_race_in_processes(tmp_path: Path, homes: tuple[str, str]) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(tmp_path), str(number), home],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, home in enumerate(homes)
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n", timeout=300)
        assert worker.returncode == 0
    store = DirectoryStore(tmp_path / "store")
    opened(store, tmp_path / "last").recover()
    wanted = [e for w in range(2) for t in range(4) for e in entries(numbers(w * 10 + t))]
    assert sorted(identities(audited(store))) == sorted(identities(wanted))


class Growing(MemoryStore):
    """Another writer appends once ours has found the end of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[Callable[[], object]] = []

    def get(self, key: str, limit: int) -> bytes:
        try:
            return super().get(key, limit)
        except NotFoundError:
            if key == batch_key(5) and self.others:
                self.others.pop()()
            raise


def test_a_log_that_grows_while_its_end_is_looked_for_has_not_shrunk(tmp_path: Path) -> None:
    store, signed = Growing(), tmp_path / "signed"
    opened(store, tmp_path / "home", signed=signed).append(entries(range(5)))
    other = opened(store, tmp_path / "other", signed=signed)
    store.others.append(lambda: other.append(entries(range(50, 53))))
    done = opened(store, tmp_path / "home", signed=signed).append(entries(range(7, 9)))
    assert store.others == []
    assert done.size == 10


class Overtaken(MemoryStore):
    """Another writer commits a batch after five leaves, and dies; ours had looked before that."""

    def put_record(self, key: str, data: bytes) -> None:
        if key == batch_key(5) and key not in self.objects:
            self.objects[key] = [committed(tree_of(self), range(50, 53)).to_bytes()]
        super().put_record(key, data)


def test_who_loses_the_race_finishes_the_winner_and_comes_next(tmp_path: Path) -> None:
    store = Overtaken()
    log = opened(store, tmp_path)
    log.append(entries(range(5)))
    done = log.append([entry(5), entry(51, release="v/p@51"), entry(6)])
    assert [placed.index for placed in done.leaves] == [8, 6, 9]
    assert identities(audited(store)) == identities(entries([*range(5), 50, 51, 52, 5, 6]))


def test_who_loses_the_race_to_its_own_entries_adds_nothing(tmp_path: Path) -> None:
    store = Overtaken()
    log = opened(store, tmp_path)
    log.append(entries(range(5)))
    done = log.append([entry(n, release=f"v/p@{n}") for n in (52, 50)])
    assert ([placed.index for placed in done.leaves], done.size) == ([7, 5], 8)
    assert identities(audited(store)) == identities(entries([*range(5), 50, 51, 52]))


def test_a_writer_that_never_gets_its_turn_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy(MemoryStore):
        """Another writer commits a batch right before each of ours."""

        def put_record(self, key: str, data: bytes) -> None:
            if key.startswith(COMMITTED):
                size, root = int(key[-20:]), bytes.fromhex(json.loads(data)["root"])
                tree = Checkpoint(origin=ORIGIN, size=size, root=root)
                super().put_record(key, committed(tree, range(size, size + 1)).to_bytes())
            super().put_record(key, data)

    monkeypatch.setattr("pipelines.log.writer._TRIES", 3)
    with pytest.raises(StoreError, match="got batches of other writers, 3 times in a row"):
        opened(Busy(), tmp_path).append([entry(1000)])
