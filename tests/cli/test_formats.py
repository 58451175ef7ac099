"""What `samebits verify` writes for other programs, read back by the programs' own libraries."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml
from sarif_kit.validate import validation_errors

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import InputUnavailableError
from builders.rebuild.rebuild_result import RebuildResult
from pipelines.cli.formats.github import github
from pipelines.cli.formats.junit import junit
from pipelines.cli.formats.results import Verified, exit_code
from pipelines.cli.formats.sarif import sarif
from pipelines.evidence.report import Attempt, Environment, Report
from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
from pipelines.explain.quickdiff import quick_diff
from pipelines.judge.difference import Cause, CauseName
from pipelines.judge.finding import Confirmation, Explanation, FileFact, Finding, ShippedFact
from pipelines.verify.unpublished import Unpublished, UnpublishedReport
from tests.conftest import Maker

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
SHIPPED = ShippedFact(published=ONE, sha256=ONE, size=1)
HOSTILE = "]]>&<b>\"'\n::set-env name=PATH::x\r##[add-matcher]\x1b[31m\0\ud7ff\ufffe%0A, end"


def finding(name: str, verdict: Verdict, reason: str = "the bytes differ") -> Finding:
    built = ONE if verdict is Verdict.IDENTICAL else TWO
    rebuilt = FileFact(sha256=built, size=1) if verdict is not Verdict.MISSING else None
    causes = [Cause(name=CauseName.CONTENT, detail="from offset 0 on")] if reason == HOSTILE else []
    return Finding(
        name=name,
        verdict=verdict,
        reason=reason,
        shipped=SHIPPED,
        rebuilt=rebuilt,
        causes=tuple(causes),
    )


def report(*findings: Finding) -> Report:
    return Report(
        vendor="acme",
        product="engine",
        version="4.2",
        center="local",
        run="20261127T100000Z-00000000",
        outcome=Outcome.BUILT,
        verdict=min((f.verdict for f in findings), key=list(Verdict).index),
        artefacts=findings,
        environment=Environment(declared={}, method="script"),
        timings={"total": 1.5},
    )


def candidate(*findings: Finding) -> UnpublishedReport:
    return UnpublishedReport(unpublished=Unpublished.CANDIDATE, report=report(*findings))


@pytest.fixture
def results() -> list[Verified]:
    """A release with a pass and two faults, a candidate, and a recipe without a report."""
    mixed = report(
        finding("same.bin", Verdict.IDENTICAL, "same SHA-256"),
        finding("other.bin", Verdict.DIFFERENT, HOSTILE),
        finding("none.bin", Verdict.NOT_CHECKED, HOSTILE),
    )
    fault = InputUnavailableError("no such input", got=HOSTILE)
    return [
        Verified(recipe=Path("acme/engine, 4:2.yaml"), found=mixed),
        Verified(recipe=Path("next.yaml"), found=candidate(finding("a.bin", Verdict.IDENTICAL))),
        Verified(recipe=Path("/srv/lost one.yaml"), found=fault),
    ]


def test_junit_counts_failures_and_errors_and_holds_hostile_text(results: list[Verified]) -> None:
    read = JUnitXml.fromstring(junit(results).encode())
    assert (read.tests, read.failures, read.errors) == (5, 1, 2)
    mixed, _, lost = list(read)
    assert (mixed.name, mixed.tests, mixed.failures, mixed.errors) == ("acme/engine@4.2", 3, 1, 1)
    assert mixed.time == 1.5
    same, other, none = list(mixed)
    assert (same.classname, same.name, same.result) == ("acme/engine@4.2", "same.bin", [])
    assert [(type(r), r.type) for r in other.result] == [(Failure, "DIFFERENT")]
    assert [(type(r), r.type) for r in none.result] == [(Error, "NOT_CHECKED")]
    assert other.result[0].text.startswith(
        "]]>&<b>\"'\n| ::set-env name=PATH::x\\r##[add-matcher]\\x1b"
    )
    assert "\\x00" in other.result[0].text
    assert "\\ufffe" in other.result[0].text
    assert "content: from offset 0 on" in other.result[0].text
    found = re.findall(r'<property name="unpublished" value="(.*?)" />', junit(results))
    assert found == ["candidate"]
    assert [type(r) for r in next(iter(lost)).result] == [Error]


def test_sarif_is_valid_and_names_each_fault_at_its_recipe(results: list[Verified]) -> None:
    document = json.loads(sarif(results))
    assert validation_errors(document) == []
    assert validation_errors({**document, "version": "2"})
    (run,) = document["runs"]
    assert [
        (r["ruleId"], r["level"], r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        for r in run["results"]
    ] == [
        ("DIFFERENT", "error", "acme/engine%2C%204%3A2.yaml"),
        ("NOT_CHECKED", "warning", "acme/engine%2C%204%3A2.yaml"),
        ("NOT_CHECKED", "warning", "file:///srv/lost%20one.yaml"),
    ]
    assert {r["ruleId"] for r in run["results"]} <= {
        r["id"] for r in run["tool"]["driver"]["rules"]
    }
    assert run["invocations"] == [{"executionSuccessful": False}]
    assert [r["unpublished"] for r in run["properties"]["reports"]] == [None, "candidate"]


def test_a_sarif_message_has_no_links_and_nothing_that_hides() -> None:
    found = finding("a\u202eb", Verdict.DIFFERENT, "see [IDENTICAL](https://evil.example)\u200b")
    document = json.loads(sarif([Verified(recipe=Path("r.yaml"), found=report(found))]))
    (result,) = document["runs"][0]["results"]
    assert result["message"]["text"] == (
        r"acme/engine@4.2/a\u202eb: see \[IDENTICAL\](https://evil.example)\u200b"
    )


def test_a_sarif_document_of_nothing_but_passes_is_valid_and_empty() -> None:
    passed = Verified(recipe=Path("r.yaml"), found=report(finding("a", Verdict.IDENTICAL)))
    document = json.loads(sarif([passed]))
    assert validation_errors(document) == []
    (run,) = document["runs"]
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_annotations_are_one_line_each_that_hostile_text_cannot_leave(
    results: list[Verified],
) -> None:
    lines = github(results).splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        "::notice", "::error", "::warning", "::notice", "::warning",
    ]  # fmt: skip
    assert lines[1].startswith(
        "::error file=acme/engine%2C 4%3A2.yaml,title=DIFFERENT acme/engine@4.2 other.bin::]]>"
    )
    assert "%0A| ::set-env name=PATH::x\\r##[add-matcher]\\x1b[31m\\x00" in lines[1]
    assert "%250A, end" in lines[1]
    assert lines[3].endswith("(candidate, no evidence: nothing was signed, stored or logged)")


def test_a_newline_of_any_kind_starts_no_annotation() -> None:
    for mark in ("\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\x1c"):
        found = Verified(
            recipe=Path("r.yaml"),
            found=report(finding("a", Verdict.DIFFERENT, f"x{mark}::stop-commands::y")),
        )
        assert len(github([found]).splitlines()) == 1, ascii(mark)


@pytest.mark.parametrize("inside", [False, True])
def test_members_that_differ_are_named_in_every_format(make_tar: Maker, *, inside: bool) -> None:
    """What explains them stands beside the report, and inside one of before that was so."""
    theirs, ours = (io.BytesIO(make_tar({"tool": b"x"}, mtime=at)) for at in (60, 120))
    differs = finding("a.tar", Verdict.DIFFERENT)
    look = Explanation(first_look=quick_diff(theirs, ours).diff)
    found = report(differs.model_copy(update={"explanation": look}) if inside else differs)
    beside = None if inside else beside_a_report(found, "a.tar", look)
    one = Verified(recipe=Path("r.yaml"), found=found, stored=beside)
    for form in (junit, sarif, github):
        told = form([one])
        assert "says 1970-01-01T00:01:00Z, the rebuild 1970-01-01T00:02:00Z (tar, tool)" in told
        assert ("a second rebuild gave the same bytes as the first" in told) is not inside


def beside_a_report(found: Report, name: str, look: Explanation) -> RunExplanation:
    again = RebuildResult(outcome=Outcome.BUILT)
    about = ExplainedArtefact(name=name, confirmation=Confirmation.SAME, explanation=look)
    return RunExplanation(
        **found.only("vendor", "product", "version", "center", "run"),
        explained_on=datetime(2026, 11, 27, 11, tzinfo=UTC),
        confirming=Attempt(number=2, purpose="confirming", rebuild=again),
        artefacts=(about,),
    )


@pytest.mark.parametrize(
    ("verdicts", "fault", "code"),
    [
        ([Verdict.IDENTICAL], False, 0),
        ([Verdict.IDENTICAL, Verdict.DIFFERENT], False, 1),
        ([Verdict.IDENTICAL, Verdict.NOT_CHECKED], False, 2),
        ([Verdict.IDENTICAL], True, 2),
        ([Verdict.DIFFERENT], True, 1),
    ],
)
def test_the_exit_code_is_the_worst_of_all(verdicts: list[Verdict], fault: bool, code: int) -> None:
    found = report(*(finding(f"{n}.bin", verdict) for n, verdict in enumerate(verdicts)))
    results = [Verified(recipe=Path("r.yaml"), found=found)]
    if fault:
        results.append(Verified(recipe=Path("s.yaml"), found=InputUnavailableError("gone")))
    assert exit_code(results) == code
