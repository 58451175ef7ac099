"""Heartbeats: bounded, signed, and the newest true one is found among whatever lies there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import StoreConflictError, StoreError
from pipelines.evidence.clocks import CENTER_SKEW
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, sign_envelope
from pipelines.evidence.statements.log_status import HeartbeatStatement, Tree, Work
from pipelines.evidence.statements.statement import MAX_STATEMENT, Statement
from pipelines.log import heartbeats
from pipelines.log.heartbeats import heartbeat_key, make_heartbeat, newest_heartbeat
from pipelines.log.writer_cache import ReleaseHead
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.store import Store
from tests.evidence.examples import STATEMENTS
from tests.fakes.store import MemoryStore
from tests.requests.office import CENTER, ELSEWHERE, EVE, HERE, NOW, by_center

KEYS = [CENTER.public]
ROOT = bytes(range(32))
MINUTE = timedelta(minutes=1)


def head(number: int, *, name: str = "lab/engine") -> ReleaseHead:
    return ReleaseHead(release=f"{name}@{number}", sequence=number, hash="a" * 64, index=number)


def tree(size: int, root: bytes = ROOT) -> Tree:
    return Tree(size=size, root=Digest(root.hex()))


def stored(
    store: Store, statement: HeartbeatStatement, sign: Callable[[Statement], Envelope]
) -> str:
    key = heartbeat_key(statement)
    store.put_record(key, sign(statement).to_bytes())
    return key


def beat(
    now: datetime = NOW, *, heads: int = 3, size: int = 10, center: str = HERE, **more: Any
) -> HeartbeatStatement:
    return make_heartbeat(
        center=center,
        log=tree(size),
        heads=[head(n) for n in sorted(range(heads), key=lambda n: n * 7 % 5)],
        now=now,
        **({"work": None} | more),
    )


def newest(store: Any, now: datetime = NOW) -> HeartbeatStatement | None:
    return newest_heartbeat(store, HERE, KEYS, now=now)


def test_a_heartbeat_is_stored_and_found(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    made = beat(work=Work(due=5, done=3, failed=1, night="2026-03-01"))
    assert newest(store) is None
    key = stored(store, made, by_center)
    assert key == "public/heartbeats/asia/20260301T120000Z.dsse.json"
    assert newest(store) == made
    assert made.predicate.log.root == Digest(ROOT.hex())


def test_the_newest_is_found() -> None:
    store = MemoryStore()
    for minutes in (1, 3, 2, 0):
        stored(store, beat(NOW - minutes * MINUTE), by_center)
    found = newest(store)
    assert found
    assert found.predicate.beat_on == NOW


def test_a_second_one_of_the_same_second_is_a_conflict() -> None:
    store = MemoryStore()
    stored(store, beat(), by_center)
    with pytest.raises(StoreConflictError):
        stored(store, beat(heads=2), by_center)


def test_an_empty_log_beats_too() -> None:
    store = MemoryStore()
    made = make_heartbeat(
        center=HERE, log=tree(0, bytes.fromhex(Digest.of(b"").hex)), heads=[], now=NOW, work=None
    )
    stored(store, made, by_center)
    assert newest(store) == made


LIES: dict[str, bytes] = {
    "by a stranger": sign_envelope(beat().to_bytes(), EVE).to_bytes(),
    "of another center": sign_envelope(beat(center=ELSEWHERE).to_bytes(), CENTER).to_bytes(),
    "of another time": sign_envelope(beat(NOW - 9 * MINUTE).to_bytes(), CENTER).to_bytes(),
    "no statement": sign_envelope(b"{}", CENTER).to_bytes(),
    "another statement": sign_envelope(STATEMENTS["attempt"].to_bytes(), CENTER).to_bytes(),
    "rubbish": b"\0",
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_no_heartbeat_of_the_center_is_passed_over(lie: str) -> None:
    store = MemoryStore()
    old = beat(NOW - 5 * MINUTE)
    stored(store, old, by_center)
    store.put_record(heartbeat_key(beat()), LIES[lie])
    assert newest(store) == old


def test_a_heartbeat_from_the_future_hides_no_silence() -> None:
    store = MemoryStore()
    old = beat(NOW - 5 * MINUTE)
    stored(store, old, by_center)
    stored(store, beat(NOW + CENTER_SKEW + MINUTE), by_center)
    assert newest(store) == old
    edge = beat(NOW + CENTER_SKEW)
    stored(store, edge, by_center)
    assert newest(store) == edge


def test_names_that_are_no_time_are_passed_over() -> None:
    store = MemoryStore()
    stored(store, beat(), by_center)
    for name in ("readme", "20260301T120000Z.dsse.json.bak", "9/20260301T120000Z.dsse.json"):
        store.put_record(f"public/heartbeats/{HERE}/{name}", b"x")
    assert newest(store) == beat()


def test_rubbish_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "MAX_TRIES", 3)
    store = MemoryStore()
    stored(store, beat(NOW - 9 * MINUTE), by_center)
    for number in range(3):
        store.put_record(heartbeat_key(beat(NOW - number * MINUTE)), b"x")
    assert newest(store) is None


def test_a_store_that_is_away_is_not_a_silent_center() -> None:
    store = MemoryStore()
    stored(store, beat(), by_center)
    for operation in ("list", "get"):
        store.fail_on(operation)
        with pytest.raises(StoreError, match="out of order"):
            newest(store)
        store.heal()


def test_of_too_many_heads_those_that_moved_last_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeats, "MAX_HEADS", 4)
    told = beat(heads=9).predicate
    assert [h.sequence for h in told.heads] == [5, 6, 7, 8]
    assert told.releases == 9


def test_heads_are_listed_up_to_the_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 2 * len("lab/engine@8") + 160
    monkeypatch.setattr(heartbeats, "_MAX_BYTES", 3 * size)
    assert [h.sequence for h in beat(heads=9).predicate.heads] == [6, 7, 8]


def test_the_largest_heartbeat_can_be_read() -> None:
    size, name = 8_000, "v" * 120 + '"' * 100 + "/" + "p" * 120
    heads = [head(number, name=name) for number in range(size)]
    told = make_heartbeat(center=HERE, log=tree(size), heads=heads, now=NOW, work=None)
    payload = told.to_bytes()
    assert len(payload) < MAX_STATEMENT
    assert len(sign_envelope(payload, CENTER).to_bytes()) < MAX_ENVELOPE
    sequences = sorted(h.sequence for h in told.predicate.heads)
    assert sequences == list(range(size - len(sequences), size))
    assert told.predicate.releases == size > len(sequences)


def test_twenty_thousand_heads_of_usual_length_fit() -> None:
    assert len(beat(heads=20_000, size=20_000).predicate.heads) == 20_000


@pytest.mark.parametrize(
    "told",
    [
        {"heads": [head(1), head(1)]},
        {"heads": [head(10)]},
        {"heads": [head(1), head(2)], "size": 1},
        {"heads": [], "size": 0},
        {"heads": [], "root": bytes.fromhex(Digest.of(b"").hex)},
    ],
)
def test_heads_that_no_such_log_has_are_refused(told: dict[str, Any]) -> None:
    size, root = told.get("size", 10), told.get("root", ROOT)
    with pytest.raises(ValueError, match="expected"):
        make_heartbeat(center=HERE, log=tree(size, root), heads=told["heads"], now=NOW, work=None)


@pytest.mark.parametrize("counts", [(1, 1, 1), (1, 2, 0), (0, 0, 1)])
def test_more_done_and_failed_than_due_is_refused(counts: tuple[int, int, int]) -> None:
    due, done, failed = counts
    with pytest.raises(ValueError, match="as many as were due"):
        Work(due=due, done=done, failed=failed)
