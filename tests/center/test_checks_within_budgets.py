"""Checking the whole log of a peer ends with the budget of that peer, whatever it sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Event

import pytest

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from infra.bench.consensus import made_up_policy
from infra.bench.hostile import EqualLeaves
from pipelines.audit.source import BehindError
from pipelines.center.center import Peer
from pipelines.center.logs import check_completeness, peer_log
from pipelines.log.leaf import FIRST, StatementEntry
from pipelines.nightly.alarms import peer_gaps
from pipelines.storage.bounded import BoundedStore, PeerBudget
from pipelines.storage.store import ReadableStore

_SECONDS = 0.3


class Stalled:
    """A store that answers nothing until it is let go."""

    def __init__(self) -> None:
        self.go = Event()

    def get(self, key: str, _limit: int) -> bytes:
        """Wait, and find nothing."""
        self.go.wait(60)
        raise NotFoundError(f"there is no {key}")

    def list(self, _prefix: str) -> Iterator[str]:
        """Wait, and list nothing."""
        self.go.wait(60)
        return iter(())


def peers_with(monkeypatch: pytest.MonkeyPatch, store: ReadableStore) -> list[Peer]:
    """Return peers in whose places is `store`, each with little time."""

    def opened(_: Path, __: PeerBudget) -> BoundedStore:
        return BoundedStore(store, PeerBudget(seconds=_SECONDS))

    monkeypatch.setattr("pipelines.center.center.open_peer_store", opened)
    return [Peer(id=name, store=Path(name)) for name in ("asia", "americas")]


def test_a_log_without_end_is_left_with_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = StatementEntry(
        center="asia",
        release="acme/tool@1",
        pae=Digest.of(b"a"),
        keyid=Digest.of(b"b").hex,
        predicate_type="https://samebits.example/attempt/v1",
    )
    endless = EqualLeaves(entry.leaf(0, FIRST).to_bytes(), "asia")
    (peer, _) = peers_with(monkeypatch, endless)
    start = time.monotonic()
    with pytest.raises(BehindError, match="the log of asia was not read to its end") as caught:
        check_completeness(peer_log(made_up_policy(), peer))
    assert time.monotonic() - start < 10
    assert "`time` and `traffic`" in str(caught.value)


class Together:
    """A store that answers once the stores of all peers have been asked."""

    def __init__(self, asked: Barrier) -> None:
        self.asked: Barrier | None = asked

    def get(self, key: str, _limit: int) -> bytes:
        """Wait for the others, and find nothing."""
        asked, self.asked = self.asked, None
        if asked is not None:
            asked.wait(20)
        raise NotFoundError(f"there is no {key}")

    def list(self, prefix: str) -> Iterator[str]:
        """Wait for the others, and list nothing."""
        with suppress(NotFoundError):
            self.get(prefix, 0)
        return iter(())


def test_peers_are_read_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = [Peer(id=name, store=Path(name)) for name in ("asia", "americas")]
    asked = Barrier(len(peers))

    def opened(_: Path, __: PeerBudget) -> BoundedStore:
        return BoundedStore(Together(asked), PeerBudget(seconds=60))

    monkeypatch.setattr("pipelines.center.center.open_peer_store", opened)
    peer_gaps(made_up_policy(), peers, ())
    assert not asked.broken, "one was read after the other"


def test_peers_that_stall_are_left_within_their_budgets(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stalled = Stalled()
    peers = peers_with(monkeypatch, stalled)
    start = time.monotonic()
    try:
        assert peer_gaps(made_up_policy(), peers, ()) == []
        seconds = time.monotonic() - start
    finally:
        stalled.go.set()
    assert _SECONDS <= seconds < 10
    for peer in peers:
        assert f"whether the log of {peer.id} is whole is not known" in caplog.text
