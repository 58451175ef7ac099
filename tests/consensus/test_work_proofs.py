"""Proofs of work: who truly built can make them, and who only hashed the public file cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.rebuild.seal import SealedFile, seal_files
from infra.bench.madeup import MadeUpFile, MadeUpRun
from pipelines.audit.center_finding import StatementRef
from pipelines.consensus.summaries import publish_crosschecks
from pipelines.consensus.work_proofs import OwnBuild, WorkOffer, check_work
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.redaction import redact_by_products
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.consensus_results import (
    CheckedFile,
    CheckedRun,
    Crosscheck,
    CrosscheckStatement,
    Proof,
    overall,
)
from pipelines.evidence.statements.statement import Statement
from pipelines.storage.names import Visibility
from tests.consensus.findings import NOW, OTHER_CLAIM
from tests.consensus.world import CONTENT, FILE, FILES, PRODUCTS, Site, World, reasons
from tests.fakes.store import MemoryStore

RUN = MadeUpRun(
    center="bob-1",
    builder="https://samebits.example/b",
    release="acme/tool@1.0",
    run="20260102T030405Z-0a1b2c3d",
    files=FILES,
    by_products=PRODUCTS,
)

SEAL = Digest.of(b"another line")


def own(run: MadeUpRun = RUN, salt: Salt | None = None, **other: bytes) -> OwnBuild:
    """Return our build: the same bytes as those of `run`, or `other`."""
    store = MemoryStore()
    outputs = tuple(
        Output(
            name=name,
            size=len(content),
            sha256=store.put_cas(Visibility.PRIVATE, content),
            part=OutputKind.BY_PRODUCT if name in run.by_products else OutputKind.ARTEFACT,
        )
        for name, content in run.outputs.items()
        for content in [other.get(name, content)]
    )
    return OwnBuild(center="ada-1", run=run.run, outputs=outputs, store=store, salt=salt)


def claimed(run: MadeUpRun = RUN, **changes: Any) -> WorkOffer:
    lines = tuple(run.line(name) for name in sorted(run.by_products))
    provenance = StatementRef(name="provenance-1.dsse.json", digest=Digest.of(b"provenance"))
    made = WorkOffer(
        center=run.center, run=run.run, lines=lines, seal=run.seal(), provenance=provenance
    )
    return replace(made, **changes)


def test_who_built_the_same_bytes_is_proved() -> None:
    found = check_work(claimed(), own(), same_outputs=True)
    assert (found.proof, found.seal) == (Proof.PROVED, Proof.PROVED)
    assert [(f.name, f.proof) for f in found.files] == [("tool-dbgsym.deb", Proof.PROVED)]


def test_the_seal_is_that_of_the_builder(tmp_path: Any) -> None:
    for name, content in RUN.outputs.items():
        (tmp_path / name).write_bytes(content)
    seal = seal_files(tmp_path.iterdir(), center=RUN.center, run=RUN.run)
    assert seal.digest == RUN.seal()
    assert check_work(claimed(seal=seal.digest), own(), same_outputs=True).seal is Proof.PROVED


def test_other_by_products_prove_nothing() -> None:
    found = check_work(
        claimed(),
        own(RUN, None, **{"tool-dbgsym.deb": b"other symbols of mine!!!"}),
        same_outputs=False,
    )
    assert (found.proof, found.seal) == (Proof.WRONG, Proof.NONE)


def test_a_line_of_another_run_or_center_is_wrong() -> None:
    for other in (replace(RUN, run="20260102T030405Z-ffffffff"), replace(RUN, center="cyd-1")):
        copied = claimed(lines=claimed(other).lines)
        assert check_work(copied, own(), same_outputs=False).proof is Proof.WRONG


def test_a_proof_that_is_not_there_is_absent() -> None:
    found = check_work(claimed(lines=()), own(), same_outputs=True)
    assert found.proof is Proof.ABSENT
    assert [(f.name, f.proof) for f in found.files] == [("tool-dbgsym.deb", Proof.ABSENT)]


def test_a_line_of_a_file_that_we_never_built_is_wrong() -> None:
    more = (*claimed().lines, SealedFile(name="x", size=1, hmac=RUN.seal()))
    assert check_work(claimed(lines=more), own(), same_outputs=False).proof is Proof.WRONG


def test_a_line_twice_is_wrong() -> None:
    twice = claimed().lines * 2
    assert check_work(claimed(lines=twice), own(), same_outputs=False).proof is Proof.WRONG


def test_right_lines_under_another_seal_are_wrong() -> None:
    found = check_work(claimed(seal=Digest.of(b"later")), own(), same_outputs=True)
    assert (found.proof, found.seal) == (Proof.WRONG, Proof.WRONG)


def test_a_line_of_another_size_is_wrong() -> None:
    (line,) = claimed().lines
    found = check_work(
        claimed(lines=(line.model_copy(update={"size": line.size + 1}),)),
        own(),
        same_outputs=False,
    )
    assert found.proof is Proof.WRONG


def test_without_by_products_nothing_can_be_proved() -> None:
    bare = replace(RUN, by_products={})
    found = check_work(claimed(bare), own(bare), same_outputs=True)
    assert (found.proof, found.seal, found.files) == (Proof.NONE, Proof.PROVED, ())


def test_an_empty_file_proves_nothing() -> None:
    empty = replace(RUN, by_products={"marker": b""})
    assert check_work(claimed(empty), own(empty), same_outputs=True).proof is Proof.NONE
    assert check_work(claimed(empty, lines=()), own(empty), same_outputs=True).proof is Proof.NONE
    both = replace(RUN, by_products={**PRODUCTS, "marker": b""})
    assert check_work(claimed(both), own(both), same_outputs=True).proof is Proof.PROVED


def published(build: OwnBuild, *names: str) -> OwnBuild:
    """Return our build by a recipe that marks by-products as published by the vendor too."""
    outputs = (
        o.model_copy(update={"part": OutputKind.PUBLISHED}) if o.name in names else o
        for o in build.outputs
    )
    return replace(build, outputs=tuple(outputs))


@pytest.mark.parametrize("salt", [None, Salt(secret=bytes(32))])
def test_a_by_product_that_the_vendor_publishes_proves_nothing(salt: Salt | None) -> None:
    two = replace(RUN, by_products={**PRODUCTS, "tool.map": b"a map"})
    for run, names, proof in (
        (RUN, ("tool-dbgsym.deb",), Proof.NONE),
        (two, ("tool-dbgsym.deb",), Proof.PROVED),
        (two, ("tool-dbgsym.deb", "tool.map"), Proof.NONE),
    ):
        build = published(own(run, salt), *names)
        lines = redact_by_products(claimed(run).lines, salt) if salt else claimed(run).lines
        offer = claimed(run, lines=lines)
        assert check_work(offer, build, same_outputs=True).proof is proof
        assert build.provable is (proof is Proof.PROVED)
        other = replace(offer, lines=tuple(x.model_copy(update={"hmac": SEAL}) for x in lines))
        assert check_work(other, build, same_outputs=True).proof is Proof.WRONG
        assert check_work(replace(offer, lines=()), build, same_outputs=True).proof is Proof.ABSENT


def test_a_copy_of_a_shipped_file_proves_nothing() -> None:
    copies = replace(RUN, by_products={"copy.deb": CONTENT})
    assert check_work(claimed(copies), own(copies), same_outputs=True).proof is Proof.NONE
    assert not own(copies).provable


def test_of_closed_source_the_lines_are_keyed_once_more_and_numbered() -> None:
    salt, other = Salt(secret=bytes(32)), Salt(secret=bytes(31) + b"\1")
    veiled = tuple(
        SealedFile(name=f"by-product-{n}", size=line.size, hmac=salt.keyed(line.hmac))
        for n, line in enumerate(claimed().lines, start=1)
    )
    hidden = claimed(lines=veiled)
    assert check_work(hidden, own(salt=salt), same_outputs=True).proof is Proof.PROVED
    assert check_work(hidden, own(salt=other), same_outputs=True).proof is Proof.WRONG
    assert check_work(hidden, own(), same_outputs=True).proof is Proof.WRONG


@settings(max_examples=60, deadline=None)
@given(
    products=st.dictionaries(
        st.text("abc", min_size=1, max_size=3), st.binary(max_size=4), max_size=4
    ),
    guesses=st.dictionaries(
        st.text("abc", min_size=1, max_size=3), st.binary(max_size=4), max_size=4
    ),
)
def test_only_all_of_the_bytes_prove_the_work(
    products: dict[str, bytes], guesses: dict[str, bytes]
) -> None:
    ours, theirs = replace(RUN, by_products=products), replace(RUN, by_products=guesses)
    found = check_work(claimed(theirs), own(ours), same_outputs=False)
    same = {n: c for n, c in products.items() if c} == {n: c for n, c in guesses.items() if c}
    extra = guesses.keys() - products.keys()
    if found.proof is Proof.PROVED:
        assert same
        assert not extra
    if products == guesses:
        assert found.proof is (Proof.PROVED if any(products.values()) else Proof.NONE)


@pytest.mark.parametrize("seal", list(Proof))
@pytest.mark.parametrize("file", list(Proof))
def test_the_whole_is_never_better_than_its_parts(file: Proof, seal: Proof) -> None:
    found = overall([Proof.PROVED, file], seal)
    bad = {Proof.WRONG, Proof.ABSENT} & {file, seal}
    expected = Proof.WRONG if Proof.WRONG in bad else Proof.ABSENT if bad else Proof.PROVED
    assert found is expected
    assert overall([], Proof.PROVED) is Proof.NONE


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
    names = bob.run()
    del bob.store.objects[names["attempt-1.dsse.json"]]
    bob.about.results.clear()
    other = bob.made(by_products={"x": b"y"})
    bob.put(names["attempt-1.dsse.json"], bob.sign(other.attempt()))
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


def replaced(world: World, center: str, name: str, statement: Statement) -> None:
    """Put another statement of a center in the place of one of its run, signed and logged."""
    site = world[center]
    (key,) = [k for k in site.store.objects if k.endswith(name)]
    del site.store.objects[key]
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
    "another-center": {"checked": CheckedRun(center="cyd-1", run=RUN.run)},
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
        "run": RUN.run,
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
        checked_by_ada(World(), checked=CheckedRun(center="ada-1", run=RUN.run))


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
