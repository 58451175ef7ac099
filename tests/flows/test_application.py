"""Prefect's server with SQLite: transactions wait for each other, and none is "locked".

Importing the server takes a quarter of what collecting all tests does: it waits until a test runs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from prefect.server.database.configurations import AioSqliteConfiguration


async def two_that_read_then_write(config: AioSqliteConfiguration) -> int:
    """Run two transactions side by side, each of which reads before it writes; returns the sum."""
    engine = await config.engine()
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE counter AS SELECT 0 AS number")
        both_read = asyncio.Barrier(2)

        async def count() -> None:
            session = await config.session(engine)
            async with session, config.begin_transaction(session):
                connection = await session.connection()
                (before,) = (await connection.exec_driver_sql("SELECT * FROM counter")).one()
                with suppress(TimeoutError):
                    await asyncio.wait_for(both_read.wait(), 0.3)
                await connection.exec_driver_sql("UPDATE counter SET number = ?", (before + 1,))

        await asyncio.gather(count(), count())
        async with engine.connect() as connection:
            (number,) = (await connection.exec_driver_sql("SELECT * FROM counter")).one()
            return int(number)
    finally:
        await engine.dispose()


def test_transactions_that_read_then_write_wait_for_each_other(tmp_path: Path) -> None:
    from pipelines.flows import application

    url = f"sqlite+aiosqlite:///{tmp_path}/a.db"
    config = application.WaitingSqlite(connection_url=url)
    assert asyncio.run(two_that_read_then_write(config)) == 2


def test_prefect_alone_refuses_one_of_them(tmp_path: Path) -> None:
    """Once this fails, `WaitingSqlite` has no reason any more."""
    from prefect.server.database import configurations

    url = f"sqlite+aiosqlite:///{tmp_path}/a.db"
    config = configurations.AioSqliteConfiguration(connection_url=url)
    with pytest.raises(Exception, match="database is locked"):
        asyncio.run(two_that_read_then_write(config))


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite+aiosqlite:////nowhere/a.db", "WaitingSqlite"),
        ("postgresql+asyncpg://prefect@/postgres?host=/nowhere", "NoneType"),
    ],
)
def test_the_server_of_a_center_has_such_transactions(
    monkeypatch: pytest.MonkeyPatch, url: str, kind: str
) -> None:
    from prefect.server.database import dependencies
    from prefect.settings import temporary_settings

    from pipelines.flows import application

    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", url)
    monkeypatch.setitem(dependencies.MODELS_DEPENDENCIES, "database_config", None)
    monkeypatch.setattr("prefect.server.api.server.create_app", object)
    with temporary_settings():
        application.create_app()
    assert type(dependencies.MODELS_DEPENDENCIES["database_config"]).__name__ == kind
