"""What a peer offers as a proof of work, and what others say of it: each must be in full order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builders.core.digest import Digest
from pipelines.audit.source import Source, UnreachableError
from pipelines.consensus.work_check import check_work
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.log.errors import LogError
from tests.consensus.findings import NOW
from tests.consensus.test_crosschecks import crosscheck, replaced
from tests.consensus.test_work_proofs import RUN, claimed, own
from tests.consensus.world import PRODUCTS, Site, World, reasons

(SYMBOLS,) = PRODUCTS
SIZE = str(len(PRODUCTS[SYMBOLS]))
ARABIC = "".join(chr(0x660 + int(digit)) for digit in SIZE)
Document = dict[str, Any]


def two() -> World:
    """Return two operators that have built the same."""
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    return world


def byproduct_of(document: Document, name: str) -> Document:
    listed = document["predicate"]["runDetails"]["byproducts"]
    (found,) = [entry for entry in listed if entry["name"] == name]
    assert isinstance(found, dict)
    return found


def provenance_by(site: Site, change: Callable[[Document], object]) -> ProvenanceStatement:
    document = site.made().provenance().to_dict()
    change(document)
    return ProvenanceStatement.model_validate(document)


@pytest.mark.parametrize(
    ("changes", "proved"),
    [
        ({}, True),
        ({"annotations": {"role": "by-product", "size": SIZE.zfill(16)}}, True),
        ({"annotations": {"role": "by-product", "size": SIZE.zfill(17)}}, False),
        ({"annotations": {"role": "by-product", "size": ARABIC}}, False),
        ({"annotations": {"role": "by-product", "size": f" {SIZE}"}}, False),
        ({"annotations": {"role": "by-product", "size": "large"}}, False),
        ({"annotations": {"role": "by-product"}}, False),
        ({"digest": {"sha256": str(Digest.of(PRODUCTS[SYMBOLS]))}}, False),
    ],
)
def test_a_line_of_the_seal_in_another_form_is_wrong(
    changes: dict[str, Any], *, proved: bool
) -> None:
    world = two()
    made = provenance_by(
        world["bob-1"], lambda document: byproduct_of(document, SYMBOLS).update(changes)
    )
    replaced(world, "bob-1", "provenance-1.dsse.json", made)
    assert reasons(world.consensus()) == (set() if proved else {("bob-1", "work-wrong")})


def unsealed(document: Document) -> None:
    byproduct_of(document, "seal")["digest"] = {"hmac_sha256": "e" * 64}


def test_without_a_seal_in_the_attempt_nothing_was_committed_to() -> None:
    world = two()
    bob = world["bob-1"]
    attempt = bob.made().attempt().to_dict()
    del attempt["predicate"]["seal"]
    replaced(world, "bob-1", "attempt-1.dsse.json", AttemptStatement.model_validate(attempt))
    replaced(world, "bob-1", "provenance-1.dsse.json", provenance_by(bob, unsealed))
    assert reasons(world.consensus()) == {("bob-1", "uncommitted")}


def test_another_statement_in_place_of_the_provenance_is_no_proof() -> None:
    world = two()
    replaced(world, "bob-1", "provenance-1.dsse.json", world["bob-1"].made().attempt())
    assert reasons(world.consensus()) == {("bob-1", "work-absent")}


def test_the_provenance_of_another_run_is_no_proof() -> None:
    world = two()
    other = world["bob-1"].made(run="20260101T030405Z-00000001")
    replaced(world, "bob-1", "provenance-1.dsse.json", other.provenance())
    assert reasons(world.consensus()) == {("bob-1", "work-absent")}


def test_another_statement_in_place_of_a_cross_check_says_nothing() -> None:
    world = two()
    crosscheck(world, "ada-1")
    name = "bob-1/20260102T030405Z-0a1b2c3d/ada-1.dsse.json"
    replaced(world, "ada-1", name, world["ada-1"].made().attempt())
    assert ("bob-1", "work-absent") in reasons(world.consensus(None))


@pytest.mark.parametrize("error", [LogError("altered"), UnreachableError("no answer")])
def test_a_log_that_fails_while_a_cross_check_is_read_proves_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The findings of Ada were read; what it says of others is not believed after that."""
    world = two()
    for name in world.sites:
        crosscheck(world, name)
    real = world.index_of
    crosschecks = world["ada-1"].log[-1]

    def index_of(center: str, pae: Digest) -> int | None:
        if pae == crosschecks:
            raise error
        return real(center, pae)

    monkeypatch.setattr(world, "index_of", index_of)
    assert reasons(world.consensus(None)) == {("bob-1", "work-absent")}


def test_a_center_that_the_policy_does_not_know_proves_no_work_of_others() -> None:
    world = two()
    crosscheck(world, "ada-1")
    stranger = Source(center="eve-1", store=world["ada-1"].store)
    found = world.read(None, also=(stranger,))
    assert {(one.center, str(one.reason)) for one in found.excluded} == {
        ("eve-1", "unknown-center")
    }
    assert [str(f.work) for f in found.findings] == ["absent", "proved"]


def test_of_several_peers_each_that_has_a_cross_check_is_heard() -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    crosscheck(world, "cyd-1")
    told = {f.center.id: len(f.work_evidence) for f in world.read(None).findings}
    assert told == {"ada-1": 1, "bob-1": 1, "cyd-1": 0}
    absent = {("bob-1", "work-absent"), ("cyd-1", "work-absent")}
    assert reasons(world.consensus(None)) == absent, "Ada and Bob have not checked each other"
    crosscheck(world, "ada-1")
    crosscheck(world, "bob-1")
    assert reasons(world.consensus(None)) == set()


def test_the_files_of_a_check_are_in_order() -> None:
    products = {f"{letter}.debug": letter.encode() for letter in "hgfedcba"}
    run = replace(RUN, by_products=products)
    found = check_work(claimed(run), own(run), same_outputs=True)
    assert [file.name for file in found.files] == sorted(products)


def test_cross_checks_are_made_in_order() -> None:
    world = World("cyd", "bob", "ada")
    for site in world.sites.values():
        site.run()
    checked = [one.predicate.checked.center for _, one in world.read().proofs.crosschecks(NOW)]
    assert checked == ["bob-1", "cyd-1"]


@pytest.mark.parametrize("own", ["ada-1", None])
def test_who_has_not_built_checks_nobody(own: str | None) -> None:
    world = World("ada", "bob")
    world["bob-1"].run()
    assert list(world.read(own).proofs.crosschecks(NOW)) == []


def test_a_run_that_was_checked_before_hides_no_later_one() -> None:
    world = World()
    for name in ("ada-1", "bob-1"):
        world[name].run()
    assert crosscheck(world, "ada-1") == 1
    world["cyd-1"].run()
    assert crosscheck(world, "ada-1") == 1
    assert crosscheck(world, "ada-1") == 0
