"""How much of a log counts: what a quorum of the policy's witnesses has cosigned, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders.core.digest import canonical_json
from infra.bench.madeup import EMPTY_POLICY
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import Source
from pipelines.audit.witnessed import Witnessed
from pipelines.log.errors import ForkedLogError, LogError
from pipelines.log.fork import TYPE
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.witness import Witness, WitnessOutcome, origin_folder
from pipelines.log.writer import LogWriter
from pipelines.policy import Policy, PolicyCenter
from pipelines.policy.model import PolicyLog
from pipelines.policy.quorum import Quorum
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN, FixedKey, identity
from tests.log.logs import KEY, entries, opened

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAMES = ("asia", "south", "west")


@dataclass
class Watched:
    """The log of a center, and three witnesses with stores of their own."""

    folder: Path
    store: MemoryStore = field(default_factory=MemoryStore)
    stores: dict[str, MemoryStore] = field(
        default_factory=lambda: {n: MemoryStore() for n in NAMES}
    )

    after: timedelta = timedelta()
    """How long after noon the witnesses look."""
    max_open: int | None = None

    def __post_init__(self) -> None:
        self.log: LogWriter = opened(self.store, self.folder / "log")

    def witness(self, name: str) -> Witness:
        return Witness(
            home=self.folder / name,
            store=self.stores[name],
            private=FixedKey(name),
            name=f"{name}.example/witness",
            clock=lambda: NOON + self.after,
        )

    def grow(self, size: int, *witnesses: str) -> None:
        """Let the log grow to a size, and have witnesses cosign that."""
        self.log.append(entries(range(size)))
        for name in witnesses:
            assert self.witness(name).cosign(self.store, identity(KEY)).size == size

    def policy(self, quorum: str, own: str | None = None) -> Policy:
        lines = "".join(f"witness {name} {self.witness(name).key}\n" for name in NAMES)
        center = PolicyCenter(
            id="east",
            operator="east-body",
            region="east",
            builder="builder",
            verifier="verifier",
            log=PolicyLog(origin=ORIGIN, key=KEY),
            keys=(),
            witness=self.witness(own).key if own else None,
        )
        return replace(
            EMPTY_POLICY,
            centers=(center,),
            quorum=Quorum.parse(lines + quorum),
            max_open=self.max_open,
        )

    def part(
        self, quorum: str, *, own: str | None = None, seen: Iterable[str] = NAMES
    ) -> Witnessed:
        sources = [Source(center=name, store=self.stores[name], peer=True) for name in seen]
        policy = self.policy(quorum, own)
        return LogIndex({"east": self.store}, policy, witnesses=sources).witnessed("east")


ANY = "group g any asia south west\nquorum g\n"
TWO = "group g 2 asia south west\nquorum g\n"


@pytest.fixture
def log(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_without_a_witness_nothing_counts_where_one_is_required(log: Watched) -> None:
    log.grow(5)
    assert log.part(ANY) == Witnessed(size=0, required=True)


def test_without_a_required_witness_all_counts_and_nobody_is_named(log: Watched) -> None:
    log.grow(5, "asia")
    assert log.part("quorum none\n") == Witnessed(size=5, required=False)


def test_what_came_after_the_cosignature_does_not_count(log: Watched) -> None:
    log.grow(5, "asia")
    log.grow(9)
    assert log.part(ANY) == Witnessed(size=5, required=True, witnesses=("asia",), on=NOON)


def test_who_cosigned_a_later_checkpoint_has_seen_its_beginning(log: Watched) -> None:
    """No two witnesses come by at the same size, and the log grows all the time."""
    for size, name in ((5, "asia"), (7, "south"), (9, "west")):
        log.grow(size, name)
    assert log.part(TWO) == Witnessed(size=7, required=True, witnesses=("south", "west"), on=NOON)


def test_of_a_witness_with_many_checkpoints_the_newest_count(
    log: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.audit.witnessed.MAX_CHECKPOINTS", 2)
    for size in (5, 7, 9):
        log.grow(size, "asia")
    assert log.part(ANY).size == 9


def test_one_witness_is_no_quorum_of_two_however_often_it_cosigns(log: Watched) -> None:
    for size in (5, 7, 9):
        log.grow(size, "asia")
    assert log.part(TWO).size == 0


def test_a_witness_of_the_same_operator_does_not_count(log: Watched) -> None:
    log.grow(5, "asia")
    assert log.part(ANY, own="asia").size == 0


def test_cosignatures_that_the_log_publishes_itself_count(log: Watched) -> None:
    log.grow(5, "asia")
    (record,) = (n for n in log.stores["asia"].list("public/log/witness/"))
    log.store.put_latest(CHECKPOINT, log.stores["asia"].get(record, 1 << 16))
    assert log.part(ANY, seen=()).witnesses == ("asia",)


def test_a_witness_that_does_not_answer_holds_nothing_up(log: Watched) -> None:
    log.grow(5, "asia", "south")
    log.stores["asia"].fail_on("list")
    assert log.part(ANY) == Witnessed(size=5, required=True, witnesses=("south",), on=NOON)


def test_rubbish_among_cosignatures_is_left_out(log: Watched) -> None:
    log.grow(5, "asia")
    (record,) = (n for n in log.stores["asia"].list("public/log/witness/"))
    for number, rubbish in enumerate((b"", b"\xff", b"x" * (1 << 20))):
        key = f"{record.rpartition('/')[0]}/{number + 90:020d}-1"
        log.stores["asia"].put_record(key, rubbish)
    assert log.part(ANY).size == 5


@pytest.mark.parametrize("size", [4, 5, 9])
def test_another_log_than_a_witness_has_seen_is_broken(
    log: Watched, tmp_path: Path, size: int
) -> None:
    """Shortened, or as long with another leaf, or longer on top of another leaf."""
    log.grow(5, "asia")
    other = MemoryStore()
    start = 0 if size < 5 else 100
    opened(other, tmp_path / "other").append(entries(range(start, start + size)))
    log.store.objects = other.objects
    with pytest.raises(LogError, match="not what it has signed") as caught:
        log.part(ANY)
    assert isinstance(caught.value, ForkedLogError) is (size >= 5)


def test_a_fork_that_is_shown_to_one_witness_alone_is_broken_for_all(
    log: Watched, tmp_path: Path
) -> None:
    """Asia saw another log of the same size; the quorum of the other two is met all the same."""
    other = MemoryStore()
    opened(other, tmp_path / "other").append(entries(range(100, 105)))
    assert log.witness("asia").cosign(other, identity(KEY)).size == 5
    log.grow(5, "south", "west")
    with pytest.raises(LogError, match="not what it has signed"):
        log.part(TWO)


def test_a_proof_of_a_fork_that_a_witness_keeps_stops_the_log(log: Watched, tmp_path: Path) -> None:
    """The log shows its first tree again to everybody; the witness has seen both."""
    log.grow(5, "asia", "south", "west")
    other = MemoryStore()
    opened(other, tmp_path / "other").append(entries(range(100, 105)))
    assert log.witness("asia").cosign(other, identity(KEY)).outcome is WitnessOutcome.REFUSED
    with pytest.raises(LogError, match="not what it has signed"):
        log.part(TWO)
    with pytest.raises(LogError, match="not what it has signed"):
        log.part(TWO, seen=("asia",))
    assert log.part(TWO, seen=("south", "west")).size == 5


def test_a_fork_that_a_witness_makes_up_stops_nothing(log: Watched) -> None:
    """Nobody without the log's key can sign for it, and a refusal alone proves nothing."""
    log.grow(5, "asia", "south")
    forged = canonical_json({"type": TYPE, "first": "x\n", "second": "y\n"})
    log.stores["asia"].put_record(f"{origin_folder(ORIGIN)}fork/{5:020d}-x.json", forged)
    log.stores["asia"].put_record(f"{origin_folder(ORIGIN)}refused/shortened-x.dsse.json", b"{}")
    assert log.part(TWO).size == 5


DAY = timedelta(days=1)


def seen(log: Watched, *sights: tuple[str, int, timedelta]) -> Watched:
    """Let witnesses cosign the log at a size, so long after noon by their own clocks."""
    for name, size, after in sights:
        log.after = after
        log.grow(size, name)
    return log


@pytest.mark.parametrize(
    ("between", "overdue"), [(DAY, 0), (DAY + timedelta(seconds=1), 5), (2 * DAY, 5)]
)
def test_leaves_are_overdue_once_a_witness_has_seen_them_for_longer_than_a_day(
    log: Watched, between: timedelta, overdue: int
) -> None:
    seen(log, ("asia", 5, timedelta()), ("asia", 9, between))
    assert log.part(ANY).overdue == overdue


def test_the_policy_says_how_long_that_is(log: Watched) -> None:
    seen(log, ("asia", 5, timedelta()), ("asia", 9, 2 * DAY))
    log.max_open = 48 * 3600
    assert log.part(ANY).overdue == 0
    log.max_open -= 1
    assert log.part(ANY).overdue == 5


def test_of_several_old_checkpoints_the_largest_is_overdue(log: Watched) -> None:
    seen(log, *(("asia", 2 + n, n * timedelta(hours=8)) for n in range(7)))
    assert log.part(ANY).overdue == 4


def test_one_witness_that_lies_about_the_time_does_not_make_a_leaf_overdue(log: Watched) -> None:
    seen(log, ("asia", 5, timedelta()), ("asia", 9, 900 * DAY))
    seen(log, ("south", 9, timedelta()), ("west", 9, timedelta()))
    assert log.part(TWO).overdue == 0


def test_nor_does_one_that_is_late_excuse_what_others_have_seen(log: Watched) -> None:
    both = ("asia", "south")
    seen(log, *((name, 5, timedelta()) for name in both), *((name, 9, 2 * DAY) for name in both))
    seen(log, ("west", 9, timedelta()))
    assert log.part(TWO).overdue == 5


def test_clocks_of_witnesses_are_not_compared_with_each_other(log: Watched) -> None:
    seen(log, ("asia", 5, timedelta()), ("south", 9, 9 * DAY), ("asia", 9, timedelta(hours=1)))
    assert log.part(ANY).overdue == 0


def test_the_own_witness_makes_nothing_overdue(log: Watched) -> None:
    seen(log, ("asia", 5, timedelta()), ("asia", 9, 2 * DAY), ("south", 9, timedelta()))
    assert log.part(ANY, own="asia").overdue == 0


def test_where_no_witness_is_required_nothing_is_overdue(log: Watched) -> None:
    seen(log, ("asia", 5, timedelta()), ("asia", 9, 2 * DAY))
    assert log.part("quorum none\n").overdue == 0


def test_a_name_without_a_time_is_passed_over(log: Watched) -> None:
    seen(log, ("asia", 5, timedelta()), ("asia", 9, 2 * DAY))
    folder = origin_folder(ORIGIN)
    for name in (f"{0:020d}-x", f"{0:020d}-{'9' * 5000}", f"{0:020d}"):
        log.stores["asia"].objects[folder + name] = [b"rubbish"]
    assert log.part(ANY).overdue == 5
