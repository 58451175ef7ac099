"""What explains a made-up run, as a center states it: documents and statements, for any test."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from infra.bench.madeup import MadeUpRun
from pipelines.center.keys import center_key
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
from pipelines.evidence.statements.comparison import ComparisonStatement, ExplanationDigests
from pipelines.evidence.statements.explanation import (
    ExplainedComparison,
    ExplanationStatement,
    RunExplained,
)
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.stored_runs import EXPLANATION_RECORD, RunName
from pipelines.judge.difference import Cause, CauseName, FieldDifference, FieldKind, QuickDiff
from pipelines.judge.finding import Explanation, ExplanationStatus
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from tests.consensus.two_centers import TwoCenters

COMPILER = FieldDifference(
    path="data.tar/./usr/bin/tool",
    format="ELF",
    field=".comment",
    kind=FieldKind.PRODUCER,
    shipped="GCC 14.2",
    rebuilt="GCC 14.1",
    differing_bytes=3,
)
WEAKER = FieldDifference(
    path="rules/web.yar",
    format="yara rules",
    field="webshell: condition",
    kind=FieldKind.CONTENT,
    shipped="all of them",
    rebuilt="any of them",
)


def look(*fields: FieldDifference, **changes: Any) -> QuickDiff:
    """Return a first look at two files of equal size."""
    return QuickDiff(
        **{
            "shipped_size": 17,
            "rebuilt_size": 17,
            "first_offset": 3,
            "last_offset": 11,
            "differing_bytes": 3,
            "fields": fields,
            **changes,
        }
    )


def explanation_of(run: MadeUpRun, **changes: Any) -> RunExplanation:
    """Return what explains the artefacts of a run that differ; `changes` are of `Explanation`."""
    made = run.provenance()
    told = Explanation(
        **{"status": ExplanationStatus.NONE, "first_look": look(COMPILER), **changes}
    )
    name = RunName.of(ReleaseName.parse(run.release), run.center, run.run)
    return RunExplanation(
        **name.to_dict(),
        explained_on=run.finished + timedelta(minutes=1),
        artefacts=tuple(
            ExplainedArtefact(
                name=artefact,
                comparison=run.comparison(artefact, made).digest(),
                causes=(Cause(name=CauseName.CONTENT, detail="told in words"),),
                explanation=told,
            )
            for artefact, file in run.files.items()
            if file.verdict is Verdict.DIFFERENT
        ),
    )


def explanation_statement(
    run: MadeUpRun, told: RunExplanation, document: Digest | None = None
) -> ExplanationStatement:
    """Return the statement that names that explanation."""
    made = run.provenance()
    compared: dict[str, ComparisonStatement] = {
        one.name: run.comparison(one.name, made) for one in told.artefacts
    }
    return ExplanationStatement(
        subject=tuple(statement.subject[0] for statement in compared.values()),
        predicate=RunExplained(
            release=run.release,
            center=run.center,
            builder=run.builder,
            run=run.run,
            claim=run.claim,
            explained_on=told.explained_on,
            artefacts=tuple(
                ExplainedComparison(
                    name=one.name,
                    comparison=DigestSet(sha256=one.comparison),
                    confirmation=one.confirmation,
                    causes=tuple(cause.name for cause in one.causes),
                    explanation=ExplanationDigests(
                        status=one.explanation.status,
                        json_diff=_set(one.explanation.json_diff),
                        html_diff=_set(one.explanation.html_diff),
                    ),
                )
                for one in told.artefacts
            ),
            document=DigestSet(sha256=document or Digest.of(told.to_json())),
        ),
    )


def explain(centers: TwoCenters, run: MadeUpRun, *, html: bytes = b"", **changes: Any) -> None:
    """Let a center explain a run that it has published: store, sign, log and witness that."""
    store = DirectoryStore(centers.root / run.center / "store")
    if html:
        changes["html_diff"] = store.put_cas(Visibility.PUBLIC, html)
    told = explanation_of(run, **changes)
    store.put_cas(Visibility.PUBLIC, told.to_json())
    signer = center_key(centers.center(run.center))
    envelope = sign_envelope(explanation_statement(run, told).to_bytes(), signer)
    book, key = centers.session(run.center).logbook(), f"{run.folder()}{EXPLANATION_RECORD}"
    with book.storing(key):
        store.put_record(key, envelope.to_bytes())
    book.settle()
    centers.witness()


def _set(digest: Digest | None) -> DigestSet | None:
    return DigestSet(sha256=digest) if digest else None
