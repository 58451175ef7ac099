"""A report as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builders.core.enums import Outcome, Verdict

if TYPE_CHECKING:
    from pipelines.evidence.report import Report
    from pipelines.evidence.statements.robustness import RobustnessTest
    from pipelines.judge.finding import Finding

_COLORS = {
    Verdict.IDENTICAL: "green",
    Verdict.IDENTICAL_SIGNED: "green",
    Verdict.EQUIVALENT: "yellow",
    Verdict.NOT_CHECKED: "yellow",
}
_SHOWN = 8


def show_report(report: Report) -> None:
    """Print a report: one line an artefact, and below it why, where there is a why."""
    seconds = report.timings.get("total", 0.0)
    built = "" if report.outcome is Outcome.BUILT else f", outcome {report.outcome}"
    click.secho(f"{report.release}", bold=True, nl=False)
    click.echo(f"  {seconds:.1f} s{built}")
    for finding in report.artefacts:
        verdict = click.style(f"{finding.verdict:<16}", fg=_COLORS.get(finding.verdict, "red"))
        click.echo(f"  {verdict} {finding.name}")
        if finding.verdict not in {Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED}:
            click.echo(f"{'':19}{finding.reason}")
            _show_causes(finding)
    if report.claim:
        click.echo(f"  claim {report.claim}")
    if report.seal:
        click.echo(f"  seal  {report.seal}")
    click.echo(f"  run   {report.run}")


def _show_causes(finding: Finding) -> None:
    for cause in finding.causes[:_SHOWN]:
        click.echo(f"{'':19}- {cause.name}: {cause.detail}")
    explanation = finding.explanation
    if explanation.tool:
        kept = f", report sha256 {explanation.html_diff}" if explanation.html_diff else ""
        click.echo(f"{'':19}- {explanation.tool}: {explanation.status}{kept}")


def robustness_lines(test: RobustnessTest) -> list[str]:
    """Return a robustness test as lines of text; none of them is a verdict."""
    changed = [artefact.name for artefact in test.artefacts if not artefact.same]
    lines = [f"rebuilt elsewhere: {test.result}, which is no part of the verdict"]
    if test.outcome is not Outcome.BUILT:
        lines.append(f"outcome {test.outcome}")
    elif changed:
        lines.append(f"changed: {', '.join(changed)}")
    lines += [f"{m.factor}: {m.before} -> {m.after}" for m in test.moved]
    lines += [f"{k.factor}: not moved ({k.why})" for k in test.kept]
    return lines
