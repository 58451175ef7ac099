"""Cosignatures of several witnesses, joined to one checkpoint."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import pytest

from pipelines.log import cosignatures
from pipelines.log.checkpoint import SignedCheckpoint, open_checkpoint
from pipelines.log.cosignatures import (
    checkpoints_with_leaf,
    cosigned_checkpoints,
    merge_cosignatures,
    newest_accepted,
)
from pipelines.log.note import MAX_NOTE, sign_note
from pipelines.log.witness import origin_folder
from tests.fakes.store import MemoryStore
from tests.log.corpus import checkpoint
from tests.log.keys import NOON, ORIGIN, identity, log, witness

WEST, NORTH = "west.example/witness", "north.example/witness"
WITNESSES = (witness(WEST).key, witness(NORTH).key)


def signed(*witnesses: str, size: int = 11, at: datetime = NOON) -> SignedCheckpoint:
    cosigners = (witness(name, at=at) for name in witnesses)
    note = sign_note(checkpoint(size).to_text(), log(), *cosigners)
    return open_checkpoint(note, identity(log().key, witnesses=WITNESSES))


def test_the_newest_cosignature_counts_in_whatever_order_they_are_found() -> None:
    found = [signed(WEST, at=NOON + timedelta(hours=hours)) for hours in range(3)]
    for order in permutations(found):
        merged = merge_cosignatures(order[1:], order[0])
        assert [c.time for c in merged.cosignatures] == [found[2].cosignatures[0].time]


def test_each_witness_has_one_line_beside_the_log() -> None:
    later = NOON + timedelta(hours=1)
    merged = merge_cosignatures([signed(NORTH), signed(WEST, at=later)], signed(WEST))
    assert [line.name for line in merged.note.signatures] == [ORIGIN, NORTH, WEST]
    assert open_checkpoint(
        merged.note.to_bytes(), identity(log().key, witnesses=WITNESSES)
    ).cosignatures == tuple(sorted(merged.cosignatures, key=lambda c: c.key.name))


def test_cosignatures_of_another_tree_are_not_joined() -> None:
    merged = merge_cosignatures([signed(WEST, size=10)], signed())
    assert merged.cosignatures == ()


def test_the_checkpoints_that_hold_a_leaf_come_largest_first() -> None:
    found = [signed(size=size) for size in (9, 7, 8, 11, 10)]
    held = checkpoints_with_leaf(found, index=8)
    assert [one.checkpoint.size for one in held] == [11, 10, 9]


def test_the_newest_records_of_a_witness_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosignatures, "_LOOK_BACK", 2)
    store = MemoryStore()
    for size in (9, 10, 11):
        note = signed(WEST, size=size).note
        store.put_record(f"{origin_folder(ORIGIN)}{size:020d}-1", note.to_bytes())
    found = cosigned_checkpoints([store], identity(log().key, witnesses=WITNESSES))
    assert [one.checkpoint.size for one in found] == [11, 10]


def test_what_a_witness_accepted_last_is_known_without_its_key(store: MemoryStore) -> None:
    known = identity(log().key)
    assert newest_accepted(store, known) is None
    for size in (9, 10):
        note = signed(WEST, size=size).note
        store.put_record(f"{origin_folder(ORIGIN)}{size:020d}-1", note.to_bytes())
    assert newest_accepted(store, known) == checkpoint(10)


def test_what_does_not_verify_hides_nothing(store: MemoryStore) -> None:
    liar = sign_note(checkpoint(10).to_text(), log(word="liar"), witness(WEST))
    for size, note in ((9, signed(WEST, size=9).note.to_bytes()), (10, liar), (11, b"rubbish")):
        store.put_record(f"{origin_folder(ORIGIN)}{size:020d}-1", note)
    known = identity(log().key, witnesses=WITNESSES)
    assert list(cosigned_checkpoints([store], known)) == [signed(WEST, size=9)]


def test_a_store_is_read_beside_refusals_and_past_a_store_that_is_down() -> None:
    down, store = MemoryStore(), MemoryStore()
    for one in (down, store):
        one.put_record(f"{origin_folder(ORIGIN)}{11:020d}-1", signed(WEST).note.to_bytes())
        one.put_record(f"{origin_folder(ORIGIN)}refused/altered-x.json", bytes(MAX_NOTE + 1))
    down.fail_on("get")
    known = identity(log().key, witnesses=WITNESSES)
    assert list(cosigned_checkpoints([down, store], known)) == [signed(WEST)]
