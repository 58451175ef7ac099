"""From a consensus to statement D, by which a customer checks one file alone.

PASSED for what passed, FAILED for SUSPECT, SPLIT and NONDETERMINISTIC; of anything else there is no
summary. `SLSA_BUILD_REPRODUCED` is only claimed for operators that are distinct in law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from pipelines.consensus.consensus_result import Consensus
from pipelines.evidence.release_name import ReleaseName
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
    """The author of the summaries of one release: the center, and the policy that it joins by."""

    release: ReleaseName
    center: str
    verifier: str
    version: str
    policy: Reference
    legal: Mapping[str, str]
    """From operators to their names in law."""
    reviews: int
    """How many count for exactly the source and claim."""
    locators: Mapping[str, str]
    """From artefacts to the locators of their shipped files, as far as they are public."""

    def summary(
        self, consensus: Consensus, number: int, supersedes: Reference | None, now: datetime
    ) -> SummaryStatement | None:
        """Return statement D, made at `now` (UTC); None for a consensus without a pass or fail.

        `number` counts the summaries of this file from 1.
        """
        about = consensus.subject
        if consensus.passed is None or about.claim is None:
            return None
        return SummaryStatement(
            subject=(subject(about.artefact, about.published),),
            predicate=VerificationSummary(
                verifier=Verifier(id=self.verifier, version={"samebits": self.version}),
                time_verified=now.replace(microsecond=0),
                resource_uri=self.resource_uri(about.artefact),
                policy=self.policy,
                input_attestations=tuple(
                    Reference(uri=record_uri(ref.name), digest=DigestSet(sha256=ref.digest))
                    for ref in consensus.evidence
                ),
                verification_result=Summed.PASSED if consensus.passed else Summed.FAILED,
                verified_levels=self._levels(consensus),
                consensus=Extension(
                    release=str(self.release),
                    center=self.center,
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

    def resource_uri(self, artefact: str) -> str:
        """Return the purl or address of a shipped file; a generic purl where there is none.

        A path beside a recipe means nothing to others.
        """
        locator = self.locators.get(artefact, "file:")
        if not locator.startswith("file:"):
            return locator
        parts = (quote(part, safe="") for part in (*self.release.parts, artefact))
        vendor, product, version, name = parts
        return f"pkg:generic/{vendor}/{product}@{version}?file_name={name}"

    def _levels(self, consensus: Consensus) -> tuple[str, ...]:
        if not consensus.passed:
            return (FAILED_LEVEL,)
        known = (self.legal[name] for name in consensus.matched if name in self.legal)
        bodies = {" ".join(name.split()).casefold() for name in known}
        levels = (REPRODUCED,) if len(bodies) > 1 else ()
        return (*levels, f"{REVIEWED}{self.reviews}") if self.reviews > 0 else levels


def record_uri(name: str) -> str:
    """Return the URI of a record: its name below the namespace of the project."""
    return f"{NAMESPACE}{name}"
