"""Pages that lead somewhere: links, size, the generated reference, and the words explained."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from builders.core.enums import Outcome, Verdict
from pipelines.audit.center_finding import ExclusionReason
from pipelines.consensus.joined_result import Result
from pipelines.evidence.statements.comparison import Ground
from pipelines.judge.difference import CauseName
from pipelines.judge.finding import ExplanationStatus
from pipelines.nightly.record import AlarmKind
from pipelines.requests.rules import RefusalReason
from tests.docs.pages import DOCS, PAGES, REFERENCE, ROOT, anchors, inline_code, links, name_of

MAX_README = 8 << 10
CONCEPTS = {
    *("release", "artefact", "recipe", "input", "source digest", "vault", "builder image", "claim"),
    *("rebuild", "output", "by-product", "unexpected output", "seal", "verdict", "evidence"),
    *("statement", "center", "operator", "region", "consensus", "policy", "bundle", "witness"),
}
"""What a reader meets on every page."""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target), f"{name_of(page)} links to {link}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        paths = (link.partition("#")[0] for link in links(page) if "://" not in link)
        waiting += [(page.parent / path).resolve() for path in paths if path]
    assert set(PAGES) <= seen | {DOCS / "README.md"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= MAX_README


def test_the_picture_is_well_formed_described_and_dark_where_the_reader_is() -> None:
    path = DOCS / "data-flow.svg"
    picture = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314  # our own file
    names = {child.tag.rpartition("}")[2] for child in picture}
    assert {"title", "desc", "style"} <= names
    assert "prefers-color-scheme: dark" in path.read_text(encoding="utf-8")


def test_the_command_reference_is_what_the_commands_say() -> None:
    words = [sys.executable, str(DOCS / "generate.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "values",
    [Outcome, Verdict, Ground, CauseName, ExplanationStatus, Result, ExclusionReason],
    ids=lambda values: f"{values.__module__}.{values.__name__}",
)
def test_the_results_page_explains_every_value(values: type[Outcome]) -> None:
    missing = {str(value) for value in values} - set(inline_code(REFERENCE / "results.md"))
    assert not missing


@pytest.mark.parametrize(
    ("page", "values"),
    [("howto/center-operator.md", AlarmKind), ("howto/reviewer.md", RefusalReason)],
    ids=["alarms", "refusals"],
)
def test_a_how_to_explains_every_value(page: str, values: type[AlarmKind]) -> None:
    missing = {str(value) for value in values} - set(inline_code(DOCS / page))
    assert not missing


def test_contributing_explains_every_marker() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    markers = project["tool"]["pytest"]["ini_options"]["markers"]
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert shown == [marker.partition(":")[0] for marker in markers]


@pytest.mark.parametrize("name", ["builders", "pipelines"])
def test_contributing_names_every_package(name: str) -> None:
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = re.findall(rf"^\| `{name}/` \| [^`]+`([^`]+)` \|$", text, re.MULTILINE)[0].split()
    there = [path.name for path in (ROOT / name).iterdir() if any(path.glob("*.py"))]
    assert sorted(shown) == sorted(there)


def test_the_glossary_is_in_order_and_has_each_term_once() -> None:
    text = (DOCS / "explanation" / "glossary.md").read_text(encoding="utf-8")
    table = text.partition("|---|---|\n")[2].partition("\n\n")[0]
    terms = [line.split("|")[1].strip() for line in table.splitlines()]
    assert terms == sorted(set(terms))
    assert set(terms) >= CONCEPTS


def test_no_page_uses_a_phrase_that_the_style_guide_replaces() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \|$", (DOCS / "style.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    phrases = [phrase for phrase in rows if phrase not in {"not", "---"} and len(phrase) > 8]
    assert len(phrases) >= 5
    for page in PAGES:
        if page.name in {"style.md", "commands.md"} or page.parent.name == "adr":
            continue
        text = page.read_text(encoding="utf-8")
        assert not [phrase for phrase in phrases if phrase in text], name_of(page)
