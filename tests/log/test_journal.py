"""A center's own log: every entry once, in its place; what is not what was signed is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import pytest

from builders.digest import Digest, canonical_json
from builders.errors import InfrastructureError, UsageError
from pipelines.evidence.directory import DirectoryStore
from pipelines.evidence.errors import EvidenceError
from pipelines.log.checkpoint import Checkpoint, open_checkpoint
from pipelines.log.checkpointsigner import LocalCheckpointSigner
from pipelines.log.commit import MAX_LEAVES, Commit, commit_key
from pipelines.log.errors import LogError
from pipelines.log.growth import kept, publish
from pipelines.log.journal import CommitmentEntry, Log, StatementEntry
from pipelines.log.leaf import FIRST, CommitmentLeaf, StatementLeaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import Note
from pipelines.log.tiles import CHECKPOINT, checkpoint_key
from tests.fakes.store import MemoryStore
from tests.log import keys
from tests.log.keys import ORIGIN
from tests.log.logs import (
    KEY,
    audited,
    entries,
    entry,
    hashed,
    identities,
    opened,
    reader,
)

HERE = Path(__file__).parents[2]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def log(store: MemoryStore, home: Path) -> Log:
    return opened(store, home)


def test_what_is_appended_is_there_in_order(store: MemoryStore, log: Log) -> None:
    done = log.append(entries(range(10)))
    assert (done.start, done.size) == (0, 10)
    assert [placed.index for placed in done.leaves] == list(range(10))
    done = log.append(entries(range(10, 300)))
    assert (done.start, done.size) == (10, 300)
    leaves = audited(store)
    assert identities(leaves) == identities(entries(range(300)))
    assert [placed.leaf for placed in done.leaves] == leaves[10:]


def test_sequence_and_previous_are_those_of_the_release(store: MemoryStore, log: Log) -> None:
    items = [entry(n, release="v/p@1") for n in (0, 3, 4)] + [entry(1, release="v/p@2")]
    log.append(items[:2])
    log.append(items[2:])
    first, commitment, third, other = audited(store)
    assert isinstance(first, StatementLeaf)
    assert isinstance(commitment, CommitmentLeaf)
    assert isinstance(third, StatementLeaf)
    assert isinstance(other, StatementLeaf)
    assert [leaf.sequence for leaf in (first, commitment, third, other)] == [0, 1, 2, 0]
    assert first.previous == other.previous == FIRST
    assert third.previous.hex == hashed(commitment).hex()


def test_the_objects_of_a_batch(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(300)))
    assert store.objects.keys() == {
        "public/log/commit/00000000000000000000",
        "public/log/tile/entries/000",
        "public/log/tile/entries/001.p/44",
        "public/log/tile/0/000",
        "public/log/tile/0/001.p/44",
        "public/log/tile/1/000.p/1",
        "public/log/checkpoints/300",
        "public/log/checkpoint",
    }
    log.append(entries([300]))
    assert commit_key(300) in store.objects
    assert store.get(CHECKPOINT, 1000) == store.get(checkpoint_key(301), 1000)


def test_the_commit_comes_first_and_the_checkpoint_last(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(5)))
    written = [key for operation, key in store.calls if operation == "put"]
    assert written[0] == commit_key(0)
    assert written[-2:] == [checkpoint_key(5), CHECKPOINT]


def test_what_is_logged_already_is_where_it_was(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(10)))
    done = log.append(entries([3, 12, 0, 11, 12]))
    assert (done.start, done.size) == (10, 12)
    assert [placed.index for placed in done.leaves] == [3, 10, 0, 11, 10]
    assert [placed.leaf.identity for placed in done.leaves] == identities(
        entries([3, 12, 0, 11, 12])
    )
    before = dict(store.objects)
    assert log.append(entries(range(10))).size == 12
    assert log.append([]).size == 12
    assert store.objects == before
    audited(store)


def test_one_identity_says_one_thing(store: MemoryStore, log: Log) -> None:
    statement, commitment = entry(0), entry(3)
    assert isinstance(statement, StatementEntry)
    assert isinstance(commitment, CommitmentEntry)
    other = replace(statement, release="v/other@1")
    with pytest.raises(LogError, match="says something else"):
        log.append([statement, other])
    assert not store.objects
    log.append([statement, commitment])
    before = dict(store.objects)
    for changed in (
        other,
        replace(statement, keyid="k"),
        replace(commitment, seal=Digest.of(b"x")),
        replace(commitment, claim=Digest.of(b"x")),
    ):
        with pytest.raises(LogError, match="says something else"):
            log.append([entry(9), changed])
    assert store.objects == before


def test_a_long_input_becomes_several_batches(store: MemoryStore, log: Log) -> None:
    done = log.append(entries(range(2 * MAX_LEAVES + 1)))
    assert done.size == len(done.leaves) == 2001
    commits = [key for key in store.objects if "/commit/" in key]
    assert commits == [commit_key(0), commit_key(1000), commit_key(2000)]
    audited(store)


def test_a_log_without_leaves(store: MemoryStore, log: Log) -> None:
    assert log.append([]).size == 0
    assert log.recover() is None
    assert log.checkpoint() is None
    assert log.publish() is None
    assert log.heads() == ()
    assert log.find(entry(0).identity) is None
    assert not store.objects
    with pytest.raises(LogError, match="no such checkpoint"):
        log.prove(0)


def test_a_leaf_is_proved(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(400)))
    leaf = log.append(entries(range(390, 700))).leaves[0].leaf
    proof = log.prove(390)
    signed = proof.verify(hashed(leaf), origin=ORIGIN, keys=[KEY])
    assert signed.checkpoint.size == 700
    older = log.prove(390, 400)
    assert older.verify(hashed(leaf), origin=ORIGIN, keys=[KEY]).checkpoint.size == 400
    with pytest.raises(LogError, match="is not in the tree"):
        proof.verify(leaf_hash(b"x"), origin=ORIGIN, keys=[KEY])
    for index, size in ((700, None), (400, 400), (0, 399)):
        with pytest.raises(LogError):
            log.prove(index, size)


def test_a_proof_reads_few_tiles(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(700)))
    store.calls.clear()
    log.prove(5)
    assert [key for _, key in store.calls if "/tile/" in key] == ["public/log/tile/0/000"]


def test_heads_and_places_are_known(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(12)))
    leaves = audited(store)
    heads = {head.release: head for head in log.heads()}
    assert sorted(heads) == [f"vendor/product@{n}" for n in range(5)]
    assert heads["vendor/product@1"].index == 11
    assert heads["vendor/product@1"].sequence == 2
    assert heads["vendor/product@1"].hash == hashed(leaves[11]).hex()
    assert log.find(entry(7).identity) == 7
    assert log.find(entry(12).identity) is None


def test_a_log_has_the_key_of_its_name(store: MemoryStore, home: Path) -> None:
    with pytest.raises(UsageError, match="key is of another log"):
        Log(store, origin="x", signer=LocalCheckpointSigner(keys.log(), home), home=home)


# Others at work


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
from pipelines.evidence.directory import DirectoryStore
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
        worker.communicate("go\n", timeout=60)
        assert worker.returncode == 0
    store = DirectoryStore(tmp_path / "store")
    opened(store, tmp_path / "last").recover()
    wanted = [e for w in range(2) for t in range(4) for e in entries(numbers(w * 10 + t))]
    assert sorted(identities(audited(store))) == sorted(identities(wanted))


def test_who_loses_the_race_finishes_the_winner_and_comes_next(tmp_path: Path) -> None:
    """The winner dies right after its commit; the loser had looked before that."""

    class Overtaken(MemoryStore):
        def put_record(self, key: str, data: bytes) -> None:
            if key == commit_key(5) and key not in self.objects:
                other = tree_of(self)
                self.objects[key] = [committed(other, range(50, 53)).to_bytes()]
            super().put_record(key, data)

    store = Overtaken()
    log = opened(store, tmp_path)
    log.append(entries(range(5)))
    done = log.append([entry(5), entry(51, release="v/p@51"), entry(6)])
    assert [placed.index for placed in done.leaves] == [8, 6, 9]
    assert identities(audited(store)) == identities(entries([*range(5), 50, 51, 52, 5, 6]))


# What is not what was signed


def tree_of(store: MemoryStore) -> Checkpoint:
    return open_checkpoint(store.get(CHECKPOINT, 1000), origin=ORIGIN, keys=[KEY]).checkpoint


def committed(tree: Checkpoint, which: range, *, sequence: int | None = None) -> Commit:
    """Return a commit that somebody made: of entries that open a release each."""
    leaves = tuple(
        entry(n, release=f"v/p@{n}").leaf(sequence or 0, FIRST).to_bytes() for n in which
    )
    return Commit(origin=ORIGIN, start=tree.size, root=tree.root, leaves=leaves)


def restored(store: MemoryStore, objects: dict[str, list[bytes]]) -> None:
    store.objects = {key: list(versions) for key, versions in objects.items()}


def refused(store: MemoryStore, log: Log, match: str) -> None:
    """See that nothing is appended, and nothing written."""
    before = {key: list(versions) for key, versions in store.objects.items()}
    for _ in range(2):
        with pytest.raises(EvidenceError, match=match):
            log.append(entries([9999]))
    assert store.objects == before


@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_a_shortened_log_is_refused(store: MemoryStore, log: Log, home: Path, cache: str) -> None:
    log.append(entries(range(5)))
    before = {key: list(versions) for key, versions in store.objects.items()}
    log.append(entries(range(5, 9)))
    restored(store, before)
    if cache == "lost":
        (home / "heads.sqlite").unlink()
    refused(store, log, "is shorter than what was signed; got 5 leaves; expected 9 leaves")
    store.objects.clear()
    refused(store, log, "is shorter than what was signed; got 0 leaves")


@pytest.mark.parametrize("more", [0, 5])
@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_a_forked_log_is_refused(
    store: MemoryStore, log: Log, home: Path, tmp_path: Path, cache: str, more: int
) -> None:
    """Whoever has the key signed another tree, of this size or larger, in a copy of the log."""
    log.append(entries(range(5)))
    before = {key: list(versions) for key, versions in store.objects.items()}
    log.append(entries(range(5, 9)))
    restored(store, before)
    opened(store, tmp_path / "elsewhere").append(entries(range(20, 24 + more)))
    if cache == "lost":
        (home / "heads.sqlite").unlink()
    refused(store, log, "does not continue what was signed")


def test_an_altered_tile_is_refused_before_anything_grows_on_it(
    store: MemoryStore, log: Log
) -> None:
    log.append(entries(range(300)))
    whole = dict(store.objects)
    for key in (
        "public/log/tile/0/001.p/44",
        "public/log/tile/1/000.p/1",
        "public/log/tile/entries/001.p/44",
    ):
        data = whole[key][0]
        store.objects = {**whole, key: [data[:-1] + bytes([data[-1] ^ 1])]}
        with pytest.raises(LogError, match=r"are not those of its checkpoint|is altered"):
            log.append(entries([9999]))
        del store.objects[key]
        with pytest.raises(LogError, match="lacks"):
            log.append(entries([9999]))
        assert checkpoint_key(301) not in store.objects
    store.objects = dict(whole)
    assert log.append(entries([9999])).size == 301
    audited(store)


def test_other_bytes_where_a_tile_belongs_are_refused(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(5)))
    for key in (
        "public/log/tile/0/000.p/6",
        "public/log/tile/entries/000.p/6",
        "public/log/checkpoints/6",
    ):
        store.objects[key] = [b"other"]
        with pytest.raises(EvidenceError):
            log.append(entries([5]))
        del store.objects[key]
        assert tree_of(store).size == 5
    assert log.append(entries([5])).size == 6
    audited(store)


@pytest.mark.parametrize(
    "change",
    [
        {"start": 4},
        {"origin": "samebits.example/centers/west"},
        {"root": bytes(32)},
        {"leaves": (b"not a leaf",)},
        {"leaves": (entry(7, release="v/p@1").leaf(1, FIRST).to_bytes(),)},
        {"leaves": (entry(8, release="v/p@1").leaf(0, Digest.of(b"x")).to_bytes(),)},
        {"leaves": (entry(8).leaf(0, FIRST).to_bytes(),)},
    ],
    ids=["start", "origin", "root", "malformed", "skips", "previous", "not-next"],
)
def test_a_commit_that_does_not_continue_the_log_is_refused(
    store: MemoryStore, log: Log, change: dict[str, object]
) -> None:
    log.append(entries(range(5)))
    good = committed(tree_of(store), range(50, 53))
    store.objects[commit_key(5)] = [replace(good, **change).to_bytes()]  # type: ignore[arg-type]
    refused(store, log, "does not continue the log|leaf of the log is malformed")
    store.objects[commit_key(5)] = [good.to_bytes()]
    assert log.append(entries([9999])).size == 9
    audited(store)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"leaves":[1],"origin":"x","root":"","schema":"samebits/log-commit/v1","start":5}',
        b" %s",
        b'%s"more":1}',
    ],
)
def test_what_is_no_commit_is_refused(store: MemoryStore, log: Log, data: bytes) -> None:
    log.append(entries(range(5)))
    good = committed(tree_of(store), range(50, 53)).to_bytes()
    data = data.replace(b"%s", good[:-1] + b"," if b"more" in data else good)
    store.objects[commit_key(5)] = [data]
    refused(store, log, "log/commit/00000000000000000005")


@pytest.mark.parametrize("name", ["origin", "root", "start"])
def test_a_commit_of_another_tree_says_which(store: MemoryStore, log: Log, name: str) -> None:
    log.append(entries(range(5)))
    other = {"origin": "x", "root": bytes(32), "start": 4}[name]
    commit = replace(committed(tree_of(store), range(50, 53)), **{name: other})  # type: ignore[arg-type]
    store.objects[commit_key(5)] = [commit.to_bytes()]
    refused(store, log, f"does not continue the log; got {name} ")


def test_the_leaves_of_a_commit_are_texts(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(5)))
    fields = json.loads(committed(tree_of(store), range(50, 53)).to_bytes())
    wrong: tuple[object, ...] = ([1], [None], {}, "x", None)
    for leaves in wrong:
        store.objects[commit_key(5)] = [canonical_json({**fields, "leaves": leaves})]
        refused(store, log, "got no list of leaves; expected texts")


def elsewhere(folder: Path, *sizes: int) -> MemoryStore:
    """Return another log of the same key, grown to each of these sizes."""
    store = MemoryStore()
    for start, stop in pairwise((0, *sizes)):
        opened(store, folder / "elsewhere").append(entries(range(1000 + start, 1000 + stop)))
    return store


def test_a_second_root_of_one_size_is_found_where_it_was_kept(
    store: MemoryStore, log: Log, tmp_path: Path
) -> None:
    log.append(entries(range(5)))
    store.objects[checkpoint_key(6)] = elsewhere(tmp_path, 6).objects[checkpoint_key(6)]
    with pytest.raises(LogError, match="another root of 6 leaves was signed"):
        log.append(entries([5]))
    store.objects[checkpoint_key(6)] = store.objects[checkpoint_key(5)]
    with pytest.raises(LogError, match=r"checkpoints/6 is of another size; got 5; expected 6"):
        log.append(entries([5]))
    assert tree_of(store).size == 5


def test_a_second_root_of_one_size_is_found_where_it_is_published(
    store: MemoryStore, log: Log, home: Path, tmp_path: Path
) -> None:
    log.append(entries(range(5)))
    own = kept(store, signer(home), 5)
    assert own is not None
    store.overwrite(CHECKPOINT, elsewhere(tmp_path, 5).get(CHECKPOINT, 1000))
    with pytest.raises(LogError, match="another root of 5 leaves is published"):
        publish(store, signer(home), own)


@pytest.mark.parametrize("count", [0, MAX_LEAVES + 1])
def test_a_batch_is_bounded(count: int) -> None:
    with pytest.raises(LogError, match="too few or too many leaves"):
        Commit(origin=ORIGIN, start=0, root=bytes(32), leaves=(b"x",) * count)


def test_a_checkpoint_of_another_key_is_refused(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(5)))
    text = Note.parse(store.get(CHECKPOINT, 1000)).text
    other = keys.log(word="other")
    note = Note(text, Note.parse(store.get(CHECKPOINT, 1000)).signatures).signed_by(other)
    store.overwrite(CHECKPOINT, Note(text, note.signatures[1:]).to_bytes())
    refused(store, log, "is not signed by a known key")
    store.overwrite(CHECKPOINT, b"garbage")
    refused(store, log, "the note")


def test_a_checkpoint_that_went_back_or_away_is_brought_back(
    store: MemoryStore, log: Log, tmp_path: Path
) -> None:
    """The one object that is replaced may be lost; those that are created once say what was."""
    log.append(entries(range(5)))
    old = store.get(CHECKPOINT, 1000)
    log.append(entries(range(5, 9)))
    newest = store.get(CHECKPOINT, 1000)
    for fresh in (log, opened(store, tmp_path / "fresh")):
        store.overwrite(CHECKPOINT, old)
        assert fresh.publish() is not None
        assert store.get(CHECKPOINT, 1000) == newest
        del store.objects[CHECKPOINT]
        assert fresh.publish() is not None
        assert store.get(CHECKPOINT, 1000) == newest
    store.overwrite(CHECKPOINT, old)
    assert log.append(entries([9])).size == 10
    assert identities(audited(store)) == identities(entries(range(10)))


def test_an_older_checkpoint_that_is_not_of_this_log_is_refused(
    store: MemoryStore, log: Log, tmp_path: Path
) -> None:
    other = MemoryStore()
    opened(other, tmp_path / "elsewhere").append(entries(range(20, 23)))
    log.append(entries(range(5)))
    store.overwrite(CHECKPOINT, other.get(CHECKPOINT, 1000))
    refused(store, log, "does not continue what was published")


def test_a_cosigned_checkpoint_is_published(store: MemoryStore, log: Log) -> None:
    log.append(entries(range(5)))
    cosigned = Note.parse(store.get(CHECKPOINT, 1000)).signed_by(keys.witness()).to_bytes()
    assert log.publish(cosigned) is not None
    assert store.get(CHECKPOINT, 1000) == log.prove(2).checkpoint == cosigned
    log.publish()
    log.recover()
    assert store.get(CHECKPOINT, 1000) == cosigned
    log.append(entries([5]))
    newest = store.get(CHECKPOINT, 1000)
    log.publish(cosigned)
    assert store.get(CHECKPOINT, 1000) == newest != cosigned


def test_what_is_no_checkpoint_of_this_log_is_not_published(
    store: MemoryStore, log: Log, tmp_path: Path
) -> None:
    other = MemoryStore()
    opened(other, tmp_path / "elsewhere").append(entries(range(20, 25)))
    log.append(entries(range(5)))
    before = store.get(CHECKPOINT, 1000)
    with pytest.raises(LogError, match="is not one of this log"):
        log.publish(other.get(CHECKPOINT, 1000))
    opened(other, tmp_path / "elsewhere").append(entries([26]))
    with pytest.raises(LogError, match="is not one of this log"):
        log.publish(other.get(CHECKPOINT, 1000))
    with pytest.raises(LogError):
        log.publish(b"garbage")
    assert store.get(CHECKPOINT, 1000) == before


# The signer


def signer(home: Path) -> LocalCheckpointSigner:
    return LocalCheckpointSigner(keys.log(), home)


def trees(store: MemoryStore, *sizes: int) -> list[Checkpoint]:
    return [reader(store).tree(size) for size in sizes]


def test_the_signer_signs_what_continues(store: MemoryStore, log: Log, home: Path) -> None:
    log.append(entries(range(300)))
    three, five = trees(store, 3, 5)
    proof = reader(store).consistency(3, 5)
    mine = signer(home / "new")
    assert mine.newest() is None
    mine.sign(None, three, ())
    assert mine.newest() == three
    signature = mine.sign(three, five, proof)
    assert KEY.verifies(five.to_text().encode(), signature)
    assert signer(home / "new").newest() == five
    assert signer(home / "new").sign(five, five, ()) == signature


def test_the_signer_refuses_everything_else(store: MemoryStore, log: Log, home: Path) -> None:
    log.append(entries(range(300)))
    three, five, six = trees(store, 3, 5, 6)
    proof = reader(store).consistency(5, 6)
    mine = signer(home / "new")
    mine.sign(None, five, ())
    other = replace(six, root=bytes(32))
    for old, new, path, match in (
        (five, three, (), "refuses to shorten the log; got 3 leaves; expected 5"),
        (five, replace(five, root=bytes(32)), (), "refuses a second root for 5 leaves"),
        (five, other, proof, "does not continue what it has signed"),
        (five, six, (), "does not continue what it has signed"),
        (five, six, (*proof, bytes(32)), "does not continue what it has signed"),
        (None, six, (), "was shown another checkpoint"),
        (three, six, reader(store).consistency(3, 6), "was shown another checkpoint"),
        (five, replace(six, origin="x"), proof, "is not of that log"),
    ):
        with pytest.raises(LogError, match=match):
            mine.sign(old, new, path)
        assert mine.newest() == five
    mine.sign(five, six, proof)


def test_a_damaged_memory_of_the_signer_is_refused(
    store: MemoryStore, log: Log, home: Path
) -> None:
    log.append(entries(range(5)))
    (home / "signed").write_bytes(b"garbage")
    refused(store, log, "what the log's signer remembers is damaged")


def test_a_signer_that_cannot_remember_does_not_sign(
    store: MemoryStore, log: Log, home: Path
) -> None:
    shutil.rmtree(home, ignore_errors=True)
    (home / "signed").mkdir(parents=True)
    with pytest.raises(InfrastructureError, match=r"cannot read .*signed"):
        log.append(entries(range(5)))
    assert CHECKPOINT not in store.objects
