"""A log that is not what was signed is refused, and nothing is grown on it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.errors import EvidenceError
from pipelines.log.batch import MAX_LEAVES, Batch, batch_key
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from pipelines.log.integration import Integrator
from pipelines.log.leaf import FIRST
from pipelines.log.merkle import EMPTY_ROOT
from pipelines.log.note import Note
from pipelines.log.tiles import CHECKPOINT, checkpoint_key
from pipelines.log.writer import LogWriter
from tests.fakes.store import MemoryStore
from tests.log import keys
from tests.log.keys import ORIGIN
from tests.log.logs import (
    audited,
    committed,
    entries,
    entry,
    identities,
    opened,
    refused,
    signer,
    tree_of,
)


def changed(batch: Batch, change: dict[str, object]) -> Batch:
    """Return a batch with other leaves, or after another tree."""
    if "leaves" in change:
        return replace(batch, **change)  # type: ignore[arg-type]
    fields = {"size" if name == "start" else name: value for name, value in change.items()}
    return replace(batch, tree=replace(batch.tree, **fields))  # type: ignore[arg-type]


def restored(store: MemoryStore, objects: dict[str, list[bytes]]) -> None:
    store.objects = {key: list(versions) for key, versions in objects.items()}


@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_a_shortened_log_is_refused(
    store: MemoryStore, log: LogWriter, home: Path, cache: str
) -> None:
    log.append(entries(range(5)))
    before = {key: list(versions) for key, versions in store.objects.items()}
    log.append(entries(range(5, 9)))
    restored(store, before)
    if cache == "lost":
        (home / "heads.sqlite").unlink()
    refused(store, log, "is shorter than what was signed; got 5 leaves; expected 9 leaves")
    store.objects.clear()
    refused(store, log, "is shorter than what was signed; got 0 leaves")


def test_witnesses_are_asked_until_the_log_continues_what_they_have_cosigned(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    log.append(entries(range(5)))
    before = {key: list(versions) for key, versions in store.objects.items()}
    log.append(entries(range(5, 9)))
    newest = {key: list(versions) for key, versions in store.objects.items()}
    cosigned, asked = tree_of(store), list[Checkpoint]()

    def ask() -> list[Checkpoint]:
        asked.append(cosigned)
        return [cosigned]

    restored(store, before)
    behind = LogWriter(
        store,
        origin=ORIGIN,
        signer=signer(tmp_path / "restored"),
        home=tmp_path / "restored",
        cosigned=ask,
    )
    refused(store, behind, "is shorter than what was cosigned; got 5 leaves; expected 9 leaves")
    assert len(asked) == 2
    restored(store, newest)
    assert [behind.append(entries([number])).size for number in (9, 10)] == [10, 11]
    assert len(asked) == 3


@pytest.mark.parametrize("more", [0, 5])
@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_a_forked_log_is_refused(
    store: MemoryStore, log: LogWriter, home: Path, tmp_path: Path, cache: str, more: int
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
    store: MemoryStore, log: LogWriter
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


def test_other_bytes_where_a_tile_belongs_are_refused(store: MemoryStore, log: LogWriter) -> None:
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
    store: MemoryStore, log: LogWriter, change: dict[str, object]
) -> None:
    log.append(entries(range(5)))
    good = committed(tree_of(store), range(50, 53))
    store.objects[batch_key(5)] = [changed(good, change).to_bytes()]
    refused(store, log, "does not continue the log|leaf of the log is malformed")
    store.objects[batch_key(5)] = [good.to_bytes()]
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
def test_what_is_no_commit_is_refused(store: MemoryStore, log: LogWriter, data: bytes) -> None:
    log.append(entries(range(5)))
    good = committed(tree_of(store), range(50, 53)).to_bytes()
    data = data.replace(b"%s", good[:-1] + b"," if b"more" in data else good)
    store.objects[batch_key(5)] = [data]
    refused(store, log, "log/commit/00000000000000000005")


@pytest.mark.parametrize("name", ["origin", "root", "start"])
def test_a_commit_of_another_tree_says_which(store: MemoryStore, log: LogWriter, name: str) -> None:
    log.append(entries(range(5)))
    other = {"origin": "x", "root": bytes(32), "start": 4}[name]
    commit = changed(committed(tree_of(store), range(50, 53)), {name: other})
    store.objects[batch_key(5)] = [commit.to_bytes()]
    refused(store, log, f"does not continue the log; got {name} ")


def test_the_leaves_of_a_commit_are_texts(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(5)))
    fields = json.loads(committed(tree_of(store), range(50, 53)).to_bytes())
    wrong: tuple[object, ...] = ([1], [None], {}, "x", None)
    for leaves in wrong:
        store.objects[batch_key(5)] = [canonical_json({**fields, "leaves": leaves})]
        refused(store, log, "got no list of leaves; expected texts")


def elsewhere(folder: Path, *sizes: int) -> MemoryStore:
    """Return another log of the same key, grown to each of these sizes."""
    store = MemoryStore()
    for start, stop in pairwise((0, *sizes)):
        opened(store, folder / "elsewhere").append(entries(range(1000 + start, 1000 + stop)))
    return store


def test_a_second_root_of_one_size_is_found_where_it_was_kept(
    store: MemoryStore, log: LogWriter, tmp_path: Path
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
    store: MemoryStore, log: LogWriter, home: Path, tmp_path: Path
) -> None:
    log.append(entries(range(5)))
    integrator = Integrator(store, signer(home))
    own = integrator.kept(5)
    assert own is not None
    store.overwrite(CHECKPOINT, elsewhere(tmp_path, 5).get(CHECKPOINT, 1000))
    with pytest.raises(LogError, match="another root of 5 leaves is published"):
        integrator.publish(own)


def test_an_older_checkpoint_takes_the_place_of_no_newer_one(
    store: MemoryStore, log: LogWriter, home: Path
) -> None:
    log.append(entries(range(5)))
    integrator = Integrator(store, signer(home))
    own = integrator.kept(5)
    assert own is not None
    log.append(entries([5]))
    integrator.publish(own)
    assert tree_of(store).size == 6


@pytest.mark.parametrize("count", [0, MAX_LEAVES + 1])
def test_a_batch_is_bounded(count: int) -> None:
    with pytest.raises(LogError, match="too few or too many leaves"):
        Batch(tree=Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT), leaves=(b"x",) * count)


def test_a_checkpoint_of_another_key_is_refused(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(5)))
    text = Note.parse(store.get(CHECKPOINT, 1000)).text
    other = keys.log(word="other")
    note = Note(text, Note.parse(store.get(CHECKPOINT, 1000)).signatures).signed_by(other)
    store.overwrite(CHECKPOINT, Note(text, note.signatures[1:]).to_bytes())
    refused(store, log, "is not signed by a known key")
    store.overwrite(CHECKPOINT, b"garbage")
    refused(store, log, "the note")


def test_a_checkpoint_that_went_back_or_away_is_brought_back(
    store: MemoryStore, log: LogWriter, tmp_path: Path
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
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    other = MemoryStore()
    opened(other, tmp_path / "elsewhere").append(entries(range(20, 23)))
    log.append(entries(range(5)))
    store.overwrite(CHECKPOINT, other.get(CHECKPOINT, 1000))
    refused(store, log, "does not continue what was published")


def test_a_cosigned_checkpoint_is_published(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(5)))
    cosigned = Note.parse(store.get(CHECKPOINT, 1000)).signed_by(keys.witness()).to_bytes()
    assert log.publish(cosigned) is not None
    assert store.get(CHECKPOINT, 1000) == log.prove(2).checkpoint == cosigned
    del store.objects[CHECKPOINT]
    assert log.publish(cosigned) is not None
    log.publish()
    log.recover()
    assert store.get(CHECKPOINT, 1000) == cosigned
    log.append(entries([5]))
    newest = store.get(CHECKPOINT, 1000)
    log.publish(cosigned)
    assert store.get(CHECKPOINT, 1000) == newest != cosigned


def test_what_is_no_checkpoint_of_this_log_is_not_published(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    other = MemoryStore()
    opened(other, tmp_path / "elsewhere").append(entries(range(20, 25)))
    log.append(entries(range(5)))
    before = store.get(CHECKPOINT, 1000)
    root = tree_of(store).root.hex()
    with pytest.raises(LogError, match=f"is not one of this log; .* expected root {root}"):
        log.publish(other.get(CHECKPOINT, 1000))
    opened(other, tmp_path / "elsewhere").append(entries([26]))
    with pytest.raises(LogError, match=r"is not one of this log; .* a size that was signed"):
        log.publish(other.get(CHECKPOINT, 1000))
    with pytest.raises(LogError):
        log.publish(b"garbage")
    assert store.get(CHECKPOINT, 1000) == before
