"""Peers that stall, or send without end: each is `behind`, and costs no other its voice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from threading import Barrier, Event

import pytest

from pipelines.audit.source import OwnSource, Source
from pipelines.consensus.release_consensus import (
    ReleaseConsensus,
    consensus_of,
    read_release,
    read_releases,
)
from pipelines.evidence.release_name import ReleaseName
from pipelines.storage.bounded import BoundedStore, PeerBudget
from pipelines.storage.store import ReadableStore, TooLargeError
from tests.consensus.world import RELEASE, World, reasons
from tests.fakes.store import MemoryStore


class Hostile(MemoryStore):
    """Has what the store of an honest center has, until it is read."""

    def __init__(self, honest: MemoryStore) -> None:
        super().__init__()
        self.objects = honest.objects


class Stalled(Hostile):
    def get(self, key: str, limit: int) -> bytes:
        Event().wait(3)
        return super().get(key, limit)


class SlowNames(Hostile):
    def list(self, prefix: str) -> Iterator[str]:
        for name in super().list(prefix):
            Event().wait(3)
            yield name


class TinyRecords(Hostile):
    def list(self, prefix: str) -> Iterator[str]:
        return (f"{prefix}{n:08d}/attempt-1.dsse.json" for n in itertools.count())

    def get(self, key: str, limit: int) -> bytes:
        return b"{}"


class LargeRecords(Hostile):
    def get(self, key: str, limit: int) -> bytes:
        raise TooLargeError("too large", got="10 GB", expected=limit)


def seen(world: World, stores: dict[str, ReadableStore]) -> ReleaseConsensus:
    """Return the consensus of ada, whose peers have these stores."""
    sources = [Source(center=name, store=store, peer=True) for name, store in stores.items()]
    own = OwnSource(center="ada-1", store=world["ada-1"].store)
    read = read_release(RELEASE, [own, *sources], world.reader, own)
    return consensus_of(read, world.rules, own="ada-1")


@pytest.mark.parametrize("make", [Stalled, SlowNames, TinyRecords, LargeRecords])
def test_a_hostile_peer_is_behind_and_the_others_confirm(
    world: World, make: Callable[[MemoryStore], Hostile]
) -> None:
    budget = PeerBudget(seconds=0.5, size=100_000)
    hostile = BoundedStore(make(world["bob-1"].store), budget)
    honest = BoundedStore(world["cyd-1"].store, PeerBudget())
    found = seen(world, {"bob-1": hostile, "cyd-1": honest})
    assert [one.result for one in found.artefacts] == ["CONFIRMED"]
    assert found.artefacts[0].matched == ("ada", "cyd")
    assert reasons(found) == {("bob-1", "behind")}
    assert found.exit_code == 0


def test_many_releases_are_read_ahead_and_a_peer_that_stalls_is_behind_in_each(
    world: World,
) -> None:
    others = [ReleaseName(vendor="lab", product="other", version=f"{n}") for n in range(40)]
    wanted = [*others, RELEASE]
    stalled = BoundedStore(Stalled(world["bob-1"].store), PeerBudget(seconds=0.5))
    honest = BoundedStore(world["cyd-1"].store, PeerBudget())
    own = OwnSource(center="ada-1", store=world["ada-1"].store)
    peers = {"bob-1": stalled, "cyd-1": honest}
    sources = [own, *(Source(center=name, store=s, peer=True) for name, s in peers.items())]
    read = [one() for one in read_releases(wanted, sources, world.reader, own)]
    assert [one.release for one in read] == wanted
    found = consensus_of(read[-1], world.rules, own="ada-1")
    assert found.artefacts[0].matched == ("ada", "cyd")
    assert reasons(found) == {("bob-1", "behind")}


def test_peers_are_read_side_by_side(world: World) -> None:
    """Each peer answers only once the other is read too."""
    both = Barrier(2)

    class Waiting(Hostile):
        waited = False

        def get(self, key: str, limit: int) -> bytes:
            if not self.waited:
                self.waited = True
                both.wait(20)
            return super().get(key, limit)

    peers = ("bob-1", "cyd-1")
    found = seen(
        world,
        {name: BoundedStore(Waiting(world[name].store), PeerBudget(seconds=30)) for name in peers},
    )
    assert not both.broken
    assert reasons(found) == set()
    assert found.artefacts[0].matched == ("ada", "bob", "cyd")
