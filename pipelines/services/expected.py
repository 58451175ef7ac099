"""The services that a center should have running, and which of them do.

Whoever supervises them: `center up`, systemd or compose. So what a service does counts, and its pid
file only for a worker that `up` has started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from builders.core.errors import SamebitsError
from pipelines.center.center import Center
from pipelines.services import postgresql, supervisor
from pipelines.services.database import choose
from pipelines.services.environment import DATABASE, SERVER, SIGNER, worker_name

ENGINE = "engine"


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """A service that should run."""

    name: str
    runs: bool
    pid: int | None
    """Of a service that `center up` has started here."""
    detail: str
    """Where it answers; of one that does not run, what its log says last."""


def service_states(
    center: Center, *, answers: bool, online: frozenset[str], engine: Callable[[], str]
) -> Iterator[ServiceState]:
    """Yield every service that should run; of a center without Prefect, none.

    `answers` says whether Prefect's API does, `online` holds the names of the workers that it has
    heard from lately, and `engine` returns a word on the container engine or raises its error.
    """
    prefect = center.prefect
    if prefect is None:
        return
    if prefect.port is not None:
        yield _database(center)
    yield _state(center, SERVER, runs=answers, where=prefect.url)
    if (path := center.signer) is not None:
        yield _state(center, SIGNER, runs=supervisor.listens(path), where=str(path))
    for number, worker in enumerate(supervisor.workers(center)[: center.workers], 1):
        name = worker_name(center, number)
        alive = worker.pid() is not None if worker.known() else name in online
        yield _state(center, worker.name, runs=alive, where=name)
    try:
        yield ServiceState(name=ENGINE, runs=True, pid=None, detail=engine())
    except SamebitsError as error:
        yield ServiceState(name=ENGINE, runs=False, pid=None, detail=str(error))


def _database(center: Center) -> ServiceState:
    try:
        chosen = choose(center)
    except SamebitsError as error:
        return ServiceState(name=DATABASE, runs=False, pid=None, detail=str(error))
    runs = chosen.programs is None or postgresql.accepts(center, chosen.programs)
    return _state(center, DATABASE, runs=runs, where=str(chosen))


def _state(center: Center, name: str, *, runs: bool, where: str) -> ServiceState:
    (service,) = (one for one in supervisor.services(center) if one.name == name)
    detail = where if runs else f"{where}: not running"
    if not runs and service.known() is not None:
        detail = f"{service.last_log_line()} (more in {service.log})"
    return ServiceState(name=name, runs=runs, pid=service.pid(), detail=detail)
