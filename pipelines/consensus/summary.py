"""From a consensus to statement D, for whoever checks one file and nothing else.

PASSED for what passed, FAILED for SUSPECT, SPLIT and NONDETERMINISTIC; of anything else nothing is
said. `SLSA_BUILD_REPRODUCED` is only claimed for operators that are distinct in law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipelines.consensus.result import Consensus
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.statements.statement import NAMESPACE, DigestSet, subject
from pipelines.evidence.statements.vsa import (
    FAILED_LEVEL,
    REPRODUCED,
    REVIEWED,
    Extension,
    Reference,
    SummaryStatement,
    Summed,
    VerificationSummary,
    Verifier,
)

if TYPE_CHECKING:
    from pipelines.consensus.position import Basis
    from pipelines.policy import Policy


@dataclass(frozen=True, kw_only=True)
class Summarizer:
    """Who sums up: the center, and the policy that it joined by."""

    center: str
    verifier: str
    version: str
    policy: Reference
    legal: Mapping[str, str]
    """From operators to their names in law."""


def legal_names(policy: Policy) -> dict[str, str]:
    """Return the names in law of the operators of a policy."""
    return {operator.name: operator.legal for operator in policy.operators}


def summary(
    consensus: Consensus,
    release: ReleaseName,
    *,
    by: Summarizer,
    resource: str,
    reviews: int,
    number: int,
    supersedes: Reference | None,
    now: datetime,
) -> SummaryStatement | None:
    """Return statement D, made at `now` (UTC); None where a consensus says neither way.

    `resource` is the canonical purl or download URI of the shipped file, `reviews` how many count
    for exactly the source and claim, `number` counts the summaries of this file from 1.
    """
    question = consensus.question
    if consensus.passed is None or question.claim is None:
        return None
    matched = tuple(voice.operator for voice in consensus.matched)
    return SummaryStatement(
        subject=(subject(question.artefact, question.published),),
        predicate=VerificationSummary(
            verifier=Verifier(id=by.verifier, version={"samebits": by.version}),
            time_verified=now.replace(microsecond=0),
            resource_uri=resource,
            policy=by.policy,
            input_attestations=tuple(_reference(basis) for basis in consensus.rests_on),
            verification_result=Summed.PASSED if consensus.passed else Summed.FAILED,
            verified_levels=_levels(by.legal, matched, reviews)
            if consensus.passed
            else (FAILED_LEVEL,),
            consensus=Extension(
                release=str(release),
                center=by.center,
                result=consensus.result.value,
                claim=question.claim,
                matched=matched,
                dissenting=tuple(voice.operator for voice in consensus.dissenting),
                work_proof=consensus.work_proof.value,
                number=number,
                supersedes=supersedes,
            ),
        ),
    )


def record_uri(name: str) -> str:
    """Return the URI of a record: where it is, below whatever serves the center's store."""
    return f"{NAMESPACE}{name}"


def resource_uri(release: ReleaseName, artefact: str, locator: str | None) -> str:
    """Return what a shipped file is called: the purl or address in its recipe, or a generic purl.

    A path beside a recipe is no name to anybody else, and of a private release none is told.
    """
    if locator is not None and not locator.startswith("file:"):
        return locator
    vendor, product, version, name = (quote(part, safe="") for part in (*_parts(release), artefact))
    return f"pkg:generic/{vendor}/{product}@{version}?file_name={name}"


def _parts(release: ReleaseName) -> tuple[str, str, str]:
    return release.vendor, release.product, release.version


def _levels(legal: Mapping[str, str], matched: tuple[str, ...], reviews: int) -> tuple[str, ...]:
    bodies = {" ".join(legal[name].split()).casefold() for name in matched if name in legal}
    levels = (REPRODUCED,) if len(bodies) > 1 else ()
    return (*levels, f"{REVIEWED}{reviews}") if reviews > 0 else levels


def _reference(basis: Basis) -> Reference:
    return Reference(uri=record_uri(basis.name), digest=DigestSet(sha256=basis.digest))
