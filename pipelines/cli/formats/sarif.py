"""SARIF 2.1.0: a result for every artefact that is not reproduced, at the recipe that says so."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.escaping import escaped, json_text
from pipelines.cli.formats.results import Row, Verified, rows_of
from pipelines.judge.finding import verdicts_exit_code

_MEANING = {
    Verdict.SHIPPED_MISMATCH: "The file served is not the file that was published.",
    Verdict.DIFFERENT: "The rebuilt bytes differ from those that ship.",
    Verdict.UNEXPECTED: "The rebuild left a file that the recipe does not declare.",
    Verdict.MISSING: "The rebuild left no such file.",
    Verdict.NOT_CHECKED: "There is no verdict.",
    Verdict.EQUIVALENT: "The bytes differ in what the recipe masks alone, or what a delta gives "
    "was compared in their place.",
}
"""A rule for every verdict that is no pass."""


def sarif(results: Sequence[Verified]) -> str:
    """Return the results as one SARIF document."""
    rows = [(one, row) for one in results for row in rows_of(one)]
    run = {
        "tool": {
            "driver": {
                "name": "samebits",
                "version": version("samebits"),
                "rules": [
                    {"id": str(verdict), "shortDescription": {"text": text}}
                    for verdict, text in _MEANING.items()
                ],
            }
        },
        "invocations": [{"executionSuccessful": all(row.checked for _, row in rows)}],
        "results": [_result(one, row) for one, row in rows if not row.passed],
        "properties": {
            "reports": [
                {"recipe": str(one.recipe), "unpublished": one.unpublished, "run": one.report.run}
                for one in results
                if one.report
            ]
        },
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json_text(document)


def _result(one: Verified, row: Row) -> dict[str, Any]:
    place = f"{row.release}/{row.name}"
    failed = verdicts_exit_code([row.verdict]) == 1
    return {
        "ruleId": str(row.verdict),
        "level": "error" if failed else "warning",
        "message": {"text": _plain(f"{place}: {row.text}")},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(one.recipe)}},
                "logicalLocations": [{"name": row.name, "fullyQualifiedName": place}],
            }
        ],
        "partialFingerprints": {"artefact/v1": Digest.of(place.encode()).hex},
    }


def _plain(text: str) -> str:
    """Return text of others as a message without links: SARIF 2.1.0, 3.11.6."""
    return escaped(text, keep="\n").replace("[", r"\[").replace("]", r"\]")


def _uri(path: Path) -> str:
    """Return a path below the working folder as a relative URI, another as a file URI."""
    here = Path.cwd()
    whole = here / path
    return quote(str(whole.relative_to(here))) if whole.is_relative_to(here) else whole.as_uri()
