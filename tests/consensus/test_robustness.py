"""What a moved rebuild showed is no voice in a consensus, whatever it says and wherever it lies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.evidence.statements.rebuilds import RobustnessStatement
from tests.consensus.world import RELEASE, Site, World, reasons
from tests.evidence.examples import STATEMENTS

RUN = "20260102T030405Z-0a1b2c3d"


def told(site: Site, result: str, run: str = RUN) -> RobustnessStatement:
    """Return a test of the run, in which the artefact was left the same, or was not."""
    document: Any = STATEMENTS["robustness"].to_dict()
    same = result == "same"
    digests = {"judged": {"sha256": "a" * 64}, "moved": {"sha256": ("a" if same else "b") * 64}}
    document["predicate"] |= {
        "release": str(RELEASE),
        "center": site.id,
        "builder": site.builder,
        "run": run,
        "result": result,
        "artefacts": [{"name": "tool.deb", "same": same, **digests}],
    }
    return RobustnessStatement.model_validate(document)


def put(site: Site, result: str, *, run: str = RUN, name: str = "robustness-1") -> None:
    folder = site.made(run=run).folder()
    site.put(f"{folder}{name}.dsse.json", site.sign(told(site, result, run)))


@pytest.mark.parametrize("result", ["same", "differs"])
def test_it_changes_no_verdict(result: str) -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    before = json.dumps(world.consensus().to_dict())
    put(world["cyd-1"], result)
    assert json.dumps(world.consensus().to_dict()) == before
    assert world.result() == "CONFIRMED"


def test_without_a_judged_rebuild_it_is_nothing() -> None:
    world = World()
    world["ada-1"].run()
    put(world["bob-1"], "same")
    put(world["cyd-1"], "same")
    (found,) = world.consensus().artefacts
    assert (str(found.result), found.matched) == ("PENDING", ("ada",))


def test_a_newer_run_of_it_alone_leaves_the_one_before() -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    put(world["cyd-1"], "differs", run="20260109T030405Z-00000009")
    assert world.result() == "CONFIRMED"


def test_rubbish_under_its_name_casts_no_doubt() -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    site = world["cyd-1"]
    site.store.put_record(f"{site.made().folder()}robustness-1.dsse.json", b"rubbish")
    assert world.result() == "CONFIRMED"


def test_it_passes_for_no_attempt() -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    put(world["cyd-1"], "same", name="attempt-2")
    found = world.consensus()
    assert found.artefacts[0].matched == ("ada", "bob", "cyd")
    assert ("cyd-1", "misplaced") in reasons(found)


def test_a_difference_hidden_under_its_name_is_missed() -> None:
    """The log tells what kind each statement is of, so that none is hidden by its name."""
    world = World("ada", "bob")
    world["ada-1"].run()
    site = world["bob-1"]
    site.run()
    later = site.made(run="20260109T030405Z-00000009")
    hidden = next(e for n, e in later.envelopes(site.key).items() if n.startswith("comparison-"))
    site.put(f"{later.folder()}robustness-1.dsse.json", hidden)
    assert ("bob-1", "withheld") in reasons(world.consensus())
    assert world.result() == "PENDING"
