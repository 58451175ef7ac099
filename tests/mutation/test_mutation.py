"""The mutation tool on a project of one module, whose tests miss some of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.mutation.mutants import mutants_of

ROOT = Path(__file__).parents[2]
MODULE = '''
"""A module."""

from functools import cached_property


def is_adult(age: int) -> bool:
    if age < 0:
        raise ValueError(f"an age; got {'a negative one' if age < 0 else age}")
    return age >= 18


class Person:
    def __init__(self, age: int) -> None:
        self.age = age

    @cached_property
    def may_vote(self) -> bool:
        return is_adult(self.age)


RULES = {"old": lambda age: age > 90}


def nobody_asks(age: int) -> bool:
    return age == 7


def waits(age: int) -> int:
    while age > 0:
        age -= 1
    return age
'''
TESTS = """
import gc

import pytest
from people import RULES, Person, is_adult, waits

gc.freeze()

def test_adults():
    assert is_adult(18)
    assert not is_adult(17)
    assert is_adult(0) is False

def test_a_negative_age():
    with pytest.raises(ValueError):
        is_adult(-1)

def test_a_person():
    assert Person(30).may_vote
    assert not Person(1).may_vote

def test_rules():
    assert RULES["old"](91)
    assert not RULES["old"](2)

def test_waits():
    assert waits(3) == 0
"""
SURVIVORS = {
    "<lambda>: age > 90 -> age > 89": "survived",
    "nobody_asks: age == 7 -> True": "survived",
    "nobody_asks: age == 7 -> False": "survived",
    "nobody_asks: age == 7 -> age == 6": "survived",
    "nobody_asks: age == 7 -> age == 8": "survived",
    "waits: age -> int()": "survived",
}


def mutate(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = ["--module", "people.py", "--tests", "test_people.py", "--accepted", "accepted.toml"]
    return subprocess.run(
        [sys.executable, "-m", "tests.mutation", *words, "--patience", "1", *options],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def reported(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    lines = re.findall(r"^people.py:\d+: (.*): ([a-z ]+)$", done.stdout, re.MULTILINE)
    return dict(lines)


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    project = tmp_path_factory.mktemp("project")
    (project / "people.py").write_text(MODULE)
    (project / "test_people.py").write_text(TESTS)
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return project, mutate(project)


@pytest.fixture
def project(first: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> Path:
    """A project in which every mutant has run once."""
    return shutil.copytree(first[0], tmp_path / "project")


def test_survivors_are_reported_and_nothing_else(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    project, done = first
    assert reported(done) == SURVIVORS, done.stderr
    assert done.returncode == 1
    rows = json.loads((project / ".mutation/results.json").read_text())
    outcomes = {f"{r['function']}: {r['before']} -> {r['after']}": r["outcome"] for r in rows}
    assert outcomes["Person.may_vote: is_adult(self.age) -> True"] == "killed"
    assert outcomes["<lambda>: age > 90 -> age > 91"] == "killed"
    assert outcomes["waits: age -= 1 -> pass"] == "timed out"
    assert (project / "people.py").read_text() == MODULE


def test_survivors_with_a_reason_are_accepted_and_what_was_killed_is_not_run_again(
    project: Path,
) -> None:
    reasons = "".join(f'"{name}" = "a reason"\n' for name in SURVIVORS)
    (project / "accepted.toml").write_text(f'["people.py"]\n{reasons}')
    (project / "test_people.py").write_text("from people import *\n\ndef test(): nobody_asks(7)\n")
    done = mutate(project)
    assert (reported(done), done.returncode) == ({}, 0), done.stderr
    assert f" {len(SURVIVORS)} accepted, 0 survived, 0 not run" in done.stdout


def test_stale_entries_are_reported(project: Path) -> None:
    stale = {
        "is_adult: age < 0 -> True": "a test kills it",
        "is_adult: age < 5 -> True": "no such mutant",
    }
    reasons = "".join(f'"{name}" = "a reason"\n' for name in [*SURVIVORS, *stale])
    (project / "accepted.toml").write_text(f'["people.py"]\n{reasons}["peeple.py"]\nx = "y"\n')
    done = mutate(project)
    for name, says in stale.items():
        assert f"accepted.toml: people.py: {name}: {says}" in done.stdout
    assert "accepted.toml: peeple.py: no such module" in done.stdout
    assert done.returncode == 1


def test_without_time_nothing_runs(project: Path) -> None:
    shutil.rmtree(project / ".mutation")
    done = mutate(project, "--seconds", "0")
    assert " 0 killed, 0 accepted, 0 survived, 23 not run" in done.stdout
    assert done.returncode == 0


def test_tests_that_fail_without_a_mutant_are_an_error(project: Path) -> None:
    (project / "test_people.py").write_text(f"{TESTS}\ndef test_wrong(): assert is_adult(1)\n")
    done = mutate(project)
    assert "test_people.py::test_wrong" in done.stderr
    assert done.returncode == 2


def test_tests_that_reach_nothing_are_a_result_where_warnings_are_errors(project: Path) -> None:
    shutil.rmtree(project / ".mutation")
    (project / "test_people.py").write_text("import people\n\ndef test(): pass\n")
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    done = mutate(project)
    assert set(reported(done).values()) == {"not reached"}, done.stderr
    assert " 0 killed, 0 accepted, 23 survived, 0 not run" in done.stdout


def test_only_lines_that_were_changed(project: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=project, check=True
        )

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "A commit")
    (project / "people.py").write_text(MODULE.replace("age == 7", "age != 7"))
    done = mutate(project, "--since", "HEAD")
    assert set(reported(done)) == {
        f"nobody_asks: age != 7 -> {after}" for after in ("True", "False", "age != 6", "age != 8")
    }


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("if a: b()", {"a -> True", "a -> False", "b() -> pass"}),
        (
            "x = a and b or c",
            {"a and b or c -> a and b", "a and b or c -> c", "a and b -> a", "a and b -> b"},
        ),
        ("x = a < b", {"a < b -> True", "a < b -> False", "a < b -> a <= b"}),
        ("while a >= b: break", {"a >= b -> False", "a >= b -> a > b", "break -> continue"}),
        ("if not a: raise E(x and y)", {"not a -> True", "not a -> False"}),
        ("for a in b: raise E(a)", {"raise E(...) -> pass"}),
        ("x = [a for a in b if c]", {"c -> True", "c -> False"}),
        ("x = any(a) - {1}", {"any(a) -> all(a)", "any(a) - {1} -> any(a)"}),
        ("x = sorted(a, key=b)", {"sorted(a, key=b) -> list(a)"}),
        ("x = a & b", {"a & b -> a", "a & b -> b"}),
        ("x = a + 1", {"a + 1 -> a - 1"}),
        ("try: pass\nexcept (A, B): pass", {"(A, B) -> (A,)", "(A, B) -> (B,)"}),
        ("try: pass\nexcept A: raise B", {"A -> ()"}),
        ("x = f'{a or b}' + 'c'; print(x); assert x == 1", set()),
        ("x: A | B = a", set()),
        ("match a:\n  case 1 if b: pass", {"b -> True", "b -> False"}),
    ],
)
def test_what_is_changed(tmp_path: Path, source: str, changes: set[str]) -> None:
    (tmp_path / "m.py").write_text("def f():\n" + textwrap.indent(source, "  "))
    found = mutants_of(tmp_path, "m.py")
    assert {f"{mutant.before} -> {mutant.after}" for mutant in found} == changes
    assert all(mutant.changes(tmp_path) for mutant in found)


@pytest.mark.parametrize(
    ("returns", "changes"),
    [
        ("bool", {"a -> True", "a -> False"}),
        ("A | None", {"a -> None"}),
        ("tuple[int, ...]", {"a -> tuple()"}),
        ("A", set()),
    ],
)
def test_what_is_returned(tmp_path: Path, returns: str, changes: set[str]) -> None:
    (tmp_path / "m.py").write_text(f"def f() -> {returns}:\n  return a\n")
    found = mutants_of(tmp_path, "m.py")
    assert {f"{mutant.before} -> {mutant.after}" for mutant in found} == changes
