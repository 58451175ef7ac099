"""The verdict recomputed: the judge's own code, over facts that are hashed here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from builders.core.enums import Outcome
from builders.recipe.recipe import Recipe
from pipelines.evidence.report import Report
from pipelines.judge.compare import Declared, Facts, Unreachable, compare, confirm_all
from pipelines.judge.copied import CheckedInput, Contents, contents, input_fault
from pipelines.judge.finding import FileFact, Finding
from pipelines.signer.byte_source import ByteSource


def recompute_findings(report: Report, recipe: Recipe, source: ByteSource) -> tuple[Finding, ...]:
    """Return the findings of the judge, with the confirming attempt if there is one."""
    outputs = report.judged.rebuild.outputs if report.judged else ()
    published = {a.name: a.shipped.sha256 for a in recipe.artefacts}
    read = report.outcome is Outcome.BUILT and outputs
    facts = Facts(
        outcome=report.outcome,
        outcome_reason=report.reason,
        declared=tuple(Declared(name=n, published=d) for n, d in published.items()),
        rebuilt=outputs,
        served={
            f.name: FileFact(sha256=f.shipped.sha256, size=f.shipped.size)
            if f.shipped.sha256 is not None and f.shipped.size is not None
            else Unreachable(reason="it was not served")
            for f in report.artefacts
            if f.shipped
        },
        input_fault=input_fault(_contents(recipe, source), published) if read else None,
    )
    findings, again = compare(facts), report.confirming
    return confirm_all(findings, again.rebuild.outputs) if again else findings


def _contents(recipe: Recipe, source: ByteSource) -> Iterator[tuple[CheckedInput, Contents]]:
    for file in (file for item in recipe.inputs for file in source.input_files(item)):
        checked = CheckedInput(
            role=file.role,
            name=file.name,
            digest=file.sha256,
            open=partial(source.open_vaulted, file.sha256),
        )
        yield checked, contents(checked, cache=source.cache)
