"""The threat model: each guarantee names tests that are there, and each attacker what is not."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.attacks.attack import Attacker
from tests.attacks.table import ATTACKS
from tests.docs.pages import DOCS, ROOT, inline_code

PAGE = DOCS / "explanation" / "threat-model.md"
ATTACKERS = [*Attacker, "reviewer", "server of a portal", "witness", "build", "worker"]
ROW = re.compile(r"^\| (?P<guaranteed>.+) \| (?P<shown>[^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ATTACK = re.compile(r"attack `([\w-]+)`")


@cache
def sections() -> dict[str, str]:
    """Return the text below each heading, by the heading in lower case."""
    parts = re.split(r"^## (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name.lower(): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def rows(attacker: str) -> list[tuple[str, str]]:
    """Return the guarantees against an attacker, each with what shows it."""
    found = [(m["guaranteed"], m["shown"]) for m in ROW.finditer(sections()[attacker])]
    return found[1:]  # below the heading


@cache
def names_in(file: str) -> set[str]:
    """Return the tests of a file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    return names | {t.id for node in assigned for t in node.targets if isinstance(t, ast.Name)}


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_each_guarantee_against_an_attacker_is_shown_by_tests_that_there_are(attacker: str) -> None:
    assert rows(attacker)
    for guaranteed, shown in rows(attacker):
        tests, attacks = TEST.findall(shown), ATTACK.findall(shown)
        assert len(tests) + len(attacks) == shown.count("`") // 2 > 0, guaranteed
        for file, name in tests:
            assert name.startswith(("test_", "Test")), name
            assert name in names_in(file), f"{file}::{name}: {guaranteed}"
        assert not set(attacks) - ATTACKS.keys(), guaranteed


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_of_each_attacker_it_is_said_what_is_not_guaranteed(attacker: str) -> None:
    _, found, after = sections()[attacker].partition("\nNot guaranteed:\n\n")
    assert found
    assert re.findall(r"^- \S.+", after, re.MULTILINE)


def test_every_test_that_the_page_names_stands_with_an_attacker() -> None:
    counted = [code for a in ATTACKERS for _, shown in rows(a) for code in TEST.findall(shown)]
    named = [code for code in inline_code(PAGE) if code.startswith("tests/")]
    assert sorted(named) == sorted(f"{file}::{name}" for file, name in counted)
