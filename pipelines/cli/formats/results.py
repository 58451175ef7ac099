"""What became of each recipe of a command, and a row for each artefact, for every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builders.core.enums import Verdict
from builders.core.errors import SamebitsError
from builders.core.escaping import entry
from pipelines.cli.differences import (
    beside_lines,
    confirmation_lines,
    field_lines,
    told_of,
)
from pipelines.evidence.report import Report
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.judge.finding import Finding, verdicts_exit_code
from pipelines.verify.unpublished import Unpublished, UnpublishedReport

if TYPE_CHECKING:
    from pipelines.infer.journal import RemainingCause

NO_EVIDENCE = {
    Unpublished.CANDIDATE: "candidate, no evidence: nothing was signed, stored or logged",
    Unpublished.DRY_RUN: "dry run, no evidence: nothing was signed, stored or logged",
}
"""What every format says of a run that left no evidence."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What became of one recipe: its report, or the fault that kept it from one."""

    recipe: Path
    found: Report | UnpublishedReport | SamebitsError
    causes: tuple[RemainingCause, ...] = ()
    """What the readers of formats have named."""
    stored: RunExplanation | None = None
    """What explains the run, as the store has it."""

    @property
    def report(self) -> Report | None:
        """The report, whether there is evidence of it or not."""
        match self.found:
            case Report():
                return self.found
            case UnpublishedReport(report=report):
                return report
            case _:
                return None

    @property
    def explanation(self) -> RunExplanation | None:
        """What explains the run."""
        if isinstance(self.found, UnpublishedReport):
            return self.found.explanation
        return self.stored

    @property
    def fault(self) -> SamebitsError | None:
        """Why there is no report."""
        return self.found if isinstance(self.found, SamebitsError) else None

    @property
    def unpublished(self) -> Unpublished | None:
        """Why the run left no evidence; None for one that did, or had no report."""
        return self.found.unpublished if isinstance(self.found, UnpublishedReport) else None

    @property
    def note(self) -> str | None:
        """What is said of a run that left no evidence."""
        return None if self.unpublished is None else NO_EVIDENCE[self.unpublished]

    def document(self) -> dict[str, Any]:
        """Return the report, or the fault, as plain data."""
        match self.found:
            case Report():
                return self.found.model_dump(mode="json", by_alias=True)
            case UnpublishedReport():
                return self.found.to_document()
            case fault:
                return {"error": fault.to_dict()}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One artefact and its verdict; of a recipe without a report, the recipe as a whole."""

    release: str
    name: str
    verdict: Verdict
    text: str
    """The reason and the causes, one a line, or several of which all but the first have a bar."""

    @property
    def passed(self) -> bool:
        """Whether the artefact was reproduced."""
        return verdicts_exit_code([self.verdict]) == 0

    @property
    def checked(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict is not Verdict.NOT_CHECKED


def rows_of(one: Verified) -> Iterator[Row]:
    """Yield a row for every finding; for a fault, one for the recipe."""
    if one.report is None:
        text = entry(str(one.fault))
        yield Row(release=str(one.recipe), name="release", verdict=Verdict.NOT_CHECKED, text=text)
        return
    for finding in one.report.artefacts:
        yield Row(
            release=one.report.release,
            name=finding.name,
            verdict=finding.verdict,
            text="\n".join(map(entry, _text(finding, one))),
        )


def _text(finding: Finding, one: Verified) -> Iterator[str]:
    yield finding.reason
    told = told_of(finding, one.explanation)
    fields = field_lines(told.explanation.first_look)
    yield from (line.removeprefix("- ") for line in fields)
    yield from (f"{cause.name}: {cause.detail}" for cause in told.causes)
    lines = (*confirmation_lines(finding.name, one.explanation), *beside_lines(finding))
    yield from (line.removeprefix("- ") for line in lines)
    yield from (f"{c.name}: {c.detail}" for c in one.causes if finding.name in c.detail)
    if one.note is not None:
        yield f"({one.note})"


def exit_code(results: Iterable[Verified]) -> int:
    """Return the exit code of the command: the worst of what became of its recipes."""
    results = list(results)
    reports = [one.report for one in results if one.report]
    faults = [one.fault.exit_code for one in results if one.fault]
    code = verdicts_exit_code(finding.verdict for report in reports for finding in report.artefacts)
    return max([code, *faults]) if faults and code != 1 else code
