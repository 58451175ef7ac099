"""The report of one run, as it is stored and printed, and the robustness rebuild beside it.

A robustness rebuild shows how robust a build is, and is never part of a verdict.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Outcome, Verdict
from builders.core.frozen_model import FrozenModel
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.robustness_factors import KeptFactor, VariedFactor
from builders.rebuild.seal import SealedFile
from pipelines.evidence.statements.statement import Time
from pipelines.judge.finding import Finding


class SourceFact(FrozenModel):
    """A source input: where it came from, its pin, and the digest of the tree inside it."""

    locator: str
    sha256: Digest
    source_digest: Digest | None = None


class ReviewFact(FrozenModel):
    """A reviewer of exactly this source and claim who counted; `key` is the id of their key."""

    name: str
    key: str


class Environment(FrozenModel):
    """The declared environment of the rebuild, and the machine that it ran on."""

    declared: dict[str, str | dict[str, str]]
    method: str
    image: str | None = None
    image_config: Digest | None = None
    sources: tuple[SourceFact, ...] = ()
    engine: str | None = None
    kernel: str | None = None
    cgroup: str | None = None
    samebits: str | None = None
    visibility: Literal["public", "private"] = "public"
    """Of a private release, the public form of a report holds keyed digests and no text."""
    reviews: tuple[ReviewFact, ...] = ()


class Purpose(StrEnum):
    """What an attempt was made for."""

    JUDGED = "judged"
    RETRY = "retry"
    CONFIRMING = "confirming"
    """Made after the verdict: it is in the explanation of a run; in old reports an attempt."""
    RUN = "run"
    """Of statements alone: the run ended without an attempt of its outcome."""


class Attempt(FrozenModel):
    """One attempt at the rebuild; `purpose` is a `Purpose`."""

    number: int
    purpose: str
    rebuild: RebuildResult


class StoredDocument(FrozenModel):
    """A document about a run that is stored and printed."""

    def to_json(self) -> bytes:
        """Return the JSON document that is stored and printed.

        Fields stand in the order of the models, and names inside a field in their own: a signer
        that received the document in canonical JSON writes the same bytes.
        """
        plain = canonical_json(self.model_dump(mode="json", by_alias=True))
        whole = type(self).model_validate_json(plain)
        return whole.model_dump_json(by_alias=True, indent=2).encode() + b"\n"


class Report(StoredDocument):
    """One run of one release, as it was at the verdict; what explains it is stored beside it."""

    vendor: str
    product: str
    version: str
    center: str
    run: str
    claim: Digest | None = None
    scope: Digest | None = None
    """None in reports of before there were scopes."""
    seal: Digest | None = None
    outcome: Outcome
    reason: str | None = None
    verdict: Verdict
    artefacts: tuple[Finding, ...]
    by_products: tuple[SealedFile, ...] = ()
    environment: Environment
    timings: dict[str, float]
    attempts: tuple[Attempt, ...] = ()

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"

    @property
    def judged(self) -> Attempt | None:
        """The attempt whose outputs were judged: the last one that was not made to confirm."""
        return next((a for a in reversed(self.attempts) if a.purpose != Purpose.CONFIRMING), None)

    @property
    def shipped_digests(self) -> frozenset[Digest]:
        """The digests of what is shipped, as published and as served: they are public."""
        facts = [finding.shipped for finding in self.artefacts if finding.shipped]
        served = (fact.sha256 for fact in facts if fact.sha256)
        return frozenset([*(fact.published for fact in facts), *served])


class Robustness(StrEnum):
    """What a second rebuild with moved factors showed."""

    SAME = "same"
    DIFFERS = "differs"
    FAILED = "failed"
    """It left nothing to compare."""

    @classmethod
    def of(cls, *, built: bool, same: bool) -> Robustness:
        """Return the result of a rebuild that left, or did not leave, all the same artefacts."""
        if not built:
            return cls.FAILED
        return cls.SAME if same else cls.DIFFERS


class RobustnessRebuild(FrozenModel):
    """The second rebuild of a run; it is not one of the run's attempts, and is not judged."""

    moved: tuple[VariedFactor, ...]
    kept: tuple[KeptFactor, ...]
    rebuild: RebuildResult
    tested_on: Time
    """When it had ended."""


def changed_artefacts(judged: RebuildResult, again: RebuildResult) -> tuple[str, ...]:
    """Return the names of the artefacts that differ between two rebuilds, sorted."""
    one, two = judged.artefacts, again.artefacts
    return tuple(sorted(name for name in one | two if one.get(name) != two.get(name)))
