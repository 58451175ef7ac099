"""A comparison that contradicts itself counts for no file, and is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builders.core.digest import canonical_json
from infra.bench.madeup import MadeUpFile
from pipelines.evidence.dsse import sign_envelope
from pipelines.storage.names import REPORT, Visibility, private_twin
from tests.consensus.world import CONTENT, FILE, FILES, Site, World, reasons
from tests.evidence.contradictions import (
    DELTAS_REFUTED,
    IMPOSSIBLE,
    REFUTED,
    SOUND,
    Change,
    delta,
    signed,
)

UNSIGNED = MadeUpFile.different(CONTENT, b"ours, without a signature")


def told(change: Change) -> World:
    """Return a world in which one center has a match, and the other says what is changed."""
    world = World("ada", "bob")
    world["ada-1"].run()
    tell(world["bob-1"], change)
    return world


def tell(site: Site, change: Change, **changes: Any) -> None:
    """Publish a run of which the comparison is changed before it is signed."""
    made = site.made(**{"files": {FILE: UNSIGNED}, **changes})
    site.commit(made)
    for name, envelope in made.envelopes(site.key).items():
        document = json.loads(envelope.payload)
        if name.startswith("comparison-"):
            change(document["predicate"])
        site.put(made.folder() + name, sign_envelope(canonical_json(document), site.key))
    for content in made.outputs.values():
        site.store.put_cas(Visibility.PRIVATE, content)
    site.store.put_record(private_twin(made.folder() + REPORT), made.report().to_json())


@pytest.mark.parametrize("name", SOUND)
def test_a_file_with_its_signature_attached_is_a_match(name: str) -> None:
    world = told(SOUND[name])
    assert (world.result(), reasons(world.consensus())) == ("CONFIRMED", set())


@pytest.mark.parametrize("name", REFUTED)
def test_a_verdict_that_its_statement_refutes_is_excluded_by_name(name: str) -> None:
    world = told(REFUTED[name])
    assert ("bob-1", "contradicts-itself") in reasons(world.consensus())
    assert world.result() == "PENDING"
    (excluded,) = world.read().excluded
    assert "expected" in excluded.detail


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_no_comparison_can_say_cannot_be_read(name: str) -> None:
    world = told(IMPOSSIBLE[name])
    found = {("bob-1", reason) for reason in ("unreadable", "missing", "incomplete")}
    assert reasons(world.consensus()) == found
    assert world.result() == "PENDING"


@pytest.mark.parametrize("name", DELTAS_REFUTED)
def test_a_delta_whose_checks_refute_its_verdict_confirms_nothing(name: str) -> None:
    world = told(DELTAS_REFUTED[name])
    assert world.result() in {"SPLIT", "PENDING"}
    (found,) = world.consensus().artefacts
    assert found.matched == ("ada",)


def test_a_delta_to_a_file_that_its_run_has_not_built_is_excluded() -> None:
    world = told(delta())
    assert ("bob-1", "contradicts-itself") in reasons(world.consensus())
    (excluded,) = world.read().excluded
    assert "a file that the run built as its target" in excluded.detail


def test_a_run_that_contradicts_itself_is_abandoned_in_time() -> None:
    world = told(REFUTED["signed-beside-a-mask-fault"])
    world["bob-1"].overdue = len(world["bob-1"].log)
    assert ("bob-1", "abandoned") in reasons(world.consensus())
    assert world.result() == "SPLIT"


def test_a_difference_counts_on_whatever_ground() -> None:
    world = told(lambda predicate: predicate.update(ground="copied-input"))
    assert world.result() == "SPLIT"


def test_a_verdict_that_its_own_digests_refute_is_dissent() -> None:
    world = told(signed(grafted={"digest": {"sha256": "e" * 64}, "size": 3}))
    assert reasons(world.consensus()) == set()
    assert world.result() == "SPLIT"


def test_evidence_of_the_first_format_version_reads_as_before() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    tell(world["bob-1"], lambda p: p.update(ground="bytes-differ"), files=FILES, scope=None)
    assert (world.result(), reasons(world.consensus())) == ("CONFIRMED", set())


def test_a_match_of_another_size_is_none() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    tell(world["bob-1"], lambda p: p["rebuilt"].update(size=1), files=FILES)
    assert ("bob-1", "contradicts-itself") in reasons(world.consensus())
    assert world.result() == "PENDING"
