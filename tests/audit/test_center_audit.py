"""From the records of one center to its findings: what a run must have, and what its log has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpFile
from pipelines.audit.center_audit import audit_center
from pipelines.audit.logged_release import LoggedRelease
from pipelines.audit.source import Source
from pipelines.audit.verdict_rule import is_supported
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.log.errors import LogError
from tests.consensus.findings import OTHER_CLAIM
from tests.consensus.test_crosschecks import replaced
from tests.consensus.world import (
    CONTENT,
    EARLIER,
    FILE,
    FILES,
    LATER,
    RELEASE,
    Site,
    World,
    reasons,
)

Document = dict[str, Any]


def two() -> World:
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    return world


def comparison_by(site: Site, change: Callable[[Document], object]) -> ComparisonStatement:
    made = site.made()
    document = made.comparison(FILE, made.provenance()).to_dict()
    change(document)
    return ComparisonStatement.model_validate(document)


ODD: dict[str, tuple[Callable[[Document], object], str, str]] = {
    "no-claim": (lambda d: d["predicate"].pop("claim"), "no-claim", ""),
    "about-other-bytes": (
        lambda d: d["predicate"]["shipped"].update(published={"sha256": "e" * 64}),
        "incomplete",
        "about other bytes than its published digest",
    ),
    "published-by-a-keyed-digest": (
        lambda d: d["predicate"]["shipped"].update(published={"hmac_sha256": "e" * 64}),
        "incomplete",
        "another claim or subject than its attempt",
    ),
    "another-claim": (
        lambda d: d["predicate"].update(claim={"sha256": "e" * 64}),
        "incomplete",
        "another claim or subject than its attempt",
    ),
    "about-two-files": (
        lambda d: d["subject"].append({"name": "z", "digest": {"sha256": "e" * 64}}),
        "incomplete",
        "another claim or subject than its attempt",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_a_comparison_that_contradicts_itself_or_its_attempt_is_no_finding(name: str) -> None:
    change, reason, detail = ODD[name]
    world = two()
    statement = comparison_by(world["bob-1"], change)
    replaced(world, "bob-1", "comparison-1.dsse.json", statement)
    (excluded,) = world.read().excluded
    assert (excluded.center, excluded.reason, excluded.detail) == ("bob-1", reason, detail)


@pytest.mark.parametrize("kind", ["comparison", "attempt"])
@pytest.mark.parametrize("changes", [{"run": EARLIER}, {"release": "acme/tool@2.0"}])
def test_a_statement_of_another_run_beside_the_right_ones_is_no_part_of_a_finding(
    kind: str, changes: dict[str, str]
) -> None:
    world = two()
    bob = world["bob-1"]
    other = bob.made(**changes)
    statement = other.attempt() if kind == "attempt" else other.comparison(FILE, None)
    replaced(world, "bob-1", f"{kind}-1.dsse.json", statement)
    found = world.read()
    assert [str(one.reason) for one in found.excluded] == ["misplaced", "incomplete", "missing"]
    assert [finding.center.id for finding in found.findings] == ["ada-1"]


SIGNATURE = {
    "format": "pe",
    "signers": [{"certificate": {"sha256": "e" * 64}}],
    "grafted": {"digest": {"sha256": str(Digest.of(CONTENT))}, "size": len(CONTENT)},
}
OTHER_BYTES = {**SIGNATURE, "grafted": {"digest": {"sha256": "d" * 64}, "size": 1}}


@pytest.mark.parametrize(
    ("verdict", "signature", "grafted"),
    [
        ("IDENTICAL_SIGNED", SIGNATURE, Digest.of(CONTENT)),
        ("IDENTICAL_SIGNED", None, None),
        ("IDENTICAL_SIGNED", OTHER_BYTES, Digest("d" * 64)),
        ("DIFFERENT", SIGNATURE, None),
    ],
)
def test_a_signature_counts_as_attached_for_its_own_verdict_alone(
    verdict: str, signature: Document | None, grafted: Digest | None
) -> None:
    world = two()

    def change(document: Document) -> None:
        document["predicate"]["verdict"] = verdict
        if verdict == "IDENTICAL_SIGNED":
            document["predicate"]["ground"] = "signature-grafted"
        document["predicate"]["rebuilt"]["digest"]["sha256"] = "a" * 64
        if signature:
            document["predicate"]["signature"] = signature

    replaced(world, "bob-1", "comparison-1.dsse.json", comparison_by(world["bob-1"], change))
    (_, bob) = world.read().findings
    assert bob.grafted == grafted
    if verdict == "IDENTICAL_SIGNED":
        assert is_supported(bob) is (grafted == Digest.of(CONTENT))


def test_an_output_that_nobody_declared_is_named_and_is_no_finding() -> None:
    world = two()
    bob = world["bob-1"]
    statement = comparison_by(bob, lambda d: d["predicate"].pop("shipped"))
    odd = statement.model_copy(
        update={"subject": (statement.subject[0].model_copy(update={"name": "surprise"}),)}
    )
    bob.put(bob.made().folder() + "comparison-2.dsse.json", bob.sign(odd))
    found = world.read()
    assert [(one.reason, one.detail) for one in found.excluded] == [
        ("undeclared-output", "surprise")
    ]
    assert [finding.center.id for finding in found.findings] == ["ada-1", "bob-1"]


@pytest.mark.parametrize(
    ("seal", "excluded"),
    [("e" * 64, "uncommitted"), (None, None), ("the same", None)],
)
def test_a_run_with_two_seals_has_no_match(seal: str | None, excluded: str | None) -> None:
    """A second attempt is there: without a seal, with that of the run, or with another one."""
    world = two()
    bob = world["bob-1"]
    document = bob.made().attempt().to_dict()
    document["predicate"] |= {"number": 2, "purpose": "retry"}
    if seal is None:
        del document["predicate"]["seal"]
    elif seal != "the same":
        document["predicate"]["seal"] = {"sha256": seal}
    retry = AttemptStatement.model_validate(document)
    bob.put(bob.made().folder() + "attempt-2.dsse.json", bob.sign(retry))
    read = world.read()
    assert [str(one.reason) for one in read.excluded] == ([excluded] if excluded else [])
    attempts = [f.attempt.name for f in read.findings if f.center.id == "bob-1"]
    assert [name.endswith("attempt-2.dsse.json") for name in attempts] == [True][: not excluded]


@pytest.mark.parametrize(("outside", "expected"), [(100000, True), (0, False), (None, False)])
def test_a_user_namespace_is_that_of_the_attempt_that_was_judged(
    outside: int | None, expected: bool
) -> None:
    world = two()
    document = world["bob-1"].made().attempt().to_dict()
    if outside is not None:
        document["predicate"]["uidMap"] = [{"inside": 0, "outside": outside, "count": 65536}]
    statement = AttemptStatement.model_validate(document)
    replaced(world, "bob-1", "attempt-1.dsse.json", statement)
    found = {finding.center.id: finding.user_namespace for finding in world.read().findings}
    assert found == {"ada-1": False, "bob-1": expected}


Changes = dict[str, Any]
UNCOMMITTED: dict[str, tuple[list[Changes], list[Changes]]] = {
    "no-commitment": ([], []),
    "after-the-statements": ([], [{}]),
    "to-another-seal": ([{"by_products": {"x": b"y"}}], []),
    "to-another-claim": ([{"claim": OTHER_CLAIM}], []),
    "of-another-run": ([{"run": EARLIER}], []),
    "twice": ([{}, {}], []),
}


@pytest.mark.parametrize("name", UNCOMMITTED)
def test_a_match_that_was_not_committed_to_before_it_was_stated_does_not_count(name: str) -> None:
    """Who has seen the shipped file can make up any match."""
    before, after = UNCOMMITTED[name]
    world = World("ada", "bob")
    world["ada-1"].run()
    bob = world["bob-1"]
    for changes in before:
        bob.commit(bob.made(**changes))
    bob.run(committed=False)
    for changes in after:
        bob.commit(bob.made(**changes))
    assert ("bob-1", "uncommitted") in reasons(world.consensus())
    assert world.result() == "PENDING"


def test_a_mismatch_that_was_not_committed_to_counts() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    world["bob-1"].run(committed=False, files={FILE: MadeUpFile.different(CONTENT, b"other bytes")})
    assert world.result() == "SPLIT"


def test_a_run_that_committed_and_says_nothing_is_named() -> None:
    world = World("ada", "bob")
    for site in world.sites.values():
        site.run()
    bob = world["bob-1"]
    bob.commit(bob.made(run=LATER))
    assert reasons(world.consensus()) == {("bob-1", "open")}
    source = Source(center="bob-1", store=bob.store)
    states = [str(run.state) for run in audit_center(world.reader, source, RELEASE).runs]
    assert states == ["stated", "open"]


def test_a_log_that_is_broken_is_named_though_there_are_no_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World("ada", "bob", "cyd")
    for name in ("ada-1", "bob-1"):
        world[name].run()

    def broken(center: str, release: str) -> LoggedRelease:
        raise LogError("altered")

    def broken_too(center: str, pae: Digest) -> int | None:
        raise LogError("altered")

    monkeypatch.setattr(world, "about", broken)
    monkeypatch.setattr(world, "index_of", broken_too)
    found = world.read(None)
    assert {(one.center, str(one.reason)) for one in found.excluded} == {
        ("ada-1", "log-broken"),
        ("bob-1", "log-broken"),
        ("cyd-1", "log-broken"),
    }


def test_what_is_withheld_is_counted_and_the_first_is_named() -> None:
    world = World("ada")
    for run in (EARLIER, LATER):
        for key in world["ada-1"].run(run=run).values():
            del world["ada-1"].store.objects[key]
    (excluded,) = world.read().excluded
    first = min(digest.hex for digest in world["ada-1"].about.results)
    assert excluded.detail == f"4 that its log has, such as {first[:16]}"
    assert excluded.indexes == tuple(sorted(world["ada-1"].about.results.values()))


def test_an_empty_store_of_what_the_log_has_withholds_it() -> None:
    world = World("ada")
    world["ada-1"].run()
    world["ada-1"].store.objects.clear()
    assert [str(one.reason) for one in world.read(None).excluded] == ["missing"]


def test_only_a_match_needs_a_proof_of_work() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    world["bob-1"].run(files={FILE: MadeUpFile.different(CONTENT, b"other bytes")})
    (_, bob) = world.read().findings
    assert (bob.work, bob.work_evidence) == (Proof.ABSENT, ())


def test_the_artefacts_of_a_release_are_in_order() -> None:
    world = World("ada")
    names = [f"{letter}.deb" for letter in "hgfedcba"]
    world["ada-1"].run(files={name: replace(FILES[FILE]) for name in names})
    found = [one.subject.artefact for one in world.consensus().artefacts]
    assert found == sorted(names)
    assert reasons(world.consensus()) == set()


def test_what_no_witness_has_seen_yet_does_not_count_and_is_named() -> None:
    world = two()
    bob = world["bob-1"]
    bob.witnessed = len(bob.log) - 1
    assert ("bob-1", "awaiting-witness") in reasons(world.consensus())
    assert world.result() == "PENDING"
    bob.witnessed += 1
    assert world.result() == "CONFIRMED"


def test_a_new_mismatch_counts_once_it_is_witnessed() -> None:
    world = two()
    bob = world["bob-1"]
    bob.witnessed = len(bob.log)
    bob.run(run=LATER, files={FILE: MadeUpFile.different(CONTENT, b"other bytes")})
    assert ("bob-1", "awaiting-witness") in reasons(world.consensus())
    bob.witnessed = len(bob.log)
    assert world.result() == "SPLIT"
