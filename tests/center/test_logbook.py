"""A center's logbook: nothing that is stored stays out of the log for long, whoever dies."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, StoreError
from pipelines.center.center import Center
from pipelines.center.logbook import Logbook, release_key
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.log.errors import LogError
from pipelines.log.leaf import CommitmentLeaf, StatementLeaf
from pipelines.log.log_reader import LogReader
from pipelines.log.note import NoteSigner
from pipelines.log.signers import LocalCheckpointSigner
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import release_run
from pipelines.storage.outbox import OutboxStore
from pipelines.storage.store import Store
from tests.evidence.examples import STATEMENTS
from tests.fakes.store import MemoryStore
from tests.log.keys import FixedKey, identity

KEY = FixedKey("the log")
RUN = "20260102T030405Z-0a1b2c3d"
PLACE = release_run("acme", "rules", "1.10", "zurich", RUN)
BEAT = "public/heartbeats/zurich/20260102T030405Z.dsse.json"
CLAIM, SEAL = Digest.of(b"claim"), Digest.of(b"seal")


def book(folder: Path, store: Store, *, log: Store | None = None) -> Logbook:
    center = Center(id="zurich", home=folder / "home", store=folder / "store")
    signer = LocalCheckpointSigner(NoteSigner(center.origin, KEY), folder / "signed")
    return Logbook(center, store=store, log_store=log or store, signer=signer)


def put(store: Store, key: str, kind: str = "attempt") -> None:
    store.put_record(
        key, sign_envelope(STATEMENTS[kind].to_bytes(), FixedKey("statements")).to_bytes()
    )


def leaves(store: Store) -> list[CommitmentLeaf | StatementLeaf]:
    name = "samebits.example/centers/zurich"
    reader = LogReader(store, identity(NoteSigner(name, KEY).key, origin=name))
    return [leaf for _, leaf in reader.leaves()]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def commit(made: Logbook, seal: Digest = SEAL) -> int:
    return made.commit(release="acme/rules@1.10", run=RUN, claim=CLAIM, seal=seal)


def test_a_run_stands_in_the_log_in_its_order(store: MemoryStore, tmp_path: Path) -> None:
    made = book(tmp_path, store)
    assert commit(made) == 0
    with made.storing(PLACE):
        put(store, f"{PLACE}attempt-1.dsse.json")
        put(store, f"{PLACE}comparison-1.dsse.json", "comparison")
    store.put_record(f"{PLACE}report.json", b"{}")
    appended = made.settle()
    assert appended is not None
    assert (appended.start, appended.size) == (1, 3)
    found = leaves(store)
    assert [type(leaf) for leaf in found] == [CommitmentLeaf, StatementLeaf, StatementLeaf]
    assert {leaf.release for leaf in found} == {"acme/rules@1.10"}
    assert made.settle() is None


def test_one_run_has_one_commitment(store: MemoryStore, tmp_path: Path) -> None:
    made = book(tmp_path, store)
    assert commit(made) == commit(made) == 0
    with pytest.raises(EvidenceError, match="already has other fields"):
        commit(made, Digest.of(b"another seal"))
    assert len(leaves(store)) == 1


def test_a_statement_of_no_release_stands_under_the_centers_own_key(
    store: MemoryStore, tmp_path: Path
) -> None:
    made = book(tmp_path, store)
    with made.storing(BEAT):
        put(store, BEAT, "heartbeat")
    made.settle()
    assert [leaf.release for leaf in leaves(store)] == ["samebits/zurich@log"]
    assert release_key(f"{PLACE}attempt-1.dsse.json", "zurich") == "acme/rules@1.10"


def _dies(folder: Path) -> None:
    """Store statements, and be killed before they are logged."""
    store = DirectoryStore(folder / "store")
    with book(folder, store).storing(PLACE):
        put(store, f"{PLACE}attempt-1.dsse.json")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_the_dead_have_stored_is_logged_by_the_next(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_dies, args=(tmp_path,))
    process.start()
    process.join(timeout=300)
    assert process.exitcode == -signal.SIGKILL
    store = DirectoryStore(tmp_path / "store")
    assert not list(store.list("public/log/"))
    appended = book(tmp_path, store).settle()
    assert appended is not None
    assert appended.size == 1
    assert book(tmp_path, store).settle() is None


def test_a_place_that_somebody_stores_into_is_left_to_them(
    store: MemoryStore, tmp_path: Path
) -> None:
    mine, theirs = book(tmp_path, store), book(tmp_path, store)
    with theirs.storing(PLACE):
        put(store, f"{PLACE}attempt-1.dsse.json")
        assert mine.settle() is None
        assert not leaves_or_none(store)
    assert mine.settle() is not None
    assert len(leaves(store)) == 1


def leaves_or_none(store: Store) -> list[str]:
    return list(store.list("public/log/"))


def test_two_processes_log_everything_once(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    places = [release_run("acme", "rules", f"{n}", "zurich", RUN) for n in range(4)]
    for number, place in enumerate(places):
        with book(tmp_path, store).storing(place):
            kind = ("attempt", "comparison", "provenance", "heartbeat")[number]
            put(store, f"{place}attempt-1.dsse.json", kind)
    fork = multiprocessing.get_context("fork")
    both = [fork.Process(target=_settles, args=(tmp_path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(timeout=300)
    assert [process.exitcode for process in both] == [0, 0]
    assert sorted(leaf.release for leaf in leaves(store)) == [f"acme/rules@{n}" for n in range(4)]


def _settles(folder: Path) -> None:
    book(folder, DirectoryStore(folder / "store")).settle()


@pytest.fixture
def remote() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.heal()


def test_what_waits_in_an_outbox_is_logged_once_the_store_is_back(
    remote: MemoryStore, tmp_path: Path
) -> None:
    outbox = OutboxStore(tmp_path / "outbox", remote)
    made = book(tmp_path, outbox, log=remote)
    commit(made)
    operations = ("put_record", "put_file", "put_latest", "get", "list", "has")
    for operation in operations:
        remote.fail_on(operation)  # type: ignore[arg-type]
    with made.storing(PLACE):
        put(outbox, f"{PLACE}attempt-1.dsse.json")
    with pytest.raises(StoreError):
        made.settle(PLACE)
    with pytest.raises(StoreError):
        commit(made)
    remote.heal()
    outbox.flush()
    appended = book(tmp_path, outbox, log=remote).settle()
    assert appended is not None
    assert appended.size == 2
    assert remote.has(f"{PLACE}attempt-1.dsse.json")


def test_a_home_that_cannot_be_written_is_one_message(store: MemoryStore, tmp_path: Path) -> None:
    made = book(tmp_path, store)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/log").write_bytes(b"a file")
    with pytest.raises(InfrastructureError, match="cannot write"), made.storing(PLACE):
        raise AssertionError


def test_a_damaged_record_holds_up_its_run_and_no_other_place(
    store: MemoryStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = book(tmp_path, store)
    with made.storing(PLACE):
        put(store, f"{PLACE}attempt-1.dsse.json")
        store.put_record(f"{PLACE}attempt-2.dsse.json", b"rubbish")
    with made.storing(BEAT):
        put(store, BEAT, "heartbeat")
    made.settle()
    assert [leaf.release for leaf in leaves(store)] == ["samebits/zurich@log"]
    assert f"{PLACE}attempt-2.dsse.json is not logged" in caplog.text
    assert len(list((tmp_path / "home" / "log" / "pending").iterdir())) == 1, "it is not forgotten"
    with pytest.raises(LogError, match=r"damaged; got .*attempt-2\.dsse\.json"):
        made.settle(PLACE)


def test_a_note_that_was_settled_away_is_written_again(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody settles the place between the opening of the note and its lock."""
    made = book(tmp_path, store)
    taken: list[str] = []
    lock = fcntl.flock

    def late(note: object, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not taken:
            [path] = (tmp_path / "home" / "log" / "pending").iterdir()
            taken.append(path.name)
            path.unlink()
        lock(note, operation)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", late)
    with made.storing(PLACE):
        [path] = (tmp_path / "home" / "log" / "pending").iterdir()
        assert path.read_text() == PLACE
    assert taken == [path.name]
