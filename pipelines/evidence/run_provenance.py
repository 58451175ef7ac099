"""Provenance of one run: of what was rebuilt, and of what has the vendor's signature besides."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.evidence.run import Run, uri_of
from pipelines.evidence.statements.provenance import (
    BuildDefinition,
    Builder,
    BuildType,
    DeclaredEnvironment,
    ExternalParameters,
    InternalParameters,
    Metadata,
    Provenance,
    ProvenanceStatement,
    RunDetails,
)
from pipelines.evidence.statements.statement import DigestSet, Resource, Subject
from pipelines.judge.signatures.signature_format import Graft


def provenance_of(run: Run, sbom: Digest) -> ProvenanceStatement | None:
    """Return statement A about the declared outputs; None when there are none."""
    report, recipe = run.report, run.loaded.recipe
    names = {artefact.name for artefact in recipe.artefacts}
    outputs = [o for o in run.judged.outputs if o.name in names] if run.judged else []
    if not run.built or not outputs or report.claim is None:
        return None
    environment, samebits = run.environment(), report.environment.samebits
    definition = BuildDefinition(
        external_parameters=ExternalParameters(
            release=report.release,
            recipe=run.digest_set(run.recipe),
            kind=recipe.kind,
            platform=recipe.platform,
            method=recipe.build.method,
            parameters=run.parameters(),
            image=run.image_name,
            environment=DeclaredEnvironment.model_validate(environment) if environment else None,
            packing=run.packings() or None,
        ),
        internal_parameters=InternalParameters(claim=run.digest_set(report.claim)),
        resolved_dependencies=(*run.dependencies(), _image(run)),
    )
    details = RunDetails(
        builder=Builder(id=run.builder, version={"samebits": samebits} if samebits else None),
        metadata=Metadata(
            invocation_id=report.run, started_on=run.started, finished_on=run.finished
        ),
        byproducts=tuple(_byproducts(run, sbom)),
    )
    return ProvenanceStatement(
        subject=tuple(Subject(name=o.name, digest=run.digest_set(o.sha256)) for o in outputs),
        predicate=Provenance(build_definition=definition, run_details=details),
    )


def provenance_of_grafts(run: Run, made: ProvenanceStatement) -> ProvenanceStatement | None:
    """Return statement A about the files with a vendor's signature on them; None without any."""
    locators = {a.name: a.published.locator for a in run.loaded.recipe.artefacts}
    subjects, used = list[Subject](), list[Resource]()
    for finding in run.report.artefacts:
        signature, rebuilt = finding.signature, finding.rebuilt
        signed = finding.verdict is Verdict.IDENTICAL_SIGNED
        if not signed or not rebuilt or not isinstance(signature, Graft):
            continue
        subjects.append(Subject(name=finding.name, digest=DigestSet(sha256=signature.sha256)))
        used += [
            Resource(
                name=finding.name,
                digest=run.digest_set(rebuilt.sha256),
                annotations={"role": "rebuilt", "provenance": str(made.digest())},
            ),
            Resource(
                name=finding.name,
                uri=None if run.salt else uri_of(locators[finding.name]),
                digest=DigestSet(sha256=signature.signature),
                annotations={"role": "signature", "size": str(signature.taken)},
            ),
        ]
    if not subjects:
        return None
    definition = made.predicate.build_definition.model_copy(
        update={"build_type": BuildType.GRAFT, "resolved_dependencies": tuple(used)}
    )
    details = made.predicate.run_details.model_copy(update={"byproducts": ()})
    return ProvenanceStatement(
        subject=tuple(subjects),
        predicate=Provenance(build_definition=definition, run_details=details),
    )


def _image(run: Run) -> Resource:
    name = run.image_name.partition("@")[0].partition(":")[0]
    return Resource(
        name=name,
        uri=f"pkg:oci/{name}@sha256%3A{run.image}",
        digest=DigestSet(sha256=run.image),
        annotations={"role": "image"},
    )


def _byproducts(run: Run, sbom: Digest) -> list[Resource]:
    seal, log = run.report.seal, run.judged.log if run.judged else None
    digests = {
        "sbom.cdx.json": run.digest_set(sbom),
        "build.log": run.digest_set_or_none(log),
        "seal": DigestSet(sha256=seal) if seal else None,
    }
    return [
        *(Resource(name=name, digest=digest) for name, digest in digests.items() if digest),
        *(
            Resource(
                name=file.name,
                digest=DigestSet(hmac_sha256=file.hmac),
                annotations={"role": "by-product", "size": str(file.size)},
            )
            for file in run.report.by_products
        ),
    ]
