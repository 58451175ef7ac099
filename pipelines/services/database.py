"""Which database the Prefect server of a center has: PostgreSQL or SQLite, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from builders.core.errors import UsageError
from pipelines.center.center import Center
from pipelines.center.file import AUTO, POSTGRESQL, SQLITE
from pipelines.services import postgresql


@dataclass(frozen=True, kw_only=True)
class Database:
    """Which database a center's own Prefect server has, and why that one."""

    kind: Literal["postgresql", "sqlite", "given"]
    why: str
    programs: Path | None = None
    """The folder of `initdb` and `postgres`, of a PostgreSQL of the center's own."""

    def __str__(self) -> str:
        """Return it for people."""
        names = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "given": "named by the file"}
        return f"{names[self.kind]} ({self.why})"


def choose(center: Center) -> Database:
    """Return the database of a center with a Prefect server of its own.

    What the file says counts; if it says nothing, the database that is there, and for a new center
    PostgreSQL where that can be used. Raises `UsageError` when the file wants a PostgreSQL that is
    not installed, `InfrastructureError` when the center's database needs another version.
    """
    prefect = center.prefect
    if (
        prefect is None
        or prefect.database_file
        or prefect.database not in {AUTO, POSTGRESQL, SQLITE}
    ):
        return Database(kind="given", why="its URL is in the center's file or beside it")
    if prefect.database == SQLITE:
        return Database(kind="sqlite", why="as the center's file says")
    if (made := postgresql.made_by(center)) is not None:
        return Database(
            kind="postgresql", why=f"version {made}", programs=postgresql.programs_of(center, made)
        )
    if prefect.database == AUTO and _sqlite_file(center).exists():
        return Database(kind="sqlite", why=f"there is {_sqlite_file(center)}")
    programs, hindrance = postgresql.newest_programs(), postgresql.hindrance(center)
    if programs is not None and hindrance is None:
        return Database(kind="postgresql", why="installed here", programs=programs)
    why = hindrance or "PostgreSQL is not installed"
    if prefect.database == POSTGRESQL:
        raise UsageError(
            f"center {center.id} cannot have a PostgreSQL of its own",
            got=why,
            todo=f"`bash infra/bootstrap.sh --postgresql` installs it; {postgresql.WITHOUT}",
        )
    return Database(kind="sqlite", why=why)


def _sqlite_file(center: Center) -> Path:
    return center.home / "standing" / "prefect" / "prefect.db"
