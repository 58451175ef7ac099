"""A portal that is built and served as its operator does it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builders.core.errors import EXIT_INTERRUPTED
from tests.centers.three import Three
from tests.command import COMMAND, samebits

ROOT = Path(__file__).parents[2]
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+\S*")


@dataclass(frozen=True, kw_only=True)
class Portal:
    """A portal on this machine, and the centers that it shows."""

    origin: str
    out: Path
    three: Three

    def url(self, path: str) -> str:
        """Return the address of a page by its path in the site."""
        return f"{self.origin}/{path.lstrip('/').replace('%', '%25')}"

    @property
    def current(self) -> Path:
        """The folder of the generation that is served."""
        return self.out / "current"

    def pages(self) -> list[str]:
        """Return the path of every page, in English."""
        return sorted(
            f"{path.parent.relative_to(self.current).as_posix()}/".removeprefix("./")
            for path in self.current.rglob("index.html")
        )

    def of_each_kind(self) -> list[str]:
        """Return the first page of every kind, told by the schema of its twin."""
        found: dict[str, str] = {}
        for page in self.pages():
            twin = json.loads((self.current / page / "index.json").read_bytes())
            found.setdefault(twin["schema"], page)
        return sorted(found.values())


def build(three: Three, out: Path) -> None:
    """Let the center in Europe build its portal."""
    words = ("portal", "build", "--out", out, "--center", three.file("europe"))
    done = samebits(*words, home=out.parent / "home")
    assert done.code == 0, done.err


@contextmanager
def served(*words: str | Path, home: Path | None = None) -> Iterator[str]:
    """Run a command that serves pages; yields the address that it names first."""
    with subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            **({"SAMEBITS_HOME": str(home)} if home else {}),
        },
    ) as process:
        assert process.stdout is not None
        said = []
        try:
            for line in process.stdout:
                if found := _ADDRESS.search(line):
                    yield found[0].rstrip("/")
                    break
                said.append(line)
            else:
                raise AssertionError("".join(said))
        finally:
            process.terminate()
            process.communicate(timeout=300)
        assert process.returncode in {0, EXIT_INTERRUPTED}, process.returncode
