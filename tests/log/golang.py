"""Go's own judgement: `gojudge`, built offline with the sources of Debian's Go compiler.

Go ships `sumdb/note` and `sumdb/tlog` as a part of its command; they are laid beside our program
for the time of a test. Both import the standard library alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "gojudge"
_SUMDB = "src/cmd/vendor/golang.org/x/mod/sumdb"
Question = Mapping[str, object]


@dataclass(frozen=True)
class Judge:
    """The built program."""

    path: Path

    def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """Return Go's answers, each with `Error` (empty: accepted), `Text` and `Leaves`."""
        done = subprocess.run(
            [self.path],
            input=json.dumps([_plain(q) for q in questions]),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        assert len(answers) == len(questions)
        return answers

    def errors(self, questions: Sequence[Question]) -> list[str]:
        """Return what Go has against each."""
        return [answer["Error"] for answer in self.ask(questions)]


def build(folder: Path) -> Judge:
    """Build the program in `folder`; fails when Go or its source is missing."""
    go = shutil.which("go")
    assert go, "go is missing: infra/bootstrap.sh installs it"
    # Go's own cache of compiled packages is kept: it saves ten seconds from the second time on.
    env = os.environ | {
        "GOPATH": str(folder / "path"),
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",
        "GOGC": "800",  # the compiler collects garbage less often
    }
    root = _run([go, "env", "GOROOT"], folder, env).strip()
    module = folder / "gojudge"
    shutil.copytree(PROGRAM, module)
    for name in ("note", "tlog"):
        shutil.copytree(Path(root, _SUMDB, name), module / "sumdb" / name)
    (module / "go.mod").write_text("module gojudge\n\ngo 1.21\n")
    # Unoptimised, and without what a debugger reads: compiling takes longer than judging.
    flags = ("-gcflags=all=-N -l -dwarf=false", "-ldflags=-w")
    _run([go, "build", *flags, "-o", str(folder / "judge"), "."], module, env)
    return Judge(folder / "judge")


def _run(words: list[str], folder: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _plain(value: object) -> object:
    """Return what JSON can carry: Go reads bytes from base64."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
