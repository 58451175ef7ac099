"""Statement A: SLSA provenance v1 of what was rebuilt; only for BUILT, subjects = rebuilt bytes.

Field rules: SLSA specification, build provenance v1. Build type `https://samebits.example/rebuild/v1`:
externalParameters hold all of the recipe that can change the outputs, internalParameters the claim
(SHA-256 over just that), resolvedDependencies every input and the builder image, byproducts the
log, the SBOM, the seal, and the by-products of the build by keyed digests only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, JsonValue

from builders.core.digest import Digest
from builders.core.enums import Kind
from pipelines.evidence.statements.statement import (
    DigestSet,
    Line,
    Part,
    Release,
    Resource,
    RunName,
    Statement,
    Subject,
    Time,
    Uri,
    Word,
)

if TYPE_CHECKING:  # who only reads statements needs no recipes, and no engine
    from pipelines.evidence.statements.run import Dependency, Run

SLSA_PROVENANCE = "https://slsa.dev/provenance/v1"
_MAX_LISTED = 20_000

Text = Annotated[str, Field(max_length=32768)]


class DeclaredClock(Part):
    """What programs and file times said during the build: a time, frozen or advancing.

    `then` is the time to which it went on once, if it did, and `before` says when.
    """

    time: Line
    mode: Word
    then: Line | None = None
    before: Word | None = None


class DeclaredEnvironment(Part):
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


class ExternalParameters(Part):
    """All of the recipe that can change the outputs; `recipe` is the digest of its file."""

    release: Release
    recipe: DigestSet
    kind: Kind
    platform: Line
    method: Word
    parameters: Annotated[dict[Line, JsonValue], Field(max_length=64)]
    """Those of the method."""
    image: Line
    environment: DeclaredEnvironment | None = None
    """Left out, with the parameters, where the source is closed."""


class InternalParameters(Part):
    """The claim: equal claims of two centers are about the same rebuild."""

    claim: DigestSet


class BuildDefinition(Part):
    """What was to be built, and from what."""

    build_type: Literal["https://samebits.example/rebuild/v1"] = (
        "https://samebits.example/rebuild/v1"
    )
    external_parameters: ExternalParameters
    internal_parameters: InternalParameters
    resolved_dependencies: Annotated[
        tuple[Resource, ...], Field(min_length=1, max_length=_MAX_LISTED)
    ]


class Builder(Part):
    """Who built: the identity that the center's file gives, and the version of samebits."""

    id: Uri
    version: dict[Word, Line] | None = None


class Metadata(Part):
    """Which run it was, and when."""

    invocation_id: RunName
    started_on: Time
    finished_on: Time


class RunDetails(Part):
    """This one run."""

    builder: Builder
    metadata: Metadata
    byproducts: Annotated[tuple[Resource, ...], Field(max_length=_MAX_LISTED)]


class Provenance(Part):
    """The predicate of SLSA provenance v1."""

    build_definition: BuildDefinition
    run_details: RunDetails


class ProvenanceStatement(Statement):
    """Statement A."""

    predicate_type: Literal["https://slsa.dev/provenance/v1"] = "https://slsa.dev/provenance/v1"
    predicate: Provenance


def provenance(run: Run, *, sbom: Digest) -> ProvenanceStatement | None:
    """Return the provenance of a run's declared outputs; None when it left none."""
    report, recipe = run.report, run.loaded.recipe
    judged = run.judged
    names = {artefact.name for artefact in recipe.artefacts}
    outputs = [o for o in judged.outputs if o.name in names] if judged else []
    if not run.built or not outputs or report.claim is None:
        return None
    environment = run.environment()
    definition = BuildDefinition(
        external_parameters=ExternalParameters(
            release=report.release,
            recipe=run.told(run.recipe),
            kind=recipe.kind,
            platform=recipe.platform,
            method=recipe.build.method,
            parameters=run.parameters(),
            image=run.image_name,
            environment=DeclaredEnvironment.model_validate(environment) if environment else None,
        ),
        internal_parameters=InternalParameters(claim=run.told(report.claim)),
        resolved_dependencies=(
            *(_dependency(item) for item in run.dependencies()),
            _image(run),
        ),
    )
    return ProvenanceStatement(
        subject=tuple(Subject(name=o.name, digest=run.told(o.sha256)) for o in outputs),
        predicate=Provenance(
            build_definition=definition,
            run_details=RunDetails(
                builder=Builder(
                    id=run.center.builder_id,
                    version={"samebits": report.environment.samebits}
                    if report.environment.samebits
                    else None,
                ),
                metadata=Metadata(
                    invocation_id=report.run, started_on=run.started, finished_on=run.finished
                ),
                byproducts=tuple(_byproducts(run, sbom)),
            ),
        ),
    )


def _image(run: Run) -> Resource:
    name = run.image_name.partition("@")[0].partition(":")[0]
    return Resource(
        name=name,
        uri=f"pkg:oci/{name}@sha256%3A{run.image}",
        digest=DigestSet(sha256=run.image),
        annotations={"role": "image"},
    )


def _dependency(item: Dependency) -> Resource:
    annotations = {"role": str(item.role)}
    if item.source_digest:
        told = "keyed-source-digest" if item.keyed else "source-digest"
        annotations[told] = str(item.source_digest)
    return Resource(
        name=item.name,
        uri=item.uri,
        digest=DigestSet(hmac_sha256=item.sha256)
        if item.keyed
        else DigestSet(sha256=item.sha256, git_commit=item.commit),
        annotations=annotations,
    )


def _byproducts(run: Run, sbom: Digest) -> list[Resource]:
    report, judged = run.report, run.judged
    found = [Resource(name="sbom.cdx.json", digest=run.told(sbom))]
    if judged and judged.log:
        found.append(Resource(name="build.log", digest=run.told(judged.log)))
    if report.seal:
        found.append(Resource(name="seal", digest=DigestSet(sha256=report.seal)))
    found += [
        Resource(
            name=file.name,
            digest=DigestSet(hmac_sha256=file.hmac),
            annotations={"role": "by-product", "size": str(file.size)},
        )
        for file in report.by_products
    ]
    return found
