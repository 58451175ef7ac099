"""What centers prove of each other's work: echoes are caught, and cross-checks are signed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpFile
from pipelines.consensus.summaries import publish_crosschecks
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.statements.consensus_results import (
    CheckedFile,
    CheckedRun,
    Crosscheck,
    CrosscheckStatement,
    Proof,
    overall,
)
from pipelines.evidence.statements.statement import Statement
from pipelines.policy import ConsensusRules
from tests.consensus.findings import NOW, OTHER_CLAIM
from tests.consensus.world import FILE, FILES, PRODUCTS, Site, World, reasons

RUN = "20260102T030405Z-0a1b2c3d"


def echo(site: Site, **changes: Any) -> None:
    """Publish what a center does that hashes the public file and builds nothing."""
    site.run(by_products={}, **changes)


def test_a_center_that_echoes_the_public_file_is_caught() -> None:
    world = World("ada", "echo")
    world["ada-1"].run()
    echo(world["echo-1"])
    found = world.consensus()
    assert str(found.artefacts[0].result) == "PENDING"
    assert reasons(found) == {("echo-1", "work-wrong")}


def test_a_center_that_echoes_the_proof_of_another_is_caught() -> None:
    """It copies the provenance of Bob, lines and seal, under its own name."""
    world = World("ada", "bob", "echo")
    for name in ("ada-1", "bob-1"):
        world[name].run()
    site, bob = world["echo-1"], world["bob-1"].made()
    site.publish(site.made(by_products={"tool-dbgsym.deb": b"symbols that nobody shipz"}))
    assert reasons(world.consensus()) == {("echo-1", "work-wrong")}
    stolen = {r.name: r for r in bob.provenance().predicate.run_details.byproducts}
    own_lines = site.made().provenance().predicate.run_details.byproducts
    assert (
        stolen["tool-dbgsym.deb"].digest != {r.name: r for r in own_lines}["tool-dbgsym.deb"].digest
    )


def test_a_provenance_that_is_held_back_is_no_proof() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    names = world["bob-1"].run()
    del world["bob-1"].store.objects[names["provenance-1.dsse.json"]]
    assert reasons(world.consensus()) == {("bob-1", "work-absent")}


def test_a_seal_that_the_run_did_not_commit_to_is_no_match() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    bob = world["bob-1"]
    bob.run()
    other = bob.made(by_products={"x": b"y"})
    replaced(world, "bob-1", "attempt-1.dsse.json", other.attempt())
    assert reasons(world.consensus()) == {("bob-1", "uncommitted")}


def test_where_nothing_can_be_proved_matches_count_and_it_is_said() -> None:
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run(by_products={})
    (one,) = world.consensus().artefacts
    assert (str(one.result), one.work_proof) == ("CONFIRMED", Proof.NONE)


def test_a_stranger_takes_the_word_of_other_operators() -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    assert world.result(None) == "PENDING"
    for name in world.sites:
        crosscheck(world, name)
    (one,) = world.consensus(None).artefacts
    assert (str(one.result), one.work_proof) == ("CONFIRMED", Proof.PROVED)
    assert any("crosschecks" in basis.name for basis in one.evidence)


def test_of_earlier_runs_no_cross_check_is_read() -> None:
    world = World()
    for hour in ("03", "04", "05"):
        for site in world.sites.values():
            site.run(run=f"20260102T{hour}0405Z-0a1b2c3d")
        for name in world.sites:
            crosscheck(world, name)
    asked: list[str] = []
    for site in world.sites.values():
        noted(site, asked)
    assert world.result(None) == "CONFIRMED"
    newest = [key for key in asked if key.startswith("public/crosschecks/")]
    assert len(newest) == 6
    assert all("20260102T050405Z" in key for key in newest)


def noted(site: Site, asked: list[str]) -> None:
    """Note what is read of the store of a center."""
    get = site.store.get

    def noting(key: str, limit: int) -> bytes:
        asked.append(key)
        return get(key, limit)

    site.store.get = noting  # type: ignore[method-assign]


def crosscheck(world: World, name: str) -> int:
    site = world[name]
    made = publish_crosschecks(site.store, world.read(name).proofs, sign=site.sign, now=NOW)
    site.log += [Envelope.from_bytes(site.store.get(name, 1 << 20)).digest() for name in made]
    return len(made)


def test_a_run_is_cross_checked_once() -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    assert crosscheck(world, "ada-1") == 2
    assert crosscheck(world, "ada-1") == 0


def test_one_operator_that_says_wrong_is_enough_to_doubt() -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    crosscheck(world, "ada-1")
    crosscheck(world, "bob-1")
    liar = world["cyd-1"]
    for content in PRODUCTS.values():
        key = f"private/cas/sha256/{Digest.of(content).hex[:2]}/{Digest.of(content)}"
        liar.store.objects[key] = [b"something else"]
    crosscheck(world, "cyd-1")
    assert {("ada-1", "work-wrong"), ("bob-1", "work-wrong")} <= reasons(world.consensus(None))


def test_no_operator_vouches_for_itself() -> None:
    """A second center of the same operator says that the work was done: that counts nothing."""
    world = World("ada", "bob")
    second = Site(id="bob-2", operator="bob", region="y", key=world["bob-1"].key)
    world.sites["bob-2"] = second
    for site in world.sites.values():
        site.run()
    crosscheck(world, "bob-2")
    assert {("bob-1", "work-absent"), ("bob-2", "work-absent")} <= reasons(world.consensus(None))


def vouch(world: World, name: str) -> None:
    """Publish that a center has found all work of others proved, whatever it is."""
    site = world[name]

    def sign(statement: Statement) -> Envelope:
        assert isinstance(statement, CrosscheckStatement)
        about = statement.predicate
        proved = {"proof": Proof.PROVED}
        files = tuple(file.model_copy(update=proved) for file in about.files)
        lie = about.model_copy(update={**proved, "seal": Proof.PROVED, "files": files})
        return site.sign(statement.model_copy(update={"predicate": lie}))

    made = publish_crosschecks(site.store, world.read(name).proofs, sign=sign, now=NOW)
    site.log += [Envelope.from_bytes(site.store.get(key, 1 << 20)).digest() for key in made]


@pytest.mark.parametrize("changes", [{}, {"scope": None}])
def test_those_who_built_nothing_and_vouch_for_each_other_need_one_more(
    changes: dict[str, Any],
) -> None:
    """They vouch for Ada too, who has not checked them yet; the first format is no way out."""
    world = World()
    world.rules = ConsensusRules(k=3)
    world["ada-1"].run()
    for name in ("bob-1", "cyd-1"):
        world[name].run(by_products={"tool-dbgsym.deb": b"made up by both"}, **changes)
    for name in ("bob-1", "cyd-1"):
        vouch(world, name)
    assert world.result(None) == "PENDING"
    assert reasons(world.consensus(None)) == {("ada-1", "work-absent")}
    crosscheck(world, "ada-1")
    assert world.result(None) == "PENDING"
    assert reasons(world.consensus(None)) == {("bob-1", "work-wrong"), ("cyd-1", "work-wrong")}


def test_a_match_needs_no_check_by_one_that_found_other_bytes() -> None:
    world = World()
    world["ada-1"].run(files={FILE: MadeUpFile.different(b"shipped", b"other")})
    for name in ("bob-1", "cyd-1"):
        world[name].run(files={FILE: MadeUpFile.identical(b"shipped")})
    crosscheck(world, "cyd-1")
    assert world.result(None) == "SPLIT"


def test_an_operator_that_checks_nobody_stops_nobody_else() -> None:
    """Nor does a later run of another scope, whose findings are about something else."""
    world = World()
    both = {**FILES, "tool.idx": MadeUpFile.identical(b"index")}
    for site in world.sites.values():
        site.run(files=both)
    world["ada-1"].run(files=both, run="20260103T030405Z-0a1b2c3d", scope=OTHER_CLAIM)
    for name in ("ada-1", "bob-1"):
        crosscheck(world, name)
    found = world.consensus(None)
    assert [str(one.result) for one in found.artefacts] == ["CONFIRMED", "CONFIRMED"]
    assert reasons(found) == {("cyd-1", "work-absent")}


def replaced(world: World, center: str, name: str, statement: Statement) -> None:
    """Put another statement of a center in the place of one of its run, as if that never was."""
    site = world[center]
    (key,) = [k for k in site.store.objects if k.endswith(name)]
    site.about.results.pop(Envelope.from_bytes(site.store.objects.pop(key)[-1]).digest(), None)
    site.put(key, site.sign(statement))


def test_a_provenance_of_another_claim_or_run_is_no_proof() -> None:
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    bob = world["bob-1"]
    replaced(world, "bob-1", "provenance-1.dsse.json", bob.made(claim=OTHER_CLAIM).provenance())
    assert reasons(world.consensus()) == {("bob-1", "work-absent")}


CHECKS: dict[str, dict[str, Any]] = {
    "another-run": {"checked": CheckedRun(center="bob-1", run="20260102T030405Z-ffffffff")},
    "another-center": {"checked": CheckedRun(center="cyd-1", run=RUN)},
    "another-claim": {"claim": OTHER_CLAIM},
    "another-release": {"release": "acme/tool@2.0"},
    "another-seal": {"seal": Digest.of(b"another seal")},
}


def checked_by_ada(world: World, **changes: Any) -> CrosscheckStatement:
    bob = world["bob-1"].made()
    seal, seal_proof = changes.pop("seal", bob.seal()), changes.pop("seal_proof", Proof.PROVED)
    files = (CheckedFile(name="tool-dbgsym.deb", proof=Proof.PROVED),)
    given: dict[str, Any] = {
        "release": bob.release,
        "center": "ada-1",
        "run": RUN,
        "claim": bob.claim,
        "checked": CheckedRun(center="bob-1", run=bob.run),
        "proof": overall((file.proof for file in files), seal_proof),
        "seal": seal_proof,
        "files": files,
        "checked_on": NOW,
    }
    return CrosscheckStatement.of(Crosscheck(**{**given, **changes}), seal=seal)


@pytest.mark.parametrize("name", ["nothing-else", *CHECKS])
def test_a_cross_check_counts_for_what_it_is_about_alone(name: str) -> None:
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    crosscheck(world, "ada-1")
    statement = checked_by_ada(world, **CHECKS.get(name, {}))
    replaced(world, "ada-1", "bob-1/20260102T030405Z-0a1b2c3d/ada-1.dsse.json", statement)
    absent = ("bob-1", "work-absent") in reasons(world.consensus(None))
    assert absent is (name in CHECKS)


def test_a_cross_check_of_oneself_cannot_be_said() -> None:
    with pytest.raises(ValidationError, match="cannot prove its own work"):
        checked_by_ada(World(), checked=CheckedRun(center="ada-1", run=RUN))


def test_a_cross_check_says_no_more_than_its_parts() -> None:
    plain = checked_by_ada(World(), seal_proof=Proof.WRONG).to_dict()
    assert plain["predicate"]["proof"] == "wrong"
    plain["predicate"]["proof"] = "proved"
    with pytest.raises(ValidationError, match="not that of its parts"):
        CrosscheckStatement.model_validate(plain)


def test_a_center_that_has_lost_its_bytes_proves_nothing_by_itself() -> None:
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    for key in list(world["ada-1"].store.objects):
        if key.startswith("private/cas"):
            del world["ada-1"].store.objects[key]
    assert {("ada-1", "work-absent"), ("bob-1", "work-absent")} == reasons(world.consensus())


def test_one_artefact_that_differs_does_not_spoil_the_proof_of_the_others() -> None:
    world = World("ada", "bob")
    both = {**FILES, "tool.idx": MadeUpFile.identical(b"index")}
    world["ada-1"].run(files=both)
    world["bob-1"].run(files={**FILES, "tool.idx": MadeUpFile.different(b"index", b"other")})
    found = {one.subject.artefact: str(one.result) for one in world.consensus().artefacts}
    assert found == {FILE: "CONFIRMED", "tool.idx": "SPLIT"}
