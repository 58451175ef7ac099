"""What a release was rebuilt from, as the signed provenance of a center states it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from builders.core.digest import Digest
from builders.core.enums import Kind, Outcome
from builders.core.frozen_model import FrozenModel
from pipelines.audit.center_audit import provenance_key
from pipelines.audit.center_finding import CenterFinding, newest_findings
from pipelines.audit.source import UnreachableError
from pipelines.audit.statement_reader import StatementReader, VerifiedStatement
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.statement import Resource, value_of
from pipelines.log.errors import LogError
from pipelines.portal.facts import ReleaseFacts

MAX_INPUTS = 100
"""Inputs that are listed; more are counted."""
_SOURCE, _KEYED_SOURCE = "source-digest", "keyed-source-digest"


class InputRow(FrozenModel):
    """Something that the rebuild read; the builder image too."""

    role: str
    name: str
    locator: str | None
    """None where the source is closed."""
    digest: Digest
    source_digest: Digest | None
    """Of a source: what reviewers read."""
    keyed: bool
    """Whether the digests are keyed, as those of a closed source are."""


class BuiltFrom(FrozenModel):
    """What a release was rebuilt from, and how; it is the same for all runs of one claim."""

    center: str
    """Whose provenance says so."""
    run: str
    kind: Kind
    method: str
    image: str
    platform: str
    inputs: tuple[InputRow, ...]
    all_inputs: int

    @property
    def sources(self) -> tuple[Digest, ...]:
        """The source digests, which reviews name."""
        return tuple(one.source_digest for one in self.inputs if one.source_digest)


def built_from(facts: ReleaseFacts) -> BuiltFrom | None:
    """Return what the release was rebuilt from, under the claim that its findings are joined by.

    None where no center has a provenance of it that can be read.
    """
    claims = {one.subject.claim for one in facts.joined.consensus.artefacts}
    findings = facts.joined.read.findings
    about = [f for f in findings if f.outcome is Outcome.BUILT and f.claim in claims]
    by_center = {source.center: source for source in facts.view.sources}
    reader = StatementReader(policy=facts.view.policy.policy, logs=facts.logs)
    for finding in newest_findings(about):
        with suppress(UnreachableError, LogError):
            key = provenance_key(facts.release, finding.center.id, finding.run)
            found = reader.read(by_center[finding.center.id], key)
            if isinstance(found, VerifiedStatement) and (made := _provenance(found, finding)):
                return _read(made, finding)
    return None


def _provenance(found: VerifiedStatement, finding: CenterFinding) -> ProvenanceStatement | None:
    """Return the provenance in a record, if it is about the run of that finding."""
    if not isinstance(found.statement, ProvenanceStatement):
        return None
    about = found.statement.run_reference
    same = (about.run, about.claim) == (finding.run, finding.claim)
    return found.statement if same else None


def _read(made: ProvenanceStatement, finding: CenterFinding) -> BuiltFrom:
    definition = made.predicate.build_definition
    inputs = tuple(_rows(definition.resolved_dependencies))
    said = definition.external_parameters.only("kind", "method", "image", "platform")
    return BuiltFrom(
        center=finding.center.id,
        run=finding.run,
        inputs=inputs[:MAX_INPUTS],
        all_inputs=len(inputs),
        **said,
    )


def _rows(resources: Iterable[Resource]) -> Iterator[InputRow]:
    for resource in resources:
        if digest := value_of(resource.digest):
            yield InputRow(
                role=resource.annotation("role") or "input",
                name=resource.name,
                locator=resource.uri,
                digest=digest,
                source_digest=_source(resource),
                keyed=resource.digest.sha256 is None,
            )


def _source(resource: Resource) -> Digest | None:
    """Return the source digest that an input is annotated with; None for what is no digest."""
    with suppress(ValueError):
        return Digest(resource.annotation(_SOURCE) or resource.annotation(_KEYED_SOURCE) or "")
    return None
