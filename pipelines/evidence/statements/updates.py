"""What a comparison says of a delta or a manifest of an update."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from builders.core.enums import Verdict
from builders.recipe.update import DeltaJudged, DeltaName
from builders.recipe.update_manifest import ManifestName
from pipelines.evidence.statements.statement import (
    Count,
    DigestSet,
    Line,
    ReleaseText,
    RunIdText,
    StatementPart,
    Time,
)
from pipelines.judge.updates.manifest_format import MAX_LISTED
from pipelines.judge.updates.update_fault import UpdateFault, UpdateResult, update_result


class FileDigest(StatementPart):
    """Digest and size in bytes of one file."""

    digest: DigestSet
    size: Count


class ChainSummary(StatementPart):
    """What a base rests on, by the runs of this center: the updates from a full release on."""

    links: Annotated[Count, Field(ge=1)]
    """How many they are, with the update that has the delta: 1 on a full release."""
    release: ReleaseText
    """The full release; where a base was not judged, the release of that."""
    digest: DigestSet
    run: RunIdText | None = None
    worst: Verdict
    """Of the files that deltas were applied to, and the deltas that lead to them."""
    worst_release: ReleaseText


class BaseReference(StatementPart):
    """The file that a delta is applied to, and the run of this center that judged it."""

    release: ReleaseText
    digest: DigestSet
    run: RunIdText | None = None
    comparison: DigestSet | None = None
    """Of the payload of that run's comparison of the file."""
    chain: ChainSummary | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len({self.run is None, self.comparison is None, self.chain is None}) > 1:
            raise ValueError("expected a run, its comparison and what it rests on, or none of them")
        return self


class ComparedDelta(StatementPart):
    """A delta: what the base with it applied is, and what it has to be."""

    format: DeltaName
    judged: DeltaJudged
    target: DigestSet
    """The published file that it gives."""
    base: BaseReference
    members: bool = False
    """Whether the next two are lists of members, as the format has no canonical bytes."""
    applied: FileDigest | None = None
    """What it gave."""
    expected: FileDigest | None = None
    """Our target: the rebuilt file, or that with the vendor's signature."""
    fault: UpdateFault | None = None

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.fault is None and not (
            self.applied and self.applied == self.expected and self.base.run
        ):
            raise ValueError("expected a delta that gives our target, of a base that was judged")
        return self

    @property
    def result(self) -> UpdateResult:
        """What it leaves of the verdict."""
        return update_result(self.fault, stands_in=self.judged is DeltaJudged.APPLIED)


class ManifestClaim(StatementPart):
    """A field of a manifest that follows from no bytes: the vendor's own claim."""

    path: Line
    says: Line


class ComparedManifest(StatementPart):
    """A manifest: the fields that are so of our bytes, and those that only the vendor says."""

    format: ManifestName
    version: Line | None = None
    expires: Time | None = None
    seen_on: Time | None = None
    """When the center first fetched it."""
    recomputed: Annotated[tuple[Line, ...], Field(max_length=4 * MAX_LISTED)] = ()
    kept: Count = 0
    """Files that it lists as the manifest before it does."""
    claims: Annotated[tuple[ManifestClaim, ...], Field(max_length=4 * MAX_LISTED)] = ()
    previous: BaseReference | None = None
    """The manifest that it replaces, and the run of this center that judged that."""
    fault: UpdateFault | None = None

    @property
    def result(self) -> UpdateResult:
        """What it leaves of the verdict."""
        return update_result(self.fault, stands_in=True)
