"""What is on record against a log: proofs of forks of anybody, and refusals of the own witness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.audit.forks import find_forks
from pipelines.audit.log_faults import LogFault, has_begun, log_faults
from pipelines.audit.source import Source
from pipelines.evidence.statements.log_status import Complaint
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.witness import WitnessOutcome, origin_folder
from pipelines.policy import Policy
from pipelines.policy.model import PolicyLog
from tests.audit.test_witnessed import ANY, NAMES, Watched
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN, identity, log
from tests.log.logs import KEY, entries, opened

FOLDER = origin_folder(ORIGIN)


class Accused(Watched):
    """A log of five leaves that asia has cosigned, and policies in which asia is a center too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.grow(5, "asia")

    def show(self, leaves: range) -> None:
        """Let asia look at another log under the same key."""
        other = MemoryStore()
        opened(other, self.folder / f"other {leaves}").append(entries(leaves))
        assert self.witness("asia").cosign(other, identity(KEY)).outcome is WitnessOutcome.REFUSED

    def both(self) -> Policy:
        """Return a policy with east, whose log it is, and asia, which has a witness."""
        (east,) = self.policy(ANY).centers
        asia = replace(
            east,
            id="asia",
            operator="asia-body",
            log=PolicyLog(origin="asia.example", key=log("asia.example", "asia log").key),
            witness=self.witness("asia").key,
        )
        return replace(self.policy(ANY), centers=(east, asia))

    def faults(self, own: str = "asia", *also: Source) -> tuple[LogFault, ...]:
        sources = [Source(center=name, store=self.stores[name]) for name in NAMES]
        return log_faults(self.both(), [*also, *sources], own).faults


@pytest.fixture
def east(tmp_path: Path) -> Accused:
    return Accused(tmp_path)


def kinds(faults: tuple[LogFault, ...]) -> list[tuple[str, int, str, bool]]:
    return [(fault.center, fault.size, str(fault.complaint), fault.proved) for fault in faults]


def test_nothing_is_on_record_against_a_good_log(east: Accused) -> None:
    assert east.faults() == ()


def test_a_proof_of_a_fork_convicts_the_log_before_anybody(east: Accused) -> None:
    east.show(range(100, 105))
    assert kinds(east.faults("asia")) == [("east", 5, "forked", False), ("east", 5, "forked", True)]
    assert kinds(east.faults("south")) == [("east", 5, "forked", True)]


def test_a_refusal_is_the_word_of_the_own_witness(east: Accused) -> None:
    east.show(range(3))
    (fault,) = east.faults("asia")
    assert (fault.complaint, fault.size, fault.proved) == (Complaint.SHORTENED, 5, False)
    assert fault.record.startswith(f"{FOLDER}refused/shortened-")
    assert east.faults("south") == ()


def test_a_log_that_was_never_accepted_is_refused_at_no_size(east: Accused) -> None:
    witness = replace(east.witness("asia"), home=east.folder / "another home")
    other = MemoryStore()
    opened(other, east.folder / "other").append(entries(range(3)))
    assert witness.cosign(other, identity(log(word="stranger").key)).complaint is Complaint.UNSIGNED
    assert kinds(east.faults()) == [("east", 0, "unsigned", False)]


def test_the_same_fault_in_two_stores_is_one(east: Accused) -> None:
    east.show(range(100, 105))
    (name,) = (n for n in east.stores["asia"].objects if "/fork/" in n)
    east.stores["west"].put_record(name, east.stores["asia"].objects[name][0])
    assert kinds(east.faults("south")) == [("east", 5, "forked", True)]


def test_two_sizes_are_two_faults_in_order(east: Accused) -> None:
    east.show(range(100, 105))
    east.grow(9, "asia")
    east.show(range(100, 109))
    assert [f.size for f in east.faults("south")] == [5, 9]


@pytest.mark.parametrize("what", ["rubbish", "of another witness", "of another log", "unsigned"])
def test_a_refusal_that_was_made_up_accuses_nobody(east: Accused, what: str) -> None:
    east.show(range(3))
    (name,) = (n for n in east.stores["asia"].objects if "/refused/" in n)
    data = east.stores["asia"].objects.pop(name)[0]
    if what == "rubbish":
        data = b"{"
    if what == "unsigned":
        data = data.replace(b'"sig":"', b'"sig":"AAAA')
    if what == "of another witness":
        policy = east.policy(ANY, "south")
        east.stores["asia"].put_record(name, data)
        own = Source(center="east", store=east.stores["asia"])
        assert log_faults(policy, [own], "east").faults == ()
        return
    if what == "of another log":
        name = name.replace(FOLDER, origin_folder("asia.example"))
    east.stores["asia"].put_record(name, data)
    assert east.faults() == ()


def test_a_center_without_a_witness_has_refused_nothing(east: Accused) -> None:
    east.show(range(3))
    own = Source(center="east", store=east.stores["asia"])
    assert log_faults(east.both(), [own], "east").faults == ()


def test_what_is_too_much_to_be_read_is_told_and_the_last_is_read(
    east: Accused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that misbehaves again and again cannot so make all of it unreadable."""
    monkeypatch.setattr("pipelines.audit.witness_records.MAX_KEPT", 1)
    east.show(range(3))
    east.show(range(2))
    sources = [Source(center="asia", store=east.stores["asia"])]
    found = log_faults(east.both(), sources, "asia")
    assert kinds(found.faults) == [("east", 5, "shortened", False)]
    (unread,) = found.unread
    assert "asia keeps more than 1 records in refused/ about the log of east" in unread
    here = Source(center="east", store=east.store)
    forks = find_forks(east.both(), here, sources)
    assert (forks.unread, forks.refused) == (("asia",), ("asia: shortened",))


def test_a_proof_that_was_made_up_accuses_nobody(east: Accused) -> None:
    east.stores["west"].put_record(f"{FOLDER}fork/1.json", b"{}")
    assert east.faults() == ()


def test_a_store_that_does_not_answer_hides_no_other(east: Accused) -> None:
    east.show(range(100, 105))
    broken = MemoryStore()
    broken.fail_on("list")
    assert kinds(east.faults("south", Source(center="north", store=broken))) == [
        ("east", 5, "forked", True)
    ]


def test_a_log_has_begun_where_it_or_a_witness_shows_so(east: Accused) -> None:
    none: list[Source] = []
    asia = [Source(center="asia", store=east.stores["asia"])]
    here, gone = Source(center="east", store=east.store), MemoryStore()
    assert has_begun(east.both(), here, none)
    assert not has_begun(east.both(), Source(center="east", store=gone), none)
    assert has_begun(east.both(), Source(center="east", store=gone), asia), "it was there once"
    gone.put_latest(CHECKPOINT, b"rubbish")
    assert has_begun(east.both(), Source(center="east", store=gone), none)
