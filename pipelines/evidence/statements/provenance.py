"""Statement A: SLSA provenance v1 of what was rebuilt; only for BUILT, subjects = rebuilt bytes.

Of the files that are the shipped ones with the vendor's signature there is a second one, of build
type `https://samebits.example/graft/v1`: subjects = those files, resolvedDependencies the rebuilt
files and the signatures, all other parameters those of the first.

Field rules: SLSA specification, build provenance v1. Build type `https://samebits.example/rebuild/v1`:
externalParameters hold all of the recipe that can change the outputs, internalParameters the claim
(SHA-256 over just that), resolvedDependencies every input and the builder image, byproducts the
log, the SBOM, the seal, and the by-products of the build by keyed digests only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, JsonValue

from builders.core.enums import Kind
from pipelines.evidence.statements.statement import (
    MAX_LISTED,
    NAMESPACE,
    DigestSet,
    Line,
    ReleaseText,
    Resource,
    RunIdText,
    RunReference,
    Statement,
    StatementPart,
    Time,
    Uri,
    Word,
)

Text = Annotated[str, Field(max_length=32768)]


class DeclaredClock(StatementPart):
    """What programs and file times said during the build: a time, frozen or advancing.

    `then` is the time to which it went on once, if it did, and `before` says when.
    """

    time: Line
    mode: Word
    then: Line | None = None
    before: Word | None = None


class DeclaredEnvironment(StatementPart):
    """What the recipe says of the machine that a build sees."""

    clock: DeclaredClock | None = None
    folder_order: Word | None = None
    hostname: Line
    locale: Line
    path: Line
    timezone: Line
    umask: Line
    variables: Annotated[dict[Line, Text], Field(max_length=512)]

    def declared(self) -> dict[str, Any]:
        """Return it as recipes, claims and reports have it."""
        return self.model_dump(mode="json", by_alias=False, exclude_none=True)


class ExternalParameters(StatementPart):
    """All of the recipe that can change the outputs; `recipe` is the digest of its file."""

    release: ReleaseText
    recipe: DigestSet
    kind: Kind
    platform: Line
    method: Word
    parameters: Annotated[dict[Line, JsonValue], Field(max_length=64)]
    """Those of the method."""
    image: Line
    environment: DeclaredEnvironment | None = None
    """Left out, with the parameters and packings, where the source is closed."""
    packing: Annotated[dict[Line, JsonValue], Field(max_length=MAX_LISTED)] | None = None
    """How outputs were packed again, by their names; left out where none was."""


class InternalParameters(StatementPart):
    """The claim: equal claims of two centers are about the same rebuild."""

    claim: DigestSet


class BuildType(StrEnum):
    """What made the subjects."""

    REBUILD = f"{NAMESPACE}rebuild/v1"
    GRAFT = f"{NAMESPACE}graft/v1"
    """The vendor's signature was put onto rebuilt files."""


class BuildDefinition(StatementPart):
    """What was to be built, and from what."""

    build_type: BuildType = BuildType.REBUILD
    external_parameters: ExternalParameters
    internal_parameters: InternalParameters
    resolved_dependencies: Annotated[
        tuple[Resource, ...], Field(min_length=1, max_length=MAX_LISTED)
    ]


class Builder(StatementPart):
    """Who built: the identity that the center's file gives, and the version of samebits."""

    id: Uri
    version: dict[Word, Line] | None = None


class Metadata(StatementPart):
    """Which run it was, and when."""

    invocation_id: RunIdText
    started_on: Time
    finished_on: Time


class RunDetails(StatementPart):
    """This one run."""

    builder: Builder
    metadata: Metadata
    byproducts: Annotated[tuple[Resource, ...], Field(max_length=MAX_LISTED)]


class Provenance(StatementPart):
    """The predicate of SLSA provenance v1."""

    build_definition: BuildDefinition
    run_details: RunDetails


class ProvenanceStatement(
    Statement, kind="provenance", predicate_type="https://slsa.dev/provenance/v1"
):
    """Statement A."""

    predicate: Provenance

    @property
    def build_type(self) -> BuildType:
        """What made the subjects."""
        return self.predicate.build_definition.build_type

    @property
    def by_products(self) -> tuple[Resource, ...]:
        """Return the by-products of the build; the seal and what was written are none of them."""
        listed = self.predicate.run_details.byproducts
        return tuple(r for r in listed if r.annotation("role") == "by-product")

    def written(self, name: str) -> list[DigestSet]:
        """Return the digests under a name such as `seal` or `build.log`: one, where all is well."""
        listed = self.predicate.run_details.byproducts
        return [r.digest for r in listed if r.name == name and not r.annotation("role")]

    @property
    def run_reference(self) -> RunReference:
        """Return which run it is about; only the builder says of which center."""
        definition, details = self.predicate.build_definition, self.predicate.run_details
        return RunReference(
            release=definition.external_parameters.release,
            center=None,
            run=details.metadata.invocation_id,
            builder=details.builder.id,
            claim=definition.internal_parameters.claim,
        )
