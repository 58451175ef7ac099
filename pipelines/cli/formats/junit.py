"""JUnit XML: a test suite for each release, and a test case for each artefact.

What differs is a failure, what was not checked is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from builders.core.escaping import escaped
from pipelines.cli.formats.results import Row, Verified, rows_of


def junit(results: Sequence[Verified]) -> str:
    """Return the results as one JUnit document."""
    top = ET.Element("testsuites", name="samebits")
    for one in results:
        _suite(top, one)
    _count(top, [row for one in results for row in rows_of(one)])
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True)


def _suite(top: ET.Element, one: Verified) -> None:
    rows, report = list(rows_of(one)), one.report
    suite = ET.SubElement(top, "testsuite", name=_legal(report.release if report else one.recipe))
    seconds = report.timings.get("total", 0.0) if report else 0.0
    suite.set("time", f"{seconds:.3f}")
    _count(suite, rows)
    facts: dict[str, object] = {"recipe": one.recipe, "unpublished": one.unpublished}
    if report is not None:
        facts |= {"outcome": report.outcome, "run": report.run, "claim": report.claim}
    properties = ET.SubElement(suite, "properties")
    for name, value in facts.items():
        if value is not None:
            ET.SubElement(properties, "property", name=name, value=_legal(value))
    for row in rows:
        case = ET.SubElement(
            suite, "testcase", classname=_legal(row.release), name=_legal(row.name), time="0"
        )
        if not row.passed:
            kind = "failure" if row.checked else "error"
            first = _legal(row.text.partition("\n")[0])
            problem = ET.SubElement(case, kind, type=str(row.verdict), message=first)
            problem.text = _legal(row.text)


def _count(element: ET.Element, rows: Sequence[Row]) -> None:
    failed = [row for row in rows if not row.passed]
    errors = sum(not row.checked for row in failed)
    element.set("tests", str(len(rows)))
    element.set("failures", str(len(failed) - errors))
    element.set("errors", str(errors))


def _legal(value: object) -> str:
    """Return text that an XML document can hold: no other character is without an escape."""
    return escaped(str(value), keep="\n")
