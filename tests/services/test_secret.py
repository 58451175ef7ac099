"""Secrets of a center: made once, kept from others, and on no command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.errors import UsageError
from pipelines.center.center import Center
from pipelines.services.environment import (
    client_environment,
    make_auth,
    read_auth,
    server_environment,
)
from tests.center.test_center_file import center


@pytest.fixture
def mine(tmp_path: Path) -> Center:
    return center(tmp_path, home="home", prefect={"port": 4801})


def test_it_is_made_once_and_for_nobody_else(mine: Center) -> None:
    path = make_auth(mine)
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    words = read_auth(mine)
    assert words is not None
    assert len(words) > 40
    assert make_auth(mine) == path
    assert read_auth(mine) == words


def test_server_and_client_get_it_through_their_environment(mine: Center) -> None:
    make_auth(mine)
    client, server = client_environment(mine), server_environment(mine)
    assert client["PREFECT_API_AUTH_STRING"] == read_auth(mine)
    assert server["PREFECT_SERVER_API_AUTH_STRING"] == read_auth(mine)
    assert "PREFECT_SERVER_API_AUTH_STRING" not in client


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(mine: Center, mode: int) -> None:
    path = make_auth(mine)
    assert path is not None
    path.chmod(mode)
    with pytest.raises(UsageError, match="is not kept from others"):
        read_auth(mine)


@pytest.mark.parametrize("text", ["", "no colon", "a:b\nc:d\n", "a:\x00b"])
def test_a_damaged_file_is_refused(mine: Center, text: str) -> None:
    path = make_auth(mine)
    assert path is not None
    path.write_text(text)
    with pytest.raises(UsageError):
        read_auth(mine)


def test_the_settings_of_another_prefect_are_left_out(
    mine: Center, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_auth(mine)
    monkeypatch.setenv("PREFECT_API_KEY", "theirs")
    assert "PREFECT_API_KEY" not in client_environment(mine)


def test_the_database_comes_from_its_file(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://prefect:word@127.0.0.1:5432/prefect"
    file = tmp_path / "database"
    file.write_text(url + "\n")
    mine = center(tmp_path, home="home", prefect={"port": 4801, "database_file": "database"})
    make_auth(mine)
    with pytest.raises(UsageError, match="is not kept from others"):
        server_environment(mine)
    file.chmod(0o600)
    assert server_environment(mine)["PREFECT_API_DATABASE_CONNECTION_URL"] == url
    assert url not in client_environment(mine).values()
