"""What bundles prove together: joined by the rules by which centers join findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders.core.enums import Kind
from infra.bench.madeup import EMPTY_POLICY
from pipelines.audit.center_finding import CenterFinding
from pipelines.bundle.check import CheckResult, CheckStatus
from pipelines.bundle.check.result import FileAnswer, Step
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.policy import ConsensusRules
from pipelines.policy.model import PolicyRules
from pipelines.portal.remote_check import CheckedBundle, PortalCheck, join_bundles
from tests.consensus.findings import (
    OTHER_CLAIM,
    SHIPPED,
    differs,
    match,
    signed_match,
    unreachable,
)

OK, UNCHECKED, WRONG = CheckStatus.OK, CheckStatus.UNCHECKED, CheckStatus.WRONG


def bundle(
    finding: CenterFinding, status: CheckStatus = OK, kind: Kind = Kind.BINARY
) -> CheckedBundle:
    """Return a bundle with a finding, unless it does not prove it."""
    answer = FileAnswer(file="f", sha256=SHIPPED, artefact="f", verdict=finding.verdict)
    steps = (Step(name="a", status=status, message=""),)
    result = CheckResult(release="acme/tool@1.0", steps=steps, files=(answer,))
    findings = (replace(finding, work=Proof.NONE),) if status is OK else ()
    return CheckedBundle(path="bundles/x", result=result, findings=findings, kind=kind)


ADA, BOB = bundle(match("ada")), bundle(match("bob"))


def checked(*bundles: CheckedBundle, left_out: int = 0, **rules: Any) -> PortalCheck:
    shared = ConsensusRules(**{"k": 2, "regions": 2, **rules})
    kinds = {Kind.RULESET: replace(shared, k=3)}
    policy = replace(EMPTY_POLICY, consensus=PolicyRules(**vars(shared), kinds=kinds))
    found = tuple(join_bundles(bundles, policy))
    return PortalCheck(
        portal="x", sha256=SHIPPED, bundles=bundles, left_out=left_out, consensus=found
    )


@pytest.mark.parametrize(
    ("bundles", "expected"),
    [
        ((), 2),
        ((ADA,), 2),
        ((ADA, ADA), 2),
        ((ADA, BOB), 0),
        ((ADA, bundle(signed_match("bob"))), 0),
        ((ADA, bundle(match("bob", region="ada-1-land"))), 2),
        ((ADA, bundle(match("bob", key="ed25519 ada-1"))), 2),
        ((ADA, bundle(match("bob", claim=OTHER_CLAIM))), 2),
        ((ADA, bundle(match("bob"), UNCHECKED)), 2),
        ((ADA, bundle(unreachable("bob"))), 2),
        ((ADA, BOB, bundle(match("cyd"), WRONG)), 1),
        ((ADA, BOB, bundle(differs("cyd"))), 1),
        ((ADA, bundle(differs("bob"))), 1),
        ((bundle(differs("ada")),), 1),
        ((bundle(match("ada"), kind=Kind.RULESET), bundle(match("bob"), kind=Kind.RULESET)), 2),
        ((ADA, bundle(match("bob"), kind=Kind.UPDATE)), 2),
    ],
)
def test_bundles_are_joined_as_a_center_joins_findings(
    bundles: tuple[CheckedBundle, ...], expected: int
) -> None:
    assert checked(*bundles).exit_code == expected


@pytest.mark.parametrize(
    "rules", [{"work_proof": "required"}, {"user_namespace": "required"}, {"k": 0}]
)
def test_what_the_policy_asks_for_and_bundles_do_not_have_confirms_nothing(rules: Any) -> None:
    assert checked(ADA, BOB, **rules).exit_code == 2


def test_where_bundles_were_left_out_nothing_is_confirmed() -> None:
    assert checked(ADA, BOB, left_out=1).exit_code == 2
    assert checked(ADA, bundle(differs("bob")), left_out=1).exit_code == 1
