"""From a consensus to statement D, for whoever checks one file and nothing else.

PASSED for what passed, FAILED for SUSPECT, SPLIT and NONDETERMINISTIC; of anything else there is no
summary. `SLSA_BUILD_REPRODUCED` is only claimed for operators that are distinct in law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, kw_only=True)
class Summarizer:
    """The author of summaries: the center, and the policy that it joins by."""

    center: str
    verifier: str
    version: str
    policy: Reference
    legal: Mapping[str, str]
    """From operators to their names in law."""


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
    about = consensus.subject
    if consensus.passed is None or about.claim is None:
        return None
    levels = _levels(by.legal, consensus.matched, reviews) if consensus.passed else (FAILED_LEVEL,)
    return SummaryStatement(
        subject=(subject(about.artefact, about.published),),
        predicate=VerificationSummary(
            verifier=Verifier(id=by.verifier, version={"samebits": by.version}),
            time_verified=now.replace(microsecond=0),
            resource_uri=resource,
            policy=by.policy,
            input_attestations=tuple(
                Reference(uri=record_uri(ref.name), digest=DigestSet(sha256=ref.digest))
                for ref in consensus.evidence
            ),
            verification_result=Summed.PASSED if consensus.passed else Summed.FAILED,
            verified_levels=levels,
            consensus=Extension(
                release=str(release),
                center=by.center,
                result=consensus.result.value,
                claim=about.claim,
                matched=consensus.matched,
                dissenting=consensus.dissenting,
                work_proof=consensus.work_proof.value,
                number=number,
                supersedes=supersedes,
            ),
        ),
    )


def record_uri(name: str) -> str:
    """Return the URI of a record: its name below the namespace of the project."""
    return f"{NAMESPACE}{name}"


def resource_uri(release: ReleaseName, artefact: str, locator: str | None) -> str:
    """Return the URI of a shipped file: the purl or address in its recipe, or a generic purl.

    A path beside a recipe means nothing to others; of a private release no locator is given.
    """
    if locator is not None and not locator.startswith("file:"):
        return locator
    parts = (release.vendor, release.product, release.version, artefact)
    vendor, product, version, name = (quote(part, safe="") for part in parts)
    return f"pkg:generic/{vendor}/{product}@{version}?file_name={name}"


def _levels(legal: Mapping[str, str], matched: tuple[str, ...], reviews: int) -> tuple[str, ...]:
    bodies = {" ".join(legal[name].split()).casefold() for name in matched if name in legal}
    levels = (REPRODUCED,) if len(bodies) > 1 else ()
    return (*levels, f"{REVIEWED}{reviews}") if reviews > 0 else levels
