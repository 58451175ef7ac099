"""`samebits portal`: the command as people type it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from click.testing import CliRunner

from pipelines.cli.portal import command
from tests.portal.built_portal import RELEASE_PAGE, BuiltPortal


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_build_says_what_it_made(portal: BuiltPortal) -> None:
    center = ("--center", str(portal.centers.file("europe")))
    portal.centers.publish("europe")
    code, told = run("build", "--out", str(portal.out), *center, "--json")
    assert code == 0
    found = json.loads(told)
    assert (found["generation"], found["releases"], found["made"]) == (1, 1, 1)
    code, told = run("build", "--out", str(portal.out), *center)
    assert (code, told.split(":")[0]) == (0, f"generation 2 in {portal.out}")


def test_a_release_that_cannot_be_looked_at_keeps_its_page(portal: BuiltPortal) -> None:
    center = ("--center", str(portal.centers.file("europe")))
    assert run("build", "--out", str(portal.out), *center)[0] == 0
    next(portal.centers.root.rglob("1.0.yaml")).write_text("no recipe")
    code, told = run("build", "--out", str(portal.out), *center)
    assert code == 2
    assert "NOT LOOKED AT  acme/tool@1.0" in told
    assert f"{RELEASE_PAGE}index.html" in portal.files()


@contextmanager
def serving(out: Path) -> Iterator[str]:
    """Serve a portal in a process of its own, and yield its address."""
    words = [sys.executable, "-m", "pipelines.cli", "portal", "serve", str(out), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield process.stderr.readline().split()[-1]
        finally:
            process.terminate()


def test_serve_answers_until_it_is_ended(portal: BuiltPortal) -> None:
    portal.build()
    with serving(portal.out) as address:  # as `curl -I` would ask
        answer = httpx.head(address)
    assert answer.status_code == 200
    assert "content-security-policy" in answer.headers
