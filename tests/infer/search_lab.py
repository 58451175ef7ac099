"""One release in a vault of its own, whose recipe is searched for."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter

from builders.core.digest import digest_file
from builders.locators import FileLocator
from builders.locators.locator import relative_path
from builders.packing import Packing
from builders.packing.repack import repacked
from pipelines.center.center import Center
from pipelines.infer.journal import SearchJournal
from pipelines.infer.search import SearchLimits
from pipelines.infer.target import Pin, Target
from pipelines.infer.wheel.hypothesis import WheelHypothesis
from pipelines.verify.session import Session
from tests.infer.workbench import (
    BUILT,
    METADATA,
    RELEASED,
    Entries,
    FakeRebuild,
    backends,
    sdist,
    searched,
    source_files,
    wheel,
)

PACKING: TypeAdapter[Packing] = TypeAdapter(Packing)
NAME = "tool-1.0-py3-none-any.whl"

OLD = f"{METADATA}\n"

"""With the line that older versions of setuptools leave at the end."""


class Lab:
    """One release in a vault of its own, and a vendor whose build is a rule of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session = Session(Center(id="local", home=folder / "home", store=folder / "store"))
        self.count = 0
        self.index = backends()

    def release(
        self,
        shipped: Entries,
        source: Entries | None = None,
        *,
        name: str = NAME,
        at: int = BUILT,
        level: int | None = None,
    ) -> Target:
        made = wheel(self.folder / name, shipped, at=at, level=level)
        archive = sdist(self.folder / "tool-1.0.tar.gz", source or source_files())
        pins = []
        for path in (made, archive):
            pin = Pin(
                name=path.name,
                locator=FileLocator(path=relative_path(path.name)),
                sha256=digest_file(path),
            )
            self.session.vault.add(path, pin.sha256, what=path.name)
            pins.append(pin)
        return Target(
            vendor="local",
            product="tool",
            version="1.0",
            artefacts=(pins[0],),
            digest=pins[0].sha256,
            source=pins[1],
            uploaded=RELEASED,
        )

    def search(
        self,
        target: Target,
        build: Callable[[WheelHypothesis], Entries | str],
        *,
        limits: SearchLimits | None = None,
        known: SearchJournal | None = None,
        at: int = BUILT,
    ) -> tuple[SearchJournal, FakeRebuild]:
        def built(hypothesis: WheelHypothesis) -> Path | str:
            result = build(hypothesis)
            if isinstance(result, str):
                return result
            self.count += 1
            folder = self.folder / f"built-{self.count}"
            folder.mkdir()
            made = wheel(folder / target.shipped.name, result, at=at)
            for one in hypothesis.packings:
                packing = PACKING.validate_json(one.declared)
                pieces = repacked(io.BytesIO(made.read_bytes()), packing, tempfile.TemporaryFile)
                made.write_bytes(b"".join(pieces))
            return made

        tryout = FakeRebuild(build=built, published=target.shipped.sha256)
        place = self.folder / f"search-{self.count}"
        found = searched(
            target, self.session, self.index, place, tryout, limits=limits, known=known
        )
        return found, tryout
