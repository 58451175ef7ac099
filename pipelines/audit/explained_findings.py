"""What explains a difference that a center found, as far as it may be believed.

An explanation is a statement of its own, made after the verdict, and no part of any. It is read
like every statement of a center, and must be about the very comparison that it is shown with.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from pipelines.audit.center_audit import center_prefix
from pipelines.audit.center_finding import CenterFinding, Excluded, ExclusionReason
from pipelines.audit.source import OBJECT_ERRORS, Source, UnreachableError, short
from pipelines.audit.statement_reader import StatementReader, VerifiedStatement
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Attempt
from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
from pipelines.evidence.statements.explanation import (
    ExplainedComparison,
    ExplanationStatement,
    RunExplained,
)
from pipelines.evidence.statements.statement import value_of
from pipelines.evidence.stored_runs import EXPLANATION_RECORD, MAX_REPORT, RunName
from pipelines.log.errors import LogError
from pipelines.storage.names import Visibility, cas, encode


@dataclass(frozen=True, kw_only=True)
class ExplainedFinding:
    """What explains one finding: the public form of it."""

    artefact: ExplainedArtefact
    confirming: Attempt | None
    """The rebuild that was made to confirm the difference, if one was."""
    explained_on: datetime
    record: str
    """The name of the record with the statement."""
    index: int
    """Of the statement in the center's log."""


def read_explanation(
    reader: StatementReader, source: Source, release: ReleaseName, finding: CenterFinding
) -> ExplainedFinding | Excluded | None:
    """Return what explains a finding of the center `source`, or why it does not count.

    None where the center has stated no explanation of the artefact.
    """
    key = f"{center_prefix(release, source.center)}{encode(finding.run)}/{EXPLANATION_RECORD}"
    try:
        return _read(reader, source, key, finding)
    except NotFoundError:
        return None
    except UnreachableError as error:
        return finding.excluded(ExclusionReason.UNREACHABLE, short(error))
    except LogError as error:
        return finding.excluded(ExclusionReason.LOG_BROKEN, short(error))


def _read(
    reader: StatementReader, source: Source, key: str, finding: CenterFinding
) -> ExplainedFinding | Excluded | None:
    try:
        with suppress(EvidenceError):  # the reader says what is wrong with it
            source.record(key)
    except NotFoundError:
        raise
    except OBJECT_ERRORS as error:
        return finding.excluded(ExclusionReason.UNREADABLE, short(error))
    record = reader.read(source, key)
    if isinstance(record, Excluded):
        return record
    if not isinstance(record.statement, ExplanationStatement):
        return record.excluded(ExclusionReason.MISPLACED, "of another kind")
    about = _about(record.statement, finding)
    return None if about is None else _explained(source, record, record.statement, about, finding)


def _explained(
    source: Source,
    record: VerifiedStatement,
    statement: ExplanationStatement,
    about: ExplainedComparison,
    finding: CenterFinding,
) -> ExplainedFinding | Excluded:
    """Return what a statement says of a finding, with its document; or why it does not count."""
    told = statement.predicate
    if told.run != finding.run or about.comparison.sha256 != finding.comparison.digest:
        return record.excluded(ExclusionReason.MISPLACED, "of another comparison")
    try:
        document = _document(source, told)
    except (ValidationError, *OBJECT_ERRORS) as error:
        return record.excluded(ExclusionReason.UNREADABLE, short(error))
    shown = document.about(finding.artefact)
    named = RunName.of(ReleaseName.parse(told.release), told.center, told.run)
    of_run = document.only(*RunName.model_fields) == named.to_dict()
    if shown is None or not of_run or not _agree(about, shown):
        return record.excluded(ExclusionReason.CONTRADICTORY, "its document says something else")
    return ExplainedFinding(
        artefact=shown,
        confirming=document.confirming,
        explained_on=told.explained_on,
        record=record.ref.name,
        index=record.index,
    )


def _about(statement: ExplanationStatement, finding: CenterFinding) -> ExplainedComparison | None:
    """Return what a statement explains of the artefact of a finding, by name and digest."""
    subjects = zip(statement.subject, statement.predicate.artefacts, strict=True)
    named = (about for s, about in subjects if s.digest.sha256 == finding.published)
    return next((about for about in named if about.name == finding.artefact), None)


def _document(source: Source, told: RunExplained) -> RunExplanation:
    """Return the public document of an explanation; raises one of `OBJECT_ERRORS`, and so on."""
    if (digest := told.document.sha256) is None:
        raise NotFoundError("the explanation names no public document")
    data = source.get(cas(Visibility.PUBLIC, digest), MAX_REPORT)
    if Digest.of(data) != digest:
        raise NotFoundError("the store has another document under its digest")
    return RunExplanation.model_validate_json(data)


def _agree(about: ExplainedComparison, shown: ExplainedArtefact) -> bool:
    """Return whether a document says of an artefact what the statement says."""
    told = shown.explanation
    return (
        shown.comparison == about.comparison.sha256
        and shown.confirmation == about.confirmation
        and tuple(cause.name for cause in shown.causes) == about.causes
        and told.status == about.explanation.status
        and told.html_diff == value_of(about.explanation.html_diff)
        and told.json_diff == value_of(about.explanation.json_diff)
    )
