"""A log that forked: it counts for nothing until the operators have signed which history does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builders.core.digest import Digest
from pipelines.audit.forks import LogForks, find_forks
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import Source
from pipelines.log.errors import ForkedLogError, LogError
from pipelines.log.log_reader import LogReader
from pipelines.log.witness import WitnessOutcome, origin_folder
from pipelines.policy import Policy
from pipelines.policy.resolution import ForkResolution, LogTree
from tests.audit.test_witnessed import NAMES, TWO, Watched
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN, identity
from tests.log.logs import KEY, entries, opened

REASON = "the store was restored from a snapshot"


def pae(number: int) -> Digest:
    """Return the digest of the statement that entry `number` of a log is about."""
    return Digest.of(b"%d" % number)


class Forked(Watched):
    """A log of five leaves that all witnesses have cosigned; asia has a proof of a fork."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.grow(5, *NAMES)
        self.other = MemoryStore()
        opened(self.other, self.folder / "other").append(entries(range(100, 105)))
        assert self.witness("asia").cosign(self.other, identity(KEY)).outcome is (
            WitnessOutcome.REFUSED
        )

    def tree(self, store: MemoryStore, size: int = 5) -> LogTree:
        return LogTree.of(LogReader(store, identity(KEY)).tree(size))

    def resolution(self) -> ForkResolution:
        """Return what accepts the log as it was witnessed."""
        return ForkResolution(
            log=ORIGIN,
            accepted=self.tree(self.store),
            rejected=(self.tree(self.other),),
            reason=REASON,
        )

    def resolved(self, *found: ForkResolution) -> Policy:
        return replace(self.policy(TWO), resolutions=found or (self.resolution(),))

    def sources(self) -> list[Source]:
        return [Source(center=name, store=self.stores[name], peer=True) for name in NAMES]

    def index(self, *found: ForkResolution) -> LogIndex:
        return LogIndex({"east": self.store}, self.resolved(*found), witnesses=self.sources())

    def forks(self, policy: Policy) -> LogForks:
        return find_forks(policy, Source(center="east", store=self.store), self.sources())


@pytest.fixture
def log(tmp_path: Path) -> Forked:
    return Forked(tmp_path)


def test_a_fork_stops_the_log_until_it_is_resolved(log: Forked) -> None:
    with pytest.raises(ForkedLogError, match="not what it has signed"):
        log.part(TWO)
    found = log.index()
    assert found.witnessed("east").size == 5
    assert found.index_of("east", pae(0)) == 0


def test_what_lies_on_the_rejected_history_never_counts(log: Forked) -> None:
    right = log.resolution()
    assert log.index(right).index_of("east", pae(100)) is None
    log.store.objects = log.other.objects  # and the log shows that one from now on
    with pytest.raises(LogError, match="not the history that its operators have accepted"):
        log.index(right).index_of("east", pae(100))


def test_the_log_ends_where_the_accepted_history_ends(log: Forked) -> None:
    shorter = replace(log.resolution(), accepted=log.tree(log.store, 2))
    found = log.index(shorter)
    assert [found.index_of("east", pae(n)) for n in (1, 2)] == [1, None]
    whole = log.index()
    for number, leaves in ((2, "unknown"), (3, "commitments")):
        release = f"vendor/product@{number}"
        assert getattr(whole.about("east", release), leaves)
        assert not getattr(found.about("east", release), leaves)


def test_a_cosignature_of_the_rejected_history_witnesses_nothing(
    log: Forked, tmp_path: Path
) -> None:
    """The operators accept what the log shows, and only the other history was cosigned by two."""
    stores = {name: MemoryStore() for name in NAMES}
    log.stores |= stores
    for name in ("south", "west"):
        witness = replace(log.witness(name), home=tmp_path / f"new {name}")
        assert witness.cosign(log.other, identity(KEY)).size == 5
    assert log.index().witnessed("east").size == 0


@pytest.mark.parametrize("change", ["another-log", "another-fork", "other-history", "too-long"])
def test_a_resolution_of_something_else_resolves_nothing(log: Forked, change: str) -> None:
    right = log.resolution()
    odd = LogTree(size=5, root="e" * 64)
    wrong = {
        "another-log": replace(right, log="log.example/another"),
        "another-fork": replace(right, rejected=(odd,)),
        "other-history": replace(right, accepted=right.rejected[0], rejected=(right.accepted,)),
        "too-long": replace(right, accepted=replace(right.accepted, size=6)),
    }
    with pytest.raises(LogError):
        log.index(wrong[change]).witnessed("east")


def test_a_fork_that_came_to_light_later_stops_the_log_again(log: Forked, tmp_path: Path) -> None:
    third = MemoryStore()
    opened(third, tmp_path / "third").append(entries(range(200, 205)))
    log.witness("west").cosign(third, identity(KEY))
    with pytest.raises(ForkedLogError, match="not what it has signed"):
        log.index().witnessed("east")
    both = replace(log.resolution(), rejected=(log.tree(log.other), log.tree(third)))
    assert log.index(both).witnessed("east").size == 5


def test_what_its_key_signs_beyond_the_end_of_the_log_stops_it_no_more(
    log: Forked, tmp_path: Path
) -> None:
    """Whoever has the key could otherwise take back what the operators have decided."""
    longer = MemoryStore()
    opened(longer, tmp_path / "longer").append(entries(range(300, 309)))
    new = replace(log.witness("west"), home=tmp_path / "new west")
    assert new.cosign(longer, identity(KEY)).size == 9
    assert log.index().witnessed("east").size == 5


def test_people_are_told_what_contradicts_a_log_and_what_to_put_into_the_policy(
    log: Forked,
) -> None:
    found = log.forks(log.policy(TWO))
    assert (found.center, found.size, found.proposed) == ("east", 5, log.tree(log.store))
    assert found.conflicts == found.unresolved == (log.tree(log.other),)
    assert log.forks(log.resolved()).conflicts == found.conflicts
    assert log.forks(log.resolved()).unresolved == ()
    log.grow(7)
    assert log.forks(log.policy(TWO)).proposed.size == 5, "as far as witnesses have seen it"


def test_a_refusal_is_told_if_its_witness_has_signed_it(log: Forked) -> None:
    """A bare refusal, of a log that was not there, stops nothing."""
    center = replace(
        log.policy(TWO).centers[0], id="asia", operator="asia", witness=log.witness("asia").key
    )
    policy = replace(log.resolved(), centers=(*log.policy(TWO).centers, center))
    log.stores["west"].put_record(f"{origin_folder(ORIGIN)}refused/x.dsse.json", b"{}")
    assert log.forks(policy).refused == ("asia: forked",)
    assert log.forks(log.resolved()).refused == (), "no center of the policy has that key"
    other = replace(center, witness=log.witness("south").key)
    assert log.forks(replace(policy, centers=(policy.centers[0], other))).refused == ()


def test_a_log_without_a_fork_has_nothing_to_decide(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.grow(5, *NAMES)
    sources = [Source(center=n, store=watched.stores[n], peer=True) for n in NAMES]
    found = find_forks(watched.policy(TWO), Source(center="east", store=watched.store), sources)
    assert (found.conflicts, found.unresolved) == ((), ())
