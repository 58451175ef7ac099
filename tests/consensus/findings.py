"""Findings of operators as values: one function for each kind of finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.audit.center_finding import CenterFinding, CenterInfo, StatementRef
from pipelines.consensus import Consensus
from pipelines.consensus.consensus_result import ConsensusSubject
from pipelines.consensus.join import join
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.statement import DigestSet
from pipelines.judge.difference import CauseName
from pipelines.policy import ConsensusRules

SHIPPED, TAMPERED, OTHER = (Digest.of(name) for name in (b"shipped", b"tampered", b"other"))
CLAIM, OTHER_CLAIM = (DigestSet(sha256=Digest.of(name)) for name in (b"claim", b"other claim"))
FILE = "tool.deb"
SUBJECT = ConsensusSubject(artefact=FILE, published=SHIPPED, claim=CLAIM)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MakeFinding = Callable[..., CenterFinding]


def said(operator: str, **changes: Any) -> CenterFinding:
    """Return a match by the one center of an operator, in a region of its own, with `changes`.

    By default a center is named after its operator, and a region after its center.
    """
    center = changes.pop("center", f"{operator}-1")
    region = changes.pop("region", f"{center}-land")
    base = CenterFinding(
        center=CenterInfo(id=center, operator=operator, region=region),
        key=f"ed25519 {center}",
        artefact=FILE,
        published=SHIPPED,
        claim=CLAIM,
        run="20260102T030405Z-0a1b2c3d",
        outcome=Outcome.BUILT,
        verdict=Verdict.IDENTICAL,
        served=SHIPPED,
        rebuilt=DigestSet(sha256=SHIPPED),
        comparison=StatementRef(
            name=f"public/{center}/comparison-1.dsse.json", digest=Digest.of(b"b" + center.encode())
        ),
        attempt=StatementRef(
            name=f"public/{center}/attempt-1.dsse.json", digest=Digest.of(b"e" + center.encode())
        ),
        index=7,
        work=Proof.PROVED,
    )
    return replace(base, **changes)


def match(operator: str, **changes: Any) -> CenterFinding:
    return said(operator, **changes)


def signed_match(operator: str, **changes: Any) -> CenterFinding:
    return said(
        operator,
        **{
            "verdict": Verdict.IDENTICAL_SIGNED,
            "rebuilt": DigestSet(sha256=OTHER),
            "grafted": SHIPPED,
            **changes,
        },
    )


def differs(operator: str, made: Digest = TAMPERED, **changes: Any) -> CenterFinding:
    return said(
        operator, **{"verdict": Verdict.DIFFERENT, "rebuilt": DigestSet(sha256=made), **changes}
    )


def differs_otherwise(operator: str, **changes: Any) -> CenterFinding:
    return differs(operator, OTHER, **changes)


def missing(operator: str, **changes: Any) -> CenterFinding:
    return said(operator, **{"verdict": Verdict.MISSING, "rebuilt": None, **changes})


def wavers(operator: str, **changes: Any) -> CenterFinding:
    return differs(operator, **{"causes": frozenset({CauseName.NONDETERMINISTIC}), **changes})


def unreachable(operator: str, **changes: Any) -> CenterFinding:
    return said(operator, **{"verdict": Verdict.NOT_CHECKED, "served": None, **changes})


def failed(operator: str, outcome: Outcome = Outcome.BUILD_FAILED, **changes: Any) -> CenterFinding:
    return said(
        operator,
        **{
            "outcome": outcome,
            "verdict": Verdict.NOT_CHECKED,
            "served": None,
            "rebuilt": None,
            **changes,
        },
    )


def cancelled(operator: str, **changes: Any) -> CenterFinding:
    return failed(operator, Outcome.CANCELLED, **changes)


def served_another(operator: str, **changes: Any) -> CenterFinding:
    return said(operator, **{"verdict": Verdict.SHIPPED_MISMATCH, "served": OTHER, **changes})


def equivalent(operator: str, **changes: Any) -> CenterFinding:
    return said(
        operator,
        **{
            "verdict": Verdict.EQUIVALENT,
            "rebuilt": DigestSet(sha256=OTHER),
            "normalizers": frozenset({"strip-signature"}),
            **changes,
        },
    )


def joined(*positions: CenterFinding, k: int = 2, allowed: str = "", **fields: Any) -> Consensus:
    """Return what these findings are together, under rules with these values."""
    rules = ConsensusRules(k=k, normalizers=frozenset(allowed.split()), **fields)
    return join(SUBJECT, positions, rules)
