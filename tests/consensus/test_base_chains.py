"""An update is confirmed only with its base, and no center can make up the one or the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.recipe.update import DeltaJudged
from infra.bench.madeup import MadeUpFile
from pipelines.audit.delta_path import JudgedRun
from pipelines.consensus import base_chains
from tests.consensus.chain_world import (
    DELTA,
    TARGET,
    ChainWorld,
    content,
    delta_bytes,
    release,
)
from tests.consensus.world import reasons

OTHER = b"other bytes"
FORGED = JudgedRun(run="20260102T030405Z-ffffffff", comparison=Digest.of(b"never stated"))


@pytest.fixture
def world() -> ChainWorld:
    return ChainWorld("ada", "bob")


def test_an_update_on_a_confirmed_base_is_confirmed(world: ChainWorld) -> None:
    world.chain("1.0", "1.1")
    found = world.of("1.1")
    assert found.result == "CONFIRMED"
    assert found.base is not None
    assert (found.base.links, found.base.fault) == (1, None)
    assert world.of("1.1", TARGET).result == "CONFIRMED"


def test_a_chain_is_followed_to_the_full_release_that_it_begins_with(world: ChainWorld) -> None:
    world.chain("1.0", "1.1", "1.2", "1.3")
    base = world.of("1.3").base
    assert base is not None
    assert base.anchor is not None
    assert (base.links, base.anchor.release, base.base.release) == (
        3,
        release("1.0"),
        release("1.2"),
    )
    assert (
        str(base) == "rests on acme/tool@1.2, which is CONFIRMED, 3 updates from acme/tool@1.0 on"
    )


def test_a_full_release_begins_a_new_chain(world: ChainWorld) -> None:
    world.chain("1.0", "1.1")
    world.chain("2.0", "2.1")
    base = world.of("2.1").base
    assert base is not None
    assert base.anchor is not None
    assert (base.links, base.anchor.release) == (1, release("2.0"))


def test_a_base_that_nobody_judged_confirms_nothing(world: ChainWorld) -> None:
    world.update("1.1", "1.0", run=FORGED)
    assert world.told("1.1") == ("PENDING", "base-unknown")
    assert world.of("1.1", TARGET).result == "CONFIRMED"


def test_a_base_of_another_digest_in_that_release_confirms_nothing(world: ChainWorld) -> None:
    world.full("1.0")
    world.update("1.1", "1.0", base=OTHER, run=FORGED)
    assert world.told("1.1") == ("PENDING", "base-unknown")


@pytest.mark.parametrize("which", ["forged", "of-another-release", "of-another-center"])
def test_a_run_that_did_not_judge_that_release_does_not_count(
    world: ChainWorld, which: str
) -> None:
    world.full("0.9")
    world.full("1.0")
    ada, bob = world["ada-1"], world["bob-1"]
    ada.update("1.1", "1.0")
    digests = {version: Digest.of(content(version)) for version in ("0.9", "1.0")}
    run = {
        "forged": FORGED,
        "of-another-release": bob.judged[release("0.9"), digests["0.9"]],
        "of-another-center": ada.judged[release("1.0"), digests["1.0"]],
    }[which]
    bob.update("1.1", "1.0", run=run)
    assert ("bob-1", "base-run-unknown") in reasons(world.joined("1.1"))
    assert world.told("1.1") == ("PENDING", None)


def test_a_run_that_judged_another_file_of_that_release_does_not_count(world: ChainWorld) -> None:
    files = {TARGET: MadeUpFile.identical(content("1.0")), "doc": MadeUpFile.identical(b"doc")}
    for site in world.sites.values():
        site.state("1.0", files)
    world["ada-1"].update("1.1", "1.0")
    bob = world["bob-1"]
    bob.update("1.1", "1.0", run=bob.judged[release("1.0"), Digest.of(b"doc")])
    assert ("bob-1", "other-base-run") in reasons(world.joined("1.1"))
    assert world.of("1.1").matched == ("ada",)


def test_a_run_that_found_a_difference_does_not_count(world: ChainWorld) -> None:
    world = ChainWorld("ada", "bob", "cyd")
    world.full("1.0")
    bob = world["bob-1"]
    bob.full("1.0", built=OTHER, verdict=Verdict.DIFFERENT)
    world.update("1.1", "1.0")
    assert ("bob-1", "other-base-run") in reasons(world.joined("1.1"))
    assert world.told("1.1") == ("SPLIT", "base-failed")


def test_a_center_that_says_nothing_of_the_base_does_not_count(world: ChainWorld) -> None:
    world.full("1.0")
    world["ada-1"].update("1.1", "1.0")
    plain = MadeUpFile.identical(delta_bytes("1.1"))
    world["bob-1"].state("1.1", {TARGET: MadeUpFile.identical(content("1.1")), DELTA: plain})
    assert ("bob-1", "other-base") in reasons(world.joined("1.1"))
    found = world.of("1.1")
    assert (found.result, found.matched) == ("PENDING", ("ada",))


def test_one_center_on_another_base_takes_nothing_from_the_others() -> None:
    world = ChainWorld("ada", "bob", "cyd")
    world.full("0.9")
    world.full("1.0")
    for name in ("ada-1", "bob-1"):
        world[name].update("1.1", "1.0")
    world["cyd-1"].update("1.1", "0.9")
    assert ("cyd-1", "other-base") in reasons(world.joined("1.1"))
    assert world.told("1.1") == ("CONFIRMED", None)


def test_a_base_that_is_pending_leaves_the_update_pending() -> None:
    world = ChainWorld("ada", "bob")
    world["ada-1"].full("1.0")
    run = world["ada-1"].judged[release("1.0"), Digest.of(content("1.0"))]
    world.update("1.1", "1.0", run=run)
    assert world.told("1.1") == ("PENDING", "base-pending")


def test_an_update_on_a_suspect_base_fails_with_it(world: ChainWorld) -> None:
    world.full("1.0", built=OTHER, verdict=Verdict.DIFFERENT)
    world.update("1.1", "1.0")
    # No run of theirs counts, so that nothing matches: the base alone is found to be wrong.
    assert world.told("1.1") == ("PENDING", "base-failed")


def test_an_update_fails_with_a_base_that_comes_to_fail(world: ChainWorld) -> None:
    world = ChainWorld("ada", "bob", "cyd")
    world.chain("1.0", "1.1", "1.2")
    assert world.told("1.2") == ("CONFIRMED", None)
    world["cyd-1"].full("1.0", built=OTHER, verdict=Verdict.DIFFERENT)
    found = world.of("1.2")
    assert found.base is not None
    assert (found.result, found.passed, found.rests_badly) == ("SPLIT", False, True)
    assert (found.base.fault, found.base.worst) == ("base-failed", "acme/tool@1.0 tool.bin")
    assert found.dissenting == ()
    assert world.of("1.2", TARGET).result == "CONFIRMED"


def test_a_bad_delta_in_between_is_the_worst_link(world: ChainWorld) -> None:
    world.full("1.0")
    for site in world.sites.values():
        site.update("1.1", "1.0", built=OTHER, verdict=Verdict.DIFFERENT)
    world.update("1.2", "1.1")
    found = world.of("1.2")
    assert found.base is not None
    assert (found.result, found.base.worst) == ("SUSPECT", "acme/tool@1.1 tool.bsdiff")


def test_a_nightly_rerun_of_a_base_changes_nothing(world: ChainWorld) -> None:
    world.chain("1.0", "1.1", "1.2")
    before = world.of("1.2").to_dict()
    world.full("1.0")
    world.update("1.1", "1.0")
    assert world.of("1.2").to_dict() == before


def test_a_rerun_of_an_old_update_stays_what_it_was(world: ChainWorld) -> None:
    world.chain("1.0", "1.1", "1.2")
    world.update("1.1", "1.0")
    assert world.told("1.1") == ("CONFIRMED", None)
    assert world.told("1.2") == ("CONFIRMED", None)


def test_bases_that_rest_on_each_other_confirm_nothing(world: ChainWorld) -> None:
    world.full("1.0")
    world.update("1.1", "1.0")
    world.update("1.0", "1.1", name="back.bsdiff")
    assert world.told("1.1") == ("PENDING", "base-cycle")
    back = world.of("1.0", "back.bsdiff").base
    assert back is not None
    assert back.fault == "base-cycle"


def test_an_update_of_itself_confirms_nothing(world: ChainWorld) -> None:
    world.full("1.0")
    world.update("1.0", "1.0")
    assert world.told("1.0") == ("PENDING", "base-cycle")


def test_one_center_alone_turns_nothing_in_a_circle() -> None:
    world = ChainWorld("ada", "bob", "cyd")
    world.chain("1.0", "1.1")
    world["cyd-1"].update("1.0", "1.1", name="back.bsdiff")
    assert world.told("1.1") == ("CONFIRMED", None)


def test_one_center_alone_makes_no_chain_longer() -> None:
    world = ChainWorld("ada", "bob", "cyd")
    world.chain("1.0", "1.1")
    world["cyd-1"].update("1.0", "0.9", run=FORGED, name="more.bsdiff")
    base = world.of("1.1").base
    assert base is not None
    assert (base.links, base.fault) == (1, None)
    assert release("0.9") not in world.reads


def test_one_center_alone_makes_no_delta_of_a_file() -> None:
    world = ChainWorld("ada", "bob", "cyd")
    world.chain("1.0")
    cyd = world["cyd-1"]
    delta = cyd.delta("1.0", "0.9", run=FORGED).delta
    cyd.full("1.0", built=OTHER, verdict=Verdict.DIFFERENT, delta=delta)
    found = world.of("1.0", TARGET)
    assert (found.result, found.matched, found.base) == ("SPLIT", ("ada", "bob"), None)


def test_a_chain_without_an_end_is_refused(
    world: ChainWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_chains, "MAX_LINKS", 3)
    world.chain("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
    assert world.told("1.3") == ("CONFIRMED", None)
    assert world.told("1.4") == ("PENDING", "base-chain-too-long")
    assert world.told("1.5") == ("PENDING", "base-chain-too-long")
    chains = world.chains()  # whatever was joined before
    for version in ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5"):
        found = world.of(version, DELTA if version != "1.0" else TARGET, chains)
        passed = version in {"1.0", "1.1", "1.2", "1.3"}
        assert (found.result == "CONFIRMED") is passed, version


def test_a_delta_on_a_delta_is_refused(world: ChainWorld) -> None:
    world.chain("1.0", "1.1")
    world.update("1.2", "1.1", base=delta_bytes("1.1"))
    assert world.told("1.2") == ("PENDING", "delta-of-delta")


def test_the_best_of_several_ways_to_a_base_counts(world: ChainWorld) -> None:
    world.full("0.9")
    world.full("1.0")
    for site in world.sites.values():
        good = site.delta("1.1", "1.0")
        bad = replace(site.delta("1.1", "0.9"), built=OTHER, verdict=Verdict.DIFFERENT)
        files = {TARGET: MadeUpFile.identical(content("1.1")), DELTA: good, "old.bsdiff": bad}
        site.state("1.1", files)
    world.update("1.2", "1.1")
    assert world.told("1.2") == ("CONFIRMED", None)


def test_a_delta_that_is_judged_by_its_result_is_a_link_and_no_match(world: ChainWorld) -> None:
    world.full("1.0")
    for site in world.sites.values():
        whole = MadeUpFile.identical(content("1.1"))
        delta = site.delta("1.1", "1.0", judged=DeltaJudged.APPLIED)
        site.state("1.1", {TARGET: whole, DELTA: delta})
    world.update("1.2", "1.1")
    assert world.told("1.1") == ("PENDING", None)
    found = world.of("1.2").base
    assert found is not None
    assert (found.fault, found.links) == (None, 2)


def test_a_release_of_a_chain_is_read_once_in_a_round(world: ChainWorld) -> None:
    versions = ("1.0", "1.1", "1.2", "1.3")
    world.chain(*versions)
    chains = world.chains()
    for version in reversed(versions):
        world.of(version, TARGET, chains)
    assert sorted(world.reads) == [release(version) for version in versions[:-1]]
