"""The states of runs, and what counts of one that committed and did not state what it found."""

from __future__ import annotations

from typing import Any

import pytest

from builders.core.enums import Outcome, Verdict
from infra.bench.madeup import MadeUpFile
from pipelines.audit.center_audit import audit_center
from pipelines.audit.source import Source
from pipelines.consensus.release_consensus import consensus_of
from tests.consensus.findings import OTHER_CLAIM
from tests.consensus.world import CONTENT, EARLIER, FILE, LATER, RELEASE, World, reasons

NOT_COMPARED = MadeUpFile(published=CONTENT, served=None, built=None, verdict=Verdict.NOT_CHECKED)
UNBUILT: dict[str, Any] = {
    "outcome": Outcome.BUILD_FAILED,
    "files": {FILE: NOT_COMPARED},
    "by_products": {},
}
DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}


@pytest.fixture
def world() -> World:
    """Ada and Cyd match; what is asked is what Bob does beside them."""
    world = World("ada", "bob", "cyd")
    world["ada-1"].run()
    world["cyd-1"].run()
    return world


def states(world: World, center: str = "bob-1") -> list[tuple[str | None, str]]:
    source = Source(center=center, store=world[center].store)
    found = audit_center(world.reader, source, RELEASE)
    return [(run.run, str(run.state)) for run in found.runs]


def stand(world: World, operator: str = "bob") -> str | None:
    (found,) = world.consensus().artefacts
    return next((str(o.conclusion) for o in found.operators if o.operator == operator), None)


def test_a_commitment_is_open_once_it_is_witnessed_and_abandoned_after_the_time_for_it(
    world: World,
) -> None:
    bob = world["bob-1"]
    bob.commit(bob.made(run=EARLIER))
    bob.witnessed = 0
    assert states(world) == [(None, "committed")]
    bob.witnessed = 1
    assert states(world) == [(None, "open")]
    assert ("bob-1", "open") in reasons(world.consensus())
    assert (world.result(), stand(world)) == ("CONFIRMED", None)
    bob.overdue = 1
    assert states(world) == [(EARLIER, "abandoned")]
    assert ("bob-1", "abandoned") in reasons(world.consensus())
    assert (world.result(), stand(world)) == ("SPLIT", "abandoned")


def test_an_abandoned_run_dissents_from_its_own_claim_alone(world: World) -> None:
    bob = world["bob-1"]
    bob.commit(bob.made(run=EARLIER, claim=OTHER_CLAIM))
    bob.overdue = 1
    assert states(world) == [(EARLIER, "abandoned")]
    assert (world.result(), stand(world)) == ("CONFIRMED", None)


@pytest.mark.parametrize("end", ["of the key", "of the log"])
def test_a_run_that_is_stated_beyond_an_end_which_its_commitment_is_below_is_abandoned(
    world: World, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Otherwise to end a key, or to fork a log, would be a way to drop a run.

    A key that a center has used for longer ends later: the next policy says so.
    """
    bob = world["bob-1"]
    made = bob.made(run=EARLIER)
    bob.commit(made)
    cut = len(bob.log)
    bob.publish(made, committed=False)
    bob.overdue = cut
    whole, index_of = bob.about, world.index_of
    if end == "of the key":
        bob.end = cut
    else:  # which its operators have accepted, after a fork
        below = lambda center, pae: None if center == "bob-1" else index_of(center, pae)  # noqa: E731
        monkeypatch.setattr(world, "index_of", below)
        bob.about = whole.before(cut)
    assert states(world) == [(EARLIER, "abandoned")]
    assert (world.result(), stand(world)) == ("SPLIT", "abandoned")
    monkeypatch.undo()
    bob.end, bob.about = None, whole
    assert states(world) == [(EARLIER, "stated")]
    assert world.result() == "CONFIRMED"


def test_an_honest_crash_costs_nothing_however_late_the_run_is_completed(world: World) -> None:
    bob = world["bob-1"]
    made = bob.made(run=EARLIER)
    bob.commit(made)
    bob.overdue = 1
    bob.publish(made, committed=False)
    assert states(world) == [(EARLIER, "stated")]
    assert (world.result(), stand(world)) == ("CONFIRMED", "match")
    assert reasons(world.consensus()) == set()


@pytest.mark.parametrize("later", [False, True])
def test_a_match_does_not_outweigh_a_run_that_was_abandoned(world: World, *, later: bool) -> None:
    bob = world["bob-1"]
    if later:
        bob.commit(bob.made(run=EARLIER))
    bob.run(run=LATER)
    if not later:
        bob.commit(bob.made(run=EARLIER))
    bob.overdue = len(bob.log)
    assert stand(world) == "abandoned"
    assert world.result() == "SPLIT"


def test_an_abandoned_run_leaves_a_mismatch_what_it_is(world: World) -> None:
    bob = world["bob-1"]
    bob.run(run=LATER, files=DIFFERENT)
    bob.commit(bob.made(run=EARLIER))
    bob.overdue = len(bob.log)
    assert stand(world) == "mismatch"


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.BUILT])
def test_after_a_commitment_any_outcome_but_built_is_dissent(
    world: World, outcome: Outcome
) -> None:
    """So a center that has seen a difference cannot say that its build had failed."""
    bob = world["bob-1"]
    bob.commit(bob.made())
    bob.publish(bob.made(**{**UNBUILT, "outcome": outcome}))
    assert ("bob-1", "failed-after-commitment") in reasons(world.consensus())
    assert (world.result(), stand(world)) == ("SPLIT", "failed-after-commitment")


def test_who_failed_without_a_commitment_counts_neither_way(world: World) -> None:
    world["bob-1"].run(**UNBUILT)
    assert [state for _, state in states(world)] == ["failed"]
    assert (world.result(), stand(world)) == ("CONFIRMED", "could-not-build")


@pytest.mark.parametrize("record", ["comparison-1.dsse.json", "attempt-1.dsse.json"])
@pytest.mark.parametrize("junk", [None, b"{}"], ids=["gone", "damaged"])
def test_half_of_the_statements_do_not_keep_a_commitment_from_being_abandoned(
    world: World, record: str, junk: bytes | None
) -> None:
    """Nor does a record that cannot be read, nor one that its log has not."""
    bob = world["bob-1"]
    made = bob.made()
    bob.commit(made)
    (name,) = [n for n in bob.publish(made, committed=False, logged=False).values() if record in n]
    del bob.store.objects[name]
    if junk is not None:
        bob.store.objects[name] = [junk]
    assert [state for _, state in states(world)] == ["open"]
    bob.overdue = 1
    assert [state for _, state in states(world)] == ["abandoned"]
    assert (world.result(), stand(world)) == ("SPLIT", "abandoned")


@pytest.mark.parametrize("changes", [{"by_products": {"x": b"y"}}, {"claim": OTHER_CLAIM}])
def test_a_run_that_states_something_else_has_not_fulfilled_its_commitment(
    world: World, changes: dict[str, Any]
) -> None:
    bob = world["bob-1"]
    bob.commit(bob.made())
    bob.publish(bob.made(**changes), committed=False)
    bob.overdue = len(bob.log)
    assert [state for _, state in states(world)] == ["abandoned"]
    assert (world.result(), stand(world)) == ("SPLIT", "abandoned")


def test_nothing_is_abandoned_while_its_statements_may_be_among_those_that_are_missing(
    world: World,
) -> None:
    bob = world["bob-1"]
    names = bob.run()
    del bob.store.objects[names["attempt-1.dsse.json"]]
    bob.overdue = len(bob.log)
    assert [state for _, state in states(world)] == ["open"]
    assert stand(world) is None


def test_an_older_run_is_superseded_and_its_mismatch_still_counts(world: World) -> None:
    bob = world["bob-1"]
    bob.run(run=EARLIER, files=DIFFERENT)
    bob.run(run=LATER)
    assert states(world) == [(EARLIER, "superseded"), (LATER, "stated")]
    assert (world.result(), stand(world)) == ("SPLIT", "contradicts-itself")


@pytest.mark.parametrize(
    "changes",
    [{"claim": OTHER_CLAIM}, {"scope": OTHER_CLAIM}, UNBUILT],
    ids=["claim", "scope", "failed"],
)
def test_a_run_of_another_claim_or_scope_or_without_a_build_supersedes_nothing(
    world: World, changes: dict[str, Any]
) -> None:
    bob = world["bob-1"]
    bob.run(run=EARLIER)
    bob.run(run=LATER, **changes)
    assert states(world)[0] == (EARLIER, "stated")


def test_nobody_can_build_and_one_has_abandoned_its_run() -> None:
    world = World("ada", "bob")
    world["ada-1"].run(**UNBUILT)
    bob = world["bob-1"]
    bob.commit(bob.made())
    bob.overdue = 1
    assert world.result() == "PENDING"


def test_a_commitment_that_no_key_of_the_center_could_fulfil_accuses_nobody(world: World) -> None:
    bob = world["bob-1"]
    bob.run(run=EARLIER)
    bob.commit(bob.made(run=LATER))
    bob.start = bob.overdue = len(bob.log)
    assert states(world) == [(EARLIER, "incomplete"), (None, "open")]
    assert (world.result(), stand(world)) == ("CONFIRMED", None)


def lost(world: World, **made: Any) -> None:
    """Let Bob commit to a run, lose its outputs, and publish the lines of its seal."""
    bob = world["bob-1"]
    run = bob.made(run=EARLIER, **made)
    bob.commit(run)
    bob.lose(run)


def test_lines_of_a_seal_leave_the_run_open_until_it_would_be_abandoned(world: World) -> None:
    lost(world)
    assert (states(world), world.result()) == ([(EARLIER, "open")], "CONFIRMED")
    world["bob-1"].overdue = 1
    assert states(world) == [(EARLIER, "abandoned")]
    assert {why for center, why in reasons(world.consensus()) if center == "bob-1"} == {
        "outputs-lost"
    }


def test_who_holds_the_file_finds_it_in_the_seal_of_a_lost_run(world: World) -> None:
    """Ada has built it herself; a reader without the file cannot know."""
    lost(world)
    world["bob-1"].overdue = 1
    assert (world.result(), stand(world)) == ("CONFIRMED", None)
    (found,) = consensus_of(world.read(None), world.rules).artefacts
    assert [str(o.conclusion) for o in found.operators if o.operator == "bob"] == ["outputs-lost"]


@pytest.mark.parametrize("files", [DIFFERENT, {"other.deb": MadeUpFile.identical(CONTENT)}])
def test_a_lost_run_that_had_built_something_else_is_dissent(
    world: World, files: dict[str, MadeUpFile]
) -> None:
    lost(world, files=files)
    world["bob-1"].overdue = 1
    assert (world.result(), stand(world)) == ("SPLIT", "outputs-lost")


def test_lines_that_the_run_had_not_committed_to_are_none(world: World) -> None:
    bob = world["bob-1"]
    bob.commit(bob.made(run=EARLIER, files=DIFFERENT))
    bob.lose(bob.made(run=EARLIER))
    bob.overdue = 1
    assert (world.result(), stand(world)) == ("SPLIT", "abandoned")


def test_lines_do_not_excuse_a_run_that_says_it_could_not_build(world: World) -> None:
    bob = world["bob-1"]
    lost(world)
    bob.publish(bob.made(run=EARLIER, **UNBUILT))
    assert stand(world) == "failed-after-commitment"
