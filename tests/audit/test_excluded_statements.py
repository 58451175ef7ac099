"""Statements that are counted out of a consensus, each by its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.bench.madeup import MadeUpFile, MadeUpKey
from pipelines.audit.center_audit import audit_center
from pipelines.audit.source import Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.policy.model import CenterKey
from tests.consensus.findings import OTHER_CLAIM
from tests.consensus.world import CONTENT, EARLIER, FILE, FILES, LATER, RELEASE, World, reasons


def test_a_statement_of_another_run_than_its_folder_is_counted_out() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    bob = world["bob-1"]
    for name, envelope in bob.made().envelopes(bob.key).items():
        bob.put(f"public/releases/acme/tool/1.0/bob-1/{LATER}/{name}", envelope)
    assert ("bob-1", "misplaced") in reasons(world.consensus())
    assert world.result() == "PENDING"


def test_statements_of_other_kinds_in_a_run_are_counted_out(world: World) -> None:
    from tests.evidence.examples import STATEMENTS

    site = world["bob-1"]
    for kind in ("review", "heartbeat"):
        envelope = site.sign(STATEMENTS[kind])
        site.put(f"public/releases/acme/tool/1.0/bob-1/{EARLIER}/{kind}-1.dsse.json", envelope)
    assert reasons(world.consensus()) == {("bob-1", "misplaced")}


@pytest.mark.parametrize("left_out", ["attempt-1.dsse.json", "comparison-1.dsse.json"])
def test_half_a_run_is_none(left_out: str) -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    names = world["bob-1"].run()
    del world["bob-1"].store.objects[names[left_out]]
    assert ("bob-1", "incomplete") in reasons(world.consensus())
    assert world.result() == "PENDING"


def test_a_comparison_that_is_held_back_is_missed() -> None:
    """Of two artefacts one differs, and its comparison is not there."""
    world = World("ada", "bob")
    files = {**FILES, "tool.idx": MadeUpFile.different(b"index", b"another index")}
    world["ada-1"].run(files={**FILES, "tool.idx": MadeUpFile.identical(b"index")})
    names = world["bob-1"].run(files=files)
    del world["bob-1"].store.objects[names["comparison-2.dsse.json"]]
    found = world.consensus()
    assert ("bob-1", "incomplete") in reasons(found)
    assert [str(one.result) for one in found.artefacts] == ["PENDING", "PENDING"]


def test_a_comparison_under_another_claim_than_its_attempt_is_counted_out() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    bob = world["bob-1"]
    names = bob.run()
    other = bob.sign(bob.made(claim=OTHER_CLAIM).attempt())
    del bob.store.objects[names["attempt-1.dsse.json"]]
    bob.put(names["attempt-1.dsse.json"], other)
    assert ("bob-1", "incomplete") in reasons(world.consensus())


def test_a_key_that_counts_takes_no_statement_of_an_ended_one_in() -> None:
    """Bob has two keys: the one that signed has ended, the other one signed nothing."""
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    keys = (
        CenterKey(key=world["bob-1"].key.public, start=0, end=0),
        CenterKey(key=MadeUpKey("a later key").public),
    )
    centers = [replace(c, keys=keys) if c.id == "bob-1" else c for c in world.policy.centers]
    reader = StatementReader(policy=replace(world.policy, centers=tuple(centers)), logs=world)
    source = Source(center="bob-1", store=world["bob-1"].store)
    found = audit_center(reader, source, RELEASE)
    assert {str(one.reason) for one in found.excluded} == {"key-ended"}
    assert not found.findings


def _bob_who_found_other_bytes_later() -> tuple[World, dict[str, str]]:
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    later = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
    names = world["bob-1"].run(run=LATER, files=later)
    assert world.result() == "SPLIT"
    return world, names


@pytest.mark.parametrize(
    "elsewhere",
    [
        "public/releases/acme/tool/1.0/bob-1/20260102T030405Z-0a1b2c3d/comparison-9.dsse.json",
        f"public/releases/acme/tool/1.0/bob-1/{EARLIER}/comparison-1.dsse.json",
        "public/releases/acme/tool/2.0/bob-1/20260103T030405Z-00000003/comparison-1.dsse.json",
    ],
    ids=["another-run", "a-run-that-never-was", "another-release"],
)
def test_a_mismatch_that_is_moved_elsewhere_takes_the_match_away(elsewhere: str) -> None:
    """Its leaf is in the log, so whoever moves its record withholds it."""
    world, names = _bob_who_found_other_bytes_later()
    objects = world["bob-1"].store.objects
    objects[elsewhere] = objects.pop(names["comparison-1.dsse.json"])
    assert ("bob-1", "missing") in reasons(world.consensus())
    assert world.result() == "PENDING"


def test_a_copy_of_a_mismatch_elsewhere_hides_nothing_and_withholds_nothing() -> None:
    world, names = _bob_who_found_other_bytes_later()
    objects = world["bob-1"].store.objects
    objects[names["comparison-1.dsse.json"].replace(LATER, EARLIER)] = list(
        objects[names["comparison-1.dsse.json"]]
    )
    assert ("bob-1", "missing") not in reasons(world.consensus())
    assert world.result() == "SPLIT"


@pytest.mark.parametrize("odd", ["repeated", "unknown", "unchained"])
def test_leaves_that_are_odd_are_named_and_take_nothing_away(odd: str) -> None:
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    getattr(world["bob-1"].about, odd).append(1)
    names = {"repeated": "logged-twice", "unknown": "unknown-kind", "unchained": "unchained"}
    assert reasons(world.consensus()) == {("bob-1", names[odd])}
    assert world.result() == "CONFIRMED"


def test_a_statement_that_does_not_count_is_missed_in_its_place_all_the_same() -> None:
    world, names = _bob_who_found_other_bytes_later()
    bob = world["bob-1"]
    bob.witnessed = len(bob.log) - 3
    objects = bob.store.objects
    assert ("bob-1", "missing") not in reasons(world.consensus())
    objects[names["comparison-1.dsse.json"].replace(LATER, EARLIER)] = objects.pop(
        names["comparison-1.dsse.json"]
    )
    assert {("bob-1", "missing"), ("bob-1", "awaiting-witness")} <= reasons(world.consensus())
