"""The library that sets the clock of a build."""

from __future__ import annotations

import pytest

from builders.core.digest import Digest
from builders.images.provide import ProvidedImage
from builders.rebuild.clock_library import provide_library
from pipelines.verify.session import Session


@pytest.fixture(scope="session")
def library(session: Session, build_image: ProvidedImage) -> Digest:
    """The locked preload, built by this very suite."""
    del build_image
    return provide_library(session.images, session.engine, session.vault, session.workdir)
