"""A center that has stated results in a later format cannot go back to one that says less."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.bench.madeup import MadeUpFile
from pipelines.audit.kept_logs import KeptLogs
from pipelines.audit.log_index import LogIndex
from pipelines.evidence.release_name import ReleaseName
from pipelines.storage.directory import DirectoryStore
from tests.audit.test_center_audit import two
from tests.consensus.two_centers import TwoCenters
from tests.consensus.world import CONTENT, EARLIER, FILE, LATER, World, reasons


def stated(*formats: str) -> World:
    """Return a world in which Bob has stated runs in these formats, one after the other."""
    world = World("ada", "bob")
    world["ada-1"].run()
    runs = (EARLIER, LATER)
    for run, version in zip(runs, formats, strict=False):
        made = world["bob-1"].made(run=run)
        world["bob-1"].publish(made if version == "v2" else replace(made, scope=None))
    return world


@pytest.mark.parametrize(
    ("formats", "result", "why"),
    [
        (("v1",), "CONFIRMED", set()),
        (("v1", "v2"), "CONFIRMED", set()),
        (("v2", "v1"), "CONFIRMED", {("bob-1", "downgraded")}),
    ],
)
def test_a_match_in_the_first_format_counts_until_its_center_states_a_later_one(
    formats: tuple[str, ...], result: str, why: set[tuple[str, str]]
) -> None:
    world = stated(*formats)
    assert (world.result(), reasons(world.consensus())) == (result, why)


def test_what_was_stated_of_another_release_ends_the_first_format_too() -> None:
    """Each new release could otherwise be stated in the format that says less."""
    world = World("ada", "bob")
    world["ada-1"].run()
    bob = world["bob-1"]
    bob.upgraded_at = 0
    bob.log.append(bob.sign(bob.made(release="acme/other@1.0").attempt()).digest())
    bob.run(scope=None)
    assert world.result() == "PENDING"
    assert reasons(world.consensus()) == {("bob-1", "downgraded")}


def test_a_mismatch_in_the_first_format_counts_all_the_same() -> None:
    """To leave it out would help only who states it."""
    world = two()
    differs = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
    world["bob-1"].run(run=LATER, scope=None, files=differs)
    assert world.result() == "SPLIT"


def test_a_log_says_where_its_first_result_in_a_later_format_is(centers: TwoCenters) -> None:
    """Whatever release it is about, and whether the log is kept between readings."""
    centers.publish("asia", scope=None)
    sources = {"asia": DirectoryStore(centers.root / "asia" / "store")}
    policy, kept = centers.policy, KeptLogs()

    def found() -> set[int | None]:
        logs = [LogIndex(sources, policy), LogIndex(sources, policy, kept)]
        return {one.upgraded_at("asia") for one in logs}

    assert found() == {None}
    other = ReleaseName(vendor="acme", product="other", version="1.0")
    centers.publish("asia", release=str(other), run=LATER)
    assert found() == {5}, "after four leaves of the first run, and a commitment"
    centers.publish("asia", release=str(other), run="20260104T030405Z-00000004")
    assert found() == {5}
