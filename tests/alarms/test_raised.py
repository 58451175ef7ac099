"""The alarms of a release: what raises one, what adds to it, and that nothing later ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from infra.bench.madeup import MadeUpFile
from pipelines.alarms.alarm import Leaf
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import ConsensusRules
from tests.alarms.alarming import OTHER, alarms, run_id, served
from tests.consensus.world import CONTENT, FILE, FILES, World


def causes(world: World) -> list[str]:
    return [str(alarm.cause) for alarm in alarms(world)]


def alone() -> World:
    """Return one center, of which one finding is enough."""
    made = World("ada")
    made.rules = ConsensusRules(k=1)
    return made


def test_centers_that_agree_raise_none(world: World) -> None:
    assert causes(world) == []


def test_another_file_that_was_served_once_stays_an_alarm(world: World) -> None:
    bob = world["bob-1"]
    bob.run(run=run_id(3), files=served(b"something else"))
    (alarm,) = alarms(world)
    assert (alarm.cause, alarm.release, alarm.center) == (
        "shipped-mismatch",
        "acme/tool@1.0",
        "bob-1",
    )
    assert (alarm.since, alarm.leaves) == (run_id(3), (Leaf(log="bob-1", index=6),))
    for number in (4, 5):
        bob.run(run=run_id(number))
    assert alarms(world) == (alarm,)
    assert world.result() == "CONFIRMED"


def test_the_same_file_again_is_the_same_alarm(world: World) -> None:
    for number in (3, 4):
        world["bob-1"].run(run=run_id(number), files=served(b"something else"))
    (alarm,) = alarms(world)
    assert [leaf.index for leaf in alarm.leaves] == [6]
    assert alarm.runs == {run_id(3), run_id(4)}


def test_a_file_that_is_served_again_after_the_right_one_is_another_alarm(world: World) -> None:
    for number, files in ((3, served(b"wrong")), (4, FILES), (5, served(b"wrong"))):
        world["bob-1"].run(run=run_id(number), files=files)
    assert [alarm.since for alarm in alarms(world)] == [run_id(3), run_id(5)]


def test_two_other_files_are_two_alarms(world: World) -> None:
    for number in (3, 4):
        world["bob-1"].run(run=run_id(number), files=served(f"file {number}".encode()))
    assert causes(world) == ["shipped-mismatch", "shipped-mismatch"]


def test_other_bytes_of_enough_operators_stay_suspect() -> None:
    world = World("ada", "bob")
    for center in ("ada-1", "bob-1"):
        world[center].run(files=OTHER)
    (alarm,) = alarms(world)
    assert (alarm.cause, {leaf.log for leaf in alarm.leaves}) == ("suspect", {"ada-1", "bob-1"})
    assert world.result() == "SUSPECT"
    for center in ("ada-1", "bob-1"):
        world[center].run(run=run_id(5))
    assert world.result() != "SUSPECT"
    assert alarm in alarms(world)


def test_the_same_other_bytes_by_two_scopes_are_not_one_finding() -> None:
    world = World("ada", "bob")
    world["ada-1"].run(files=OTHER)
    scope = DigestSet(sha256=Digest.of(b"another scope"))
    world["bob-1"].run(files=OTHER, scope=scope)
    assert "suspect" not in causes(world)


def test_a_file_that_nobody_built_is_suspect_too() -> None:
    world = alone()
    missing = MadeUpFile(published=CONTENT, served=CONTENT, built=None, verdict=Verdict.MISSING)
    world["ada-1"].run(files={FILE: missing, "other.deb": MadeUpFile.identical(b"other")})
    (alarm,) = alarms(world)
    assert (alarm.cause, alarm.text) == ("suspect", "tool.deb: ada built no such file")


def test_other_bytes_of_too_few_operators_are_not_suspect(world: World) -> None:
    world["bob-1"].run(run=run_id(3), files=OTHER)
    assert causes(world) == ["split"]


def test_rebuilding_the_same_other_bytes_is_one_alarm() -> None:
    world = alone()
    for number in (1, 2, 3):
        world["ada-1"].run(run=run_id(number), files=OTHER)
    (alarm,) = alarms(world)
    assert (alarm.cause, len(alarm.leaves), len(alarm.runs)) == ("suspect", 1, 3)


def test_a_run_between_that_could_not_build_does_not_begin_it_anew() -> None:
    world = alone()
    unbuilt = MadeUpFile(published=CONTENT, served=None, built=None, verdict=Verdict.NOT_CHECKED)
    world["ada-1"].run(run=run_id(1), files=OTHER)
    world["ada-1"].run(run=run_id(2), files={FILE: unbuilt}, outcome=Outcome.BUILD_FAILED)
    world["ada-1"].run(run=run_id(3), files=OTHER)
    (alarm,) = alarms(world)
    assert len(alarm.leaves) == 1


def test_rebuilding_still_other_bytes_is_another_alarm() -> None:
    world = alone()
    for number in (1, 2):
        other = {FILE: MadeUpFile.different(CONTENT, f"bytes {number}".encode())}
        world["ada-1"].run(run=run_id(number), files=other)
    assert causes(world) == ["suspect", "suspect"]


def test_a_split_begins_where_somebody_dissents(world: World) -> None:
    world["bob-1"].run(run=run_id(3), files=OTHER)
    (alarm,) = alarms(world)
    assert (alarm.cause, {leaf.log for leaf in alarm.leaves}) == ("split", {"bob-1"})
    world["bob-1"].run(run=run_id(4))
    assert causes(world) == ["split"], "an operator that found two things contradicts itself"


@pytest.mark.parametrize("unbuilt", [False, True])
def test_a_split_by_a_run_that_states_nothing_begins_at_its_commitment(
    world: World, *, unbuilt: bool
) -> None:
    """It has no finding that could be shown, or the match of another run."""
    bob = world["bob-1"]
    made, at = bob.made(run=run_id(3)), len(bob.log)
    bob.commit(made)
    if unbuilt:
        nothing = MadeUpFile(
            published=CONTENT, served=None, built=None, verdict=Verdict.NOT_CHECKED
        )
        bob.publish(
            replace(made, outcome=Outcome.BUILD_FAILED, files={FILE: nothing}, by_products={})
        )
    bob.overdue = len(bob.log)
    split = next(alarm for alarm in alarms(world) if alarm.cause == "split")
    assert (split.center, split.leaves) == ("bob-1", (Leaf(log="bob-1", index=at),))
    assert (split.since, set(split.runs)) == (run_id(3), {run_id(3)})


def test_a_run_that_states_nothing_splits_those_who_match_though_nothing_else_is_known_of_it() -> (
    None
):
    world = World("ada", "bob", "cyd")
    for name in ("ada-1", "bob-1"):
        world[name].run()
    cyd = world["cyd-1"]
    cyd.commit(cyd.made(run=run_id(3)))
    cyd.overdue = len(cyd.log)
    assert causes(world) == ["split", "abandoned"]


def test_a_statement_that_is_withheld(world: World) -> None:
    bob = world["bob-1"]
    (gone,) = (key for key in bob.store.objects if key.endswith("comparison-1.dsse.json"))
    index = next(iter(bob.about.results.values()))
    del bob.store.objects[gone]
    assert causes(world) == [], "it may be there tomorrow"
    bob.reported = {index}
    (alarm,) = alarms(world)
    assert (alarm.cause, alarm.center) == ("withheld", "bob-1")
    assert Leaf(log="bob-1", index=index) in alarm.leaves


def test_a_match_that_was_not_committed_to(world: World) -> None:
    world["bob-1"].run(run=run_id(3), committed=False)
    (alarm,) = alarms(world)
    assert (alarm.cause, alarm.center, len(alarm.leaves)) == ("withheld", "bob-1", 1)


def test_what_an_honest_center_leaves_behind_is_none(world: World) -> None:
    bob = world["bob-1"]
    bob.commit(bob.made(run=run_id(3)))
    bob.witnessed = len(bob.log) - 2
    assert causes(world) == []
