"""What searches and refinements are tested on."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipelines.infer.wheel.clues import initial_hypothesis
from pipelines.infer.wheel.refinement import Refinement
from pipelines.infer.wheel.toolchain import KNOWN_SETUPTOOLS, Resolver
from tests.fakes.jail import OpenJail
from tests.infer.refinement_bench import LATER, Bench, Make
from tests.infer.search_lab import Lab
from tests.infer.workbench import (
    RELEASED,
    backends,
    clues,
    wheel_files,
)


@pytest.fixture
def made(tmp_path: Path) -> Make:
    def make(generator: str | None = None, **more: Any) -> Bench:
        files = wheel_files() if generator is None else wheel_files(generator)
        found = clues(tmp_path, **{"shipped": files, **more})
        index = backends()
        for version in KNOWN_SETUPTOOLS:
            index.put("setuptools", str(version), LATER)
        index.put("setuptools", "80.0", LATER)
        for project in ("pbr", "setuptools-scm", "cython", "distutils", "pkg-resources"):
            index.put(project, "3.0", RELEASED)
        nothing = tmp_path / "nothing.whl"
        with zipfile.ZipFile(nothing, "w") as archive:
            archive.writestr("x-1.dist-info/METADATA", "Name: x\n")
        resolver = Resolver(index, lambda _: nothing, OpenJail(), without="tool")
        return Bench(found, Refinement(found, resolver), initial_hypothesis(found, resolver))

    return make


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)
