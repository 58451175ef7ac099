"""One standing center for all tests of flows, with a PostgreSQL of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.images.provide import ProvidedImage
from tests.services.stand import Stand, free_port, standing

DATABASE = Path(__file__).parents[2] / "infra/database.sh"


@pytest.fixture(scope="session")
def database() -> Iterator[Path]:
    """The file with the URL of a PostgreSQL of our own."""
    folder = Path(tempfile.mkdtemp(prefix="sb-", dir="/tmp"))
    folder.chmod(0o755)  # another user works below it
    subprocess.run(
        ["bash", DATABASE, "start", folder / "cluster", str(free_port())],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    yield folder / "cluster/url"
    subprocess.run(["bash", DATABASE, "stop", folder / "cluster"], check=True)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def standing_center(
    tmp_path_factory: pytest.TempPathFactory, build_image: ProvidedImage, database: Path
) -> Iterator[Stand]:
    prefect = {"port": free_port(), "database_file": str(database)}
    with standing(tmp_path_factory.mktemp("center"), prefect=prefect) as stand:
        yield stand
