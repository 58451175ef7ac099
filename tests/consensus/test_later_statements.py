"""What is stated of a run later is no voice in a consensus, whatever it says and wherever it lies.

That is: what a robustness rebuild showed, and what explains a difference.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.evidence.statements.statement import Statement
from tests.consensus.world import FILE, RELEASE, Site, World, reasons
from tests.evidence.examples import STATEMENTS

RUN = "20260102T030405Z-0a1b2c3d"
LATER: dict[str, dict[str, Any]] = {
    "robustness-same": {"result": "same", "same": True, "moved": {"sha256": "a" * 64}},
    "robustness-differs": {"result": "differs", "same": False, "moved": {"sha256": "b" * 64}},
    "explanation-same": {"confirmation": "same", "causes": ["content"]},
    "explanation-other": {"confirmation": "other", "causes": ["nondeterministic"]},
}
"""What each says of the artefact."""
ALL = pytest.mark.parametrize("later", LATER)
KINDS = pytest.mark.parametrize("kind", ["robustness", "explanation"])


def told(site: Site, later: str, run: str) -> Statement:
    """Return a later statement of the run: a test, or an explanation."""
    kind = later.partition("-")[0]
    document: Any = STATEMENTS[kind].to_dict()
    about = {**document["predicate"]["artefacts"][0], "name": "tool.deb", **LATER[later]}
    if kind == "robustness":
        document["predicate"]["result"] = about.pop("result")
        about["judged"] = {"sha256": "a" * 64}
    else:
        made = site.made(run=run)
        about["comparison"] = {"sha256": str(made.comparison(FILE, made.provenance()).digest())}
        document["subject"][0]["name"] = "tool.deb"
    document["predicate"] |= {
        "release": str(RELEASE),
        "center": site.id,
        "builder": site.builder,
        "run": run,
        "artefacts": [about],
    }
    return type(STATEMENTS[kind]).model_validate(document)


def put(site: Site, later: str, *, run: str = RUN, name: str = "") -> None:
    folder = site.made(run=run).folder()
    kind = later.partition("-")[0]
    site.put(f"{folder}{name or f'{kind}-1'}.dsse.json", site.sign(told(site, later, run)))


@ALL
def test_it_changes_no_verdict(later: str) -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    before = json.dumps(world.consensus().to_dict())
    put(world["cyd-1"], later)
    assert json.dumps(world.consensus().to_dict()) == before
    assert world.result() == "CONFIRMED"


@ALL
def test_without_a_judged_rebuild_it_is_nothing(later: str) -> None:
    world = World()
    world["ada-1"].run()
    put(world["bob-1"], later)
    put(world["cyd-1"], later)
    (found,) = world.consensus().artefacts
    assert (str(found.result), found.matched) == ("PENDING", ("ada",))


@ALL
def test_a_newer_run_of_it_alone_leaves_the_one_before(later: str) -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    put(world["cyd-1"], later, run="20260109T030405Z-00000009")
    assert world.result() == "CONFIRMED"


@KINDS
def test_rubbish_under_its_name_casts_no_doubt(kind: str) -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    site = world["cyd-1"]
    site.store.put_record(f"{site.made().folder()}{kind}-1.dsse.json", b"rubbish")
    assert world.result() == "CONFIRMED"


@ALL
def test_it_passes_for_no_attempt(later: str) -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    put(world["cyd-1"], later, name="attempt-2")
    found = world.consensus()
    assert found.artefacts[0].matched == ("ada", "bob", "cyd")
    assert ("cyd-1", "misplaced") in reasons(found)


@KINDS
def test_a_difference_hidden_under_its_name_is_missed(kind: str) -> None:
    """The log tells what kind each statement is of, so that none is hidden by its name."""
    world = World("ada", "bob")
    world["ada-1"].run()
    site = world["bob-1"]
    site.run()
    later = site.made(run="20260109T030405Z-00000009")
    hidden = next(e for n, e in later.envelopes(site.key).items() if n.startswith("comparison-"))
    site.put(f"{later.folder()}{kind}-1.dsse.json", hidden)
    assert ("bob-1", "missing") in reasons(world.consensus())
    assert world.result() == "PENDING"
