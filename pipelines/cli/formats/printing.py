"""Which format the results of a command are printed in, and the printing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from builders.core.errors import UsageError
from builders.core.escaping import json_text
from pipelines.cli.console import write_text
from pipelines.cli.layout import fitted
from pipelines.cli.terminal import report_lines, wants_json, warn

if TYPE_CHECKING:
    from pipelines.cli.formats.results import Verified

FORMATS = ("text", "json", "junit", "sarif", "github")


def chosen_format(form: str | None) -> str:
    """Return the format that `--format` and `--json` ask for; raises `UsageError` for two."""
    if wants_json() and form not in {None, "json"}:
        raise UsageError("two formats were given", got=f"--json and --format {form}")
    return "json" if wants_json() else form or "text"


def print_results(results: Sequence[Verified], form: str) -> None:
    """Print what became of each recipe; faults of text and JSON on stderr too."""
    from pipelines.cli.formats.github import github
    from pipelines.cli.formats.junit import junit
    from pipelines.cli.formats.sarif import sarif

    formats = {"github": github, "json": _json, "junit": junit, "sarif": sarif, "text": _text}
    if text := formats[form](results):
        write_text(text)
    for one in results:
        if one.fault is not None and form != "github":  # there it is a line that a runner obeys
            warn(one.fault)


def _json(results: Sequence[Verified]) -> str:
    reports = [one.document() for one in results if one.report]
    faults = [one.document() for one in results if one.fault]
    causes = [
        {"run": one.report.run, **cause.model_dump()}
        for one in results
        if one.report
        for cause in one.causes
    ]
    explanations = [
        one.explanation.model_dump(mode="json", by_alias=True) for one in results if one.explanation
    ]
    return json_text({"reports": reports + faults, "explanations": explanations, "causes": causes})


def _text(results: Sequence[Verified]) -> str:
    lines: list[str] = []
    for one in results:
        if one.report is not None:
            lines += report_lines(
                one.report, one.causes, explanation=one.explanation, evidence=one.note is None
            )
        if one.note is not None:
            lines.append(f"  {one.note}")
    return "".join(f"{line}\n" for line in fitted(lines))
