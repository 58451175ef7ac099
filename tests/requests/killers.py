"""Every check of requests, receipts and heartbeats, broken once, and the tests that notice it.

`python -m tests.requests.killers` breaks each in a copy of the project, runs the killers that
`checks.py` names and writes `killers.md`; it ends with 1 when a break goes unnoticed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.requests.check import Check
from tests.requests.checks import CHECKS

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("killers.md")
_HEAD = """# Checks of requests, receipts and heartbeats, and what kills each when it is broken

Written by `python -m tests.requests.killers`, which breaks every check and runs its killers.

| check | in | killers |
|---|---|---|
"""


def table() -> str:
    """Return the file."""
    rows = (f"| {c.name} | {c.file} | {', '.join(c.killers)} |\n" for c in CHECKS)
    return _HEAD + "".join(rows)


def faults(root: Path = ROOT) -> list[str]:
    """Return what is wrong with the list: a check that is not there, a killer that is none."""
    found = []
    for check in CHECKS:
        count = (root / check.file).read_text().count(check.old)
        if count != 1:
            found.append(f"{check.name}: stands {count} times in {check.file}")
        there = _files(root, check)
        found += [f"{check.name}: no test {name}" for name in check.killers if name not in there]
    return found


def _files(root: Path, check: Check) -> dict[str, str]:
    """Return where each test is, of those that may be killers of a check."""
    return {
        name: file
        for file in check.tests
        for name in re.findall(r"^def (test_\w+)", (root / file).read_text(), re.MULTILINE)
    }


def survivors(root: Path) -> Iterator[str]:
    """Break each check in the copy of the project at `root`; yield what no killer noticed."""
    for check in CHECKS:
        path = root / check.file
        whole = path.read_text()
        path.write_text(whole.replace(check.old, check.new))
        try:
            failed = _failed(root, check)
        finally:
            path.write_text(whole)
        yield from (f"{check.name} by {name}" for name in check.killers if name not in failed)


def _failed(root: Path, check: Check) -> set[str]:
    """Return the killers of a check that are red."""
    there = _files(root, check)
    words = [f"{there[name]}::{name}" for name in check.killers]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return set(re.findall(r"^FAILED \S+::(test_\w+)", done.stdout, re.MULTILINE))


def _main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        for name in ("builders", "pipelines", "tests", "recipes"):
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=leave)
        shutil.copy(ROOT / "pyproject.toml", copy)
        found = list(survivors(copy))
    FILE.write_text(table())
    print(f"{len(CHECKS)} checks broken; unnoticed: {', '.join(found) or 'none'}")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(_main())
