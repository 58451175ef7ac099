"""Findings are joined where their scopes are equal: no file is hidden behind an equal claim."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders.core.digest import Digest
from pipelines.audit.center_finding import ExclusionReason
from pipelines.consensus.join import join
from pipelines.consensus.joined_result import Result
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import ConsensusRules
from tests.consensus.findings import SUBJECT, differs, match
from tests.consensus.world import World, reasons

FULL, NARROW = (DigestSet(sha256=Digest.of(name)) for name in (b"all files", b"one file fewer"))
RULES = ConsensusRules(k=2)


def test_another_scope_of_the_same_claim_is_not_joined() -> None:
    subject = replace(SUBJECT, scope=FULL)
    found = join(subject, [match("ada", scope=FULL), match("bob", scope=NARROW)], RULES)
    assert found.result is Result.PENDING
    assert [(e.center, e.reason) for e in found.excluded] == [
        ("bob-1", ExclusionReason.OTHER_SCOPE)
    ]
    assert found.to_dict()["scope"] == FULL.to_dict()


def test_a_difference_in_another_scope_is_no_dissent_and_is_named() -> None:
    found = join(
        replace(SUBJECT, scope=FULL),
        [match("ada", scope=FULL), match("bob", scope=FULL), differs("cyd", scope=NARROW)],
        RULES,
    )
    assert (found.result, found.dissenting) == (Result.CONFIRMED, ())
    assert [e.reason for e in found.excluded] == [ExclusionReason.OTHER_SCOPE]


def test_findings_of_before_there_were_scopes_count_as_they_did() -> None:
    subject = replace(SUBJECT, scope=FULL)
    assert join(subject, [match("ada", scope=FULL), match("bob")], RULES).result is Result.CONFIRMED
    assert join(SUBJECT, [match("ada"), match("bob")], RULES).result is Result.CONFIRMED
    assert join(subject, [match("ada"), differs("bob")], RULES).result is Result.SPLIT


def two_scopes() -> World:
    """Ada and Bob judge by the full scope; Cyd, later than both, by a narrow one."""
    world = World()
    for name, scope in (("ada-1", FULL), ("bob-1", FULL), ("cyd-1", NARROW)):
        world[name].run(scope=scope)
    return world


@pytest.mark.parametrize(
    ("center", "left_out"), [("ada-1", {"cyd-1"}), ("cyd-1", {"ada-1", "bob-1"})]
)
def test_a_center_joins_by_its_own_scope(center: str, left_out: set[str]) -> None:
    found = two_scopes().consensus(center)
    assert reasons(found) == {(name, "other-scope") for name in left_out}


def test_who_has_built_nothing_joins_by_the_scope_of_most() -> None:
    (one,) = two_scopes().consensus(None).artefacts
    assert one.subject.scope == FULL


def test_the_scope_of_a_summary_is_asked_for_again() -> None:
    world = two_scopes()
    (one,) = world.consensus("ada-1", scope=NARROW).artefacts
    assert one.subject.scope == NARROW
    assert {e.center for e in one.excluded} >= {"ada-1", "bob-1"}


def test_a_policy_can_do_without_evidence_of_before_there_were_scopes() -> None:
    world = World("ada", "bob")
    world["ada-1"].run()
    world["bob-1"].run(scope=None)
    (one,) = world.consensus().artefacts
    assert (one.result, [f.version for o in one.operators for f in o.newest]) == (
        Result.CONFIRMED,
        [2, 1],
    )
    world.min_evidence = 2
    found = world.consensus()
    assert found.artefacts[0].result is Result.PENDING
    assert reasons(found) == {("bob-1", "old-evidence")}
