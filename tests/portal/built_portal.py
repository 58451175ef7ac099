"""A portal of two centers, as tests build it and read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.portal.build import BuiltSite, build_portal
from tests.consensus.two_centers import NAMES, TwoCenters

NOW = datetime(2026, 1, 5, 3, 4, 5, tzinfo=UTC)
RELEASE_PAGE = "releases/acme/tool/1.0/"


@dataclass(kw_only=True)
class BuiltPortal:
    """The portal of a center, and how it is built."""

    centers: TwoCenters
    out: Path

    def publish(self, *names: str, run: str = "20260102T030405Z-0a1b2c3d", **changes: Any) -> None:
        """Let centers publish a run, and then what they say of the work of the others."""
        for name in names or NAMES:
            self.centers.publish(name, run=run, **changes)
        for name in NAMES:
            self.centers.run("--publish", center=name)

    def build(
        self, *, center: str = "europe", now: datetime = NOW, anew: bool = False
    ) -> BuiltSite:
        """Build the next generation as a new process would."""
        with self.centers.session(center) as session:
            return build_portal(session, self.out, now=now, anew=anew)

    def html(self, path: str = "", language: str = "en") -> str:
        """Return a page of the current generation."""
        name = "index.html" if language == "en" else f"index.{language}.html"
        return (self.out / "current" / path / name).read_text()

    def twin(self, path: str = "") -> Any:
        """Return the machine-readable twin of a page."""
        return json.loads((self.out / "current" / path / "index.json").read_bytes())

    def twin_file(self, path: str) -> Any:
        """Return a JSON file of the current generation."""
        return json.loads((self.out / "current" / path).read_bytes())

    def files(self) -> dict[str, bytes]:
        """Return every file of the current generation."""
        root = (self.out / "current").resolve()
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
