"""Releases that are joined again, and those of which nothing has changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import StoreError
from infra.bench.madeup import MadeUpFile
from pipelines.evidence.statements.people import Decision
from pipelines.evidence.statements.statement import DigestSet
from pipelines.nightly import periodic
from pipelines.nightly.periodic import JoinSummary, join_everything, join_round
from pipelines.policy import ConsensusRules
from pipelines.policy.reviews.count import ReviewTarget
from pipelines.policy.reviews.review_records import REVIEWS, sign_reviews
from pipelines.storage.bounded import BoundedStore, PeerBudget
from pipelines.storage.directory import DirectoryStore
from tests.alarms.alarming import served
from tests.consensus.conftest import centers
from tests.consensus.two_centers import NAMES, TwoCenters, law
from tests.consensus.world import CONTENT, FILE, LATER, RELEASE

__all__ = ["centers"]


@pytest.fixture(autouse=True)
def _none_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.nightly.settled.AGAIN", 0)


def joined(centers: TwoCenters) -> JoinSummary:
    return join_round(centers.session("europe"), [str(RELEASE)])


def both(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)


def add_run(centers: TwoCenters) -> None:
    centers.publish("asia", run=LATER)


def add_policy(centers: TwoCenters) -> None:
    centers.sign_policy(version=2, rules=ConsensusRules(k=1))


def change_recipe(centers: TwoCenters) -> None:
    path = centers.root / "recipes/releases/acme/tool/1.0.yaml"
    path.write_text(path.read_text() + "# a comment\n")


def add_review(centers: TwoCenters) -> None:
    claim = centers.publish("asia", run="20250103T030405Z-00000003").claim
    joined(centers)
    source = DigestSet(sha256=Digest.of(b"tree"))
    target = ReviewTarget(sources=(source,), claim=claim, scope=source)
    sign_reviews(
        target,
        DirectoryStore(centers.root / "europe" / "store"),
        key=law("reviewer"),
        reviewer="rita",
        decision=Decision.APPROVE,
        now=datetime.now(UTC),
    )


def test_a_release_is_not_joined_again_while_nothing_has_changed(centers: TwoCenters) -> None:
    both(centers)
    first, second = joined(centers), joined(centers)
    assert [one.exit_code for one in first.joined] == [0]
    assert (second.joined, second.unchanged) == ((), 1)
    assert str(second) == "0 joined, 1 unchanged, 0 behind, 0 failed"


@pytest.mark.parametrize("change", [add_run, add_policy, change_recipe, add_review])
def test_what_a_consensus_depends_on_has_it_joined_again(
    centers: TwoCenters, change: Callable[[TwoCenters], None]
) -> None:
    both(centers)
    joined(centers)
    change(centers)
    assert [len(joined(centers).joined) for _ in range(2)] == [1, 0]


def test_a_release_of_which_somebody_is_accused_is_joined_in_each_round(
    centers: TwoCenters,
) -> None:
    centers.publish("europe")
    centers.publish("asia", files={FILE: MadeUpFile.different(CONTENT, b"other bytes")})
    assert [[a.result for a in joined(centers).joined[0].artefacts] for _ in range(2)] == [
        ["SPLIT"],
        ["SPLIT"],
    ]


def test_a_release_with_an_alarm_of_an_older_run_is_joined_in_each_round(
    centers: TwoCenters,
) -> None:
    centers.publish("europe")
    centers.publish("asia", files=served(b"another"))
    centers.publish("asia", run=LATER)
    for _ in range(2):
        assert [alarm.cause for alarm in joined(centers).raised] == ["shipped-mismatch"]


def test_a_release_is_joined_again_until_everything_of_it_was_read(centers: TwoCenters) -> None:
    both(centers)
    store = centers.root / "asia" / "store"
    records = [path for path in store.rglob("comparison-*") if path.is_file()]
    hidden = [path.rename(path.with_suffix(".hidden")) for path in records]
    for _ in range(2):
        (one,) = joined(centers).joined
        assert "missing" in {e.reason for e in one.excluded}
    for path, record in zip(hidden, records, strict=True):
        path.rename(record)
    assert [len(joined(centers).joined) for _ in range(2)] == [1, 0]


def test_a_peer_that_is_down_says_nothing_new(centers: TwoCenters) -> None:
    both(centers)
    joined(centers)
    store = centers.root / "asia" / "store"
    away = store.rename(store.with_name("away"))
    store.write_text("not a folder")
    assert joined(centers).unchanged == 1
    store.unlink()
    away.rename(store)
    assert joined(centers).unchanged == 1


def test_in_each_round_some_are_joined_again(
    centers: TwoCenters, monkeypatch: pytest.MonkeyPatch
) -> None:
    both(centers)
    joined(centers)
    monkeypatch.setattr("pipelines.nightly.settled.AGAIN", 1)
    assert [len(joined(centers).joined) for _ in range(2)] == [1, 1]


def test_what_is_damaged_is_made_anew(centers: TwoCenters) -> None:
    both(centers)
    joined(centers)
    path = centers.center("europe").home / "cache" / "settled.sqlite"
    for one in path.parent.glob("settled.sqlite*"):
        one.write_bytes(b"no database")
    assert [len(joined(centers).joined) for _ in range(2)] == [1, 0]
    assert sqlite3.connect(path).execute("SELECT count(*) FROM settled").fetchone() == (1,)


def in_the_way(path: Path) -> None:
    path.unlink()
    path.mkdir()


def no_space(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        full = "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        database.execute(f"CREATE TRIGGER no_space BEFORE INSERT ON settled {full}")


@pytest.mark.parametrize("spoil", [in_the_way, no_space])
def test_a_file_that_cannot_be_used_has_everything_joined(
    centers: TwoCenters, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    both(centers)
    joined(centers)
    path = centers.center("europe").home / "cache" / "settled.sqlite"
    spoil(path)
    add_run(centers)
    for _ in range(2):
        caplog.clear()
        assert str(joined(centers)) == "1 joined, 0 unchanged, 0 behind, 0 failed"
        (told,) = (one.getMessage() for one in caplog.records if one.levelname == "WARNING")
        assert told.startswith(f"{path} cannot be used")


def test_a_review_that_could_not_be_read_is_looked_at_in_the_next_round(
    centers: TwoCenters, monkeypatch: pytest.MonkeyPatch
) -> None:
    both(centers)
    add_review(centers)
    read = DirectoryStore.get

    def unread(self: DirectoryStore, key: str, limit: int) -> bytes:
        if key.startswith(REVIEWS):
            raise StoreError("no such device")
        return read(self, key, limit)

    with monkeypatch.context() as broken:
        broken.setattr(DirectoryStore, "get", unread)
        assert joined(centers).unchanged == 1
    assert [len(joined(centers).joined) for _ in range(2)] == [1, 0]


def test_every_release_with_a_recipe_is_joined(centers: TwoCenters) -> None:
    both(centers)
    folder = centers.root / "recipes/releases/acme/tool"
    (folder / "2.0.yaml").write_text("no recipe")
    (folder.parent / "notes.yaml").write_text("of no release")
    found = join_everything(centers.session("europe"))
    assert [str(one.release) for one in found.joined] == [str(RELEASE)]
    assert [name for name, _ in found.failed] == ["acme/tool@2.0"]


def test_a_fault_of_ours_that_one_release_shows_costs_no_other_its_turn(
    centers: TwoCenters, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    both(centers)

    def fails(*_: object) -> None:
        raise IndexError("a case that nobody thought of")

    monkeypatch.setattr(periodic, "release_alarms", fails)
    found = joined(centers)
    assert found.failed == ((str(RELEASE), "a case that nobody thought of"),)
    assert "IndexError" in caplog.text, "with its traceback"


def test_releases_of_a_peer_that_is_behind_are_joined_in_further_rounds(
    centers: TwoCenters, monkeypatch: pytest.MonkeyPatch
) -> None:
    both(centers)
    session = centers.session("europe")

    class Growing(PeerBudget):
        """Of the first round it is too small."""

        def renew(self, *, after: float = 0.0) -> None:
            self.size *= 1 if after else 100
            super().renew(after=after)

    budget = Growing(size=5000)
    store = DirectoryStore(centers.root / "asia" / "store")
    monkeypatch.setitem(session.__dict__, "peer_stores", {"asia": BoundedStore(store, budget)})
    found = join_round(session, [str(RELEASE)])
    assert budget.size == 500_000, "one more round was enough"
    assert (found.behind, [one.exit_code for one in found.joined]) == ({}, [0])


def test_a_peer_that_makes_no_progress_ends_the_rounds(
    centers: TwoCenters, monkeypatch: pytest.MonkeyPatch
) -> None:
    both(centers)
    session = centers.session("europe")
    store = DirectoryStore(centers.root / "asia" / "store")
    monkeypatch.setitem(
        session.__dict__, "peer_stores", {"asia": BoundedStore(store, PeerBudget(size=10))}
    )
    found = join_round(session, [str(RELEASE)])
    assert found.behind == {RELEASE: frozenset({"asia"})}
    assert str(found) == "1 joined, 0 unchanged, 1 behind, 0 failed"
