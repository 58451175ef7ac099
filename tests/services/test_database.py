"""Which database a center's own Prefect server has: what the file says, or what there is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.core.errors import InfrastructureError, UsageError
from pipelines.center.center import Center
from pipelines.services import postgresql
from pipelines.services.database import Database, choose
from pipelines.services.environment import client_environment, make_auth, server_environment
from tests.center.test_center_file import center

URL = "PREFECT_API_DATABASE_CONNECTION_URL"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder whose path leaves room for that of a socket below it."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *versions: str) -> None:
    """Have those versions of PostgreSQL, and no other, on this machine."""
    monkeypatch.setattr(postgresql, "_INSTALLED", tmp_path / "lib")
    monkeypatch.setattr("shutil.which", lambda _: None)
    for version in versions:
        programs = tmp_path / "lib" / version / "bin"
        programs.mkdir(parents=True)
        for name in ("initdb", "postgres"):
            (programs / name).touch(mode=0o755)


def described(tmp_path: Path, **prefect: Any) -> Center:
    return center(tmp_path, home="home", prefect={"port": 4801, **prefect})


def made_by(mine: Center, version: str) -> None:
    data = postgresql.folder(mine) / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text(f"{version}\n")


def test_a_new_center_has_the_newest_postgresql_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "9", "15", "17")
    mine = described(tmp_path)
    found = choose(mine)
    assert (found.kind, found.programs) == ("postgresql", tmp_path / "lib/17/bin")
    make_auth(mine)
    url = server_environment(mine)[URL]
    assert url.startswith("postgresql+asyncpg://prefect@/postgres?host=")
    assert URL not in client_environment(mine)


def test_without_postgresql_it_has_sqlite_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    mine = described(tmp_path)
    assert str(choose(mine)) == "SQLite (PostgreSQL is not installed)"
    make_auth(mine)
    assert URL not in server_environment(mine)


def test_a_center_keeps_the_database_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installing PostgreSQL, or a newer one, takes nobody's flow runs away."""
    install(tmp_path, monkeypatch, "15", "17")
    mine = described(tmp_path)
    sqlite = mine.home / "standing/prefect/prefect.db"
    sqlite.parent.mkdir(parents=True)
    sqlite.touch()
    assert choose(mine).kind == "sqlite"
    made_by(mine, "15")
    assert choose(mine).programs == tmp_path / "lib/15/bin"


@pytest.mark.parametrize(
    ("installed", "got"), [((), "got none"), (("17",), "got version 17 alone")]
)
def test_a_database_whose_version_is_gone_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], got: str
) -> None:
    install(tmp_path, monkeypatch, *installed)
    mine = described(tmp_path)
    made_by(mine, "15")
    with pytest.raises(InfrastructureError, match="needs PostgreSQL 15") as raised:
        choose(mine)
    assert got in str(raised.value)
    assert "Install postgresql-15; or move" in str(raised.value)


@pytest.mark.parametrize("hindered", [False, True])
def test_what_the_file_says_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hindered: bool
) -> None:
    install(tmp_path, monkeypatch, *(() if hindered else ("15",)))
    assert choose(described(tmp_path, database="sqlite")).kind == "sqlite"
    given = {"database": "postgresql+asyncpg://u@host/db"}
    assert choose(described(tmp_path, **given)).kind == "given"
    assert choose(described(tmp_path, database_file="url")).kind == "given"
    wanted = described(tmp_path, database="postgresql")
    if not hindered:
        assert choose(wanted).kind == "postgresql"
        return
    with pytest.raises(UsageError, match="PostgreSQL is not installed") as raised:
        choose(wanted)
    assert "bootstrap.sh --postgresql" in str(raised.value)


def test_a_home_whose_path_is_too_long_for_a_socket_has_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "15")
    found = choose(center(tmp_path, home="h" * 100, prefect={"port": 4801}))
    assert found.kind == "sqlite"
    assert "more than 107 bytes" in found.why


def test_a_server_elsewhere_has_its_own(tmp_path: Path) -> None:
    elsewhere = center(tmp_path, home="home", prefect={"api": "http://127.0.0.1:9/api"})
    assert isinstance(choose(elsewhere), Database)
    assert URL not in server_environment(elsewhere)
