"""Proofs of work: who truly built can make them, and who only hashed the public file cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.rebuild.seal import SealedFile, seal_files
from infra.bench.madeup import MadeUpRun
from pipelines.audit.center_finding import StatementRef
from pipelines.consensus.work_check import OwnBuild, WorkOffer, check_work
from pipelines.evidence.redaction import redact_by_products
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.consensus_results import (
    Proof,
    overall,
)
from pipelines.storage.names import Visibility
from tests.consensus.world import CONTENT, FILES, PRODUCTS
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
    salted = claimed(replace(RUN, secret=salt.secret))
    salted = replace(salted, lines=redact_by_products(salted.lines, salt))
    assert check_work(salted, own(salt=salt), same_outputs=True).proof is Proof.PROVED
    other_seal = replace(salted, seal=RUN.seal())
    assert check_work(other_seal, own(salt=salt), same_outputs=True).seal is Proof.WRONG
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
