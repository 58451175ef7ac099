"""The application of a Prefect server, as uvicorn starts it: `create_app`.

It is Prefect's own, but for one thing of its SQLite. Prefect begins most transactions there as
readers, which become writers later. When another transaction has written in between, SQLite refuses
that at once with "database is locked", and no time-out helps (`SQLITE_BUSY_SNAPSHOT`). Workers poll
all the time, so that a night would log hundreds of those. Here every transaction takes the write
lock when it begins, and waits for it: sqlite.org/lang_transaction.html, "IMMEDIATE".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from prefect.server.api import server
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL


class WaitingSqlite(AioSqliteConfiguration):
    """Prefect's SQLite, whose transactions wait for the write lock when they begin."""

    @asynccontextmanager
    async def begin_transaction(
        self,
        session: Any,
        with_for_update: bool = False,  # noqa: FBT001, FBT002  # as Prefect has it
    ) -> AsyncGenerator[Any, None]:
        """Begin a transaction that writes, whatever `with_for_update` is."""
        del with_for_update
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


def create_app() -> Any:
    """Return the application; Prefect's settings are those of the environment."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(url).name == "sqlite":
        MODELS_DEPENDENCIES["database_config"] = WaitingSqlite(connection_url=url)
    return server.create_app()
