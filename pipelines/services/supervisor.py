"""`center up` and `center down`: the services of a center, started and stopped on one machine.

`up` starts the commands `samebits center run ...` as background processes. On a host with systemd
or compose these supervise the same commands one by one.
"""

from __future__ import annotations

import signal as signals
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from builders.core.errors import InfrastructureError, UsageError
from pipelines.center.center import Center
from pipelines.center.keys import policy_file
from pipelines.center.reload import check_takeover
from pipelines.nightly.periodic import reap_center
from pipelines.services import postgresql
from pipelines.services.database import choose
from pipelines.services.environment import (
    DATABASE,
    SERVER,
    SIGNER,
    WORKER,
    center_environment,
    make_auth,
    service_command,
    worker_name,
)
from pipelines.services.prefect_api import PrefectApi, apply_deployments
from pipelines.services.service import Service
from pipelines.verify.session import Session

_SERVER_SECONDS = 120
_DATABASE_SECONDS = 120
_WORKER_SECONDS = 60
_GRACE = {DATABASE: 30.0, SERVER: 10.0, SIGNER: 10.0, WORKER: 30.0}
"""Seconds to end in; a worker first removes the containers of its runs."""
_AT_ONCE = ("reap", "serve-requests")
"""Flows that are run as soon as there are workers: interrupted runs go on, and requests that came
meanwhile are answered. Their schedules start them minutes later."""

Say = Callable[[str], None]


def up(center: Center, say: Say = lambda _: None) -> tuple[str, ...]:
    """Start the center's services that do not run; returns the deployments when it answers.

    Raises `UsageError` for a file without a section `prefect`, and for one that services which run
    cannot take over, and `InfrastructureError` naming the
    log of what did not start; what did start is left running, and `up` may be tried again.
    """
    if center.prefect is None or center.file is None:
        raise UsageError(
            f"center {center.id} has no Prefect to be started",
            expected="a center file with a section `prefect`",
            todo="infra/centers has examples",
        )
    policy_file(center)  # no night and no request is served without one
    if pids(center):
        check_takeover(center)
    make_auth(center)
    api = PrefectApi(center)
    port = center.prefect.port
    if port is not None:
        _start_database(center, say)
        _start_server(center, port, say)
    _start_signer(center, say)
    _wait(
        api.answers,
        None if port is None else server(center),
        seconds=10 if port is None else _SERVER_SECONDS,
    )
    say("pool and deployments")
    deployments = apply_deployments(center)
    idle = all(worker.pid() is None for worker in workers(center))
    _start_workers(center, api, say)
    if idle:
        for flow in _AT_ONCE:
            api.run_now(flow)
    return deployments


def down(center: Center, say: Say = lambda _: None) -> tuple[str, ...]:
    """Stop what `up` started, and nothing else; returns the names of what was running.

    Workers go first, so that their runs can still record how they ended. Running rebuilds are
    ended, and what they leave is removed; without an engine `samebits reap` does that later. What
    they had committed to is completed by the next `reap` or `up`.
    """
    stopped = []
    for one in reversed(services(center)):
        if one.known() is None:
            continue
        say(one.name)
        if one.stop(seconds=_GRACE[one.name.partition("-")[0]]):
            stopped.append(one.name)
    if stopped:
        with suppress(InfrastructureError), Session(center) as session:
            reap_center(session, complete=False)
    return tuple(stopped)


def service_folder(center: Center) -> Path:
    """Return the folder of pid files and logs."""
    return center.home / "standing"


def database(center: Center) -> Service:
    """Return the center's own PostgreSQL, which SIGINT ends without waiting for its clients."""
    return Service(DATABASE, service_folder(center), ended_by=signals.SIGINT)


def server(center: Center) -> Service:
    """Return the center's Prefect server."""
    return Service(SERVER, service_folder(center))


def signer(center: Center) -> Service:
    """Return the center's signer."""
    return Service(SIGNER, service_folder(center))


def workers(center: Center) -> list[Service]:
    """Return the workers that the file asks for, and those of an earlier file that are left."""
    folder = service_folder(center)
    wanted = [f"{WORKER}-{number}" for number in range(1, center.workers + 1)]
    there = sorted(path.stem for path in folder.glob(f"{WORKER}-*.pid"))
    return [Service(name, folder) for name in dict.fromkeys([*wanted, *there])]


def services(center: Center) -> list[Service]:
    """Return the services of a center in the order in which they are started."""
    return [database(center), server(center), signer(center), *workers(center)]


def pids(center: Center) -> dict[str, int]:
    """Return the pids of what runs, by name."""
    return {one.name: pid for one in services(center) if (pid := one.pid()) is not None}


def _start_database(center: Center, say: Say) -> None:
    """Start the PostgreSQL of a center that has one of its own."""
    chosen, service = choose(center), database(center)
    if chosen.programs is None:
        return
    if service.pid() is None:
        say("PostgreSQL")
    service.start(service_command(center, DATABASE), center_environment(center))
    accepts = partial(postgresql.accepts, center, chosen.programs)
    _wait(accepts, service, seconds=_DATABASE_SECONDS, otherwise=f"; {postgresql.WITHOUT}")


def _start_server(center: Center, port: int, say: Say) -> None:
    """Start the server; its pid file keeps two from migrating one database at once."""
    service = server(center)
    if service.pid() is None:
        with socket.socket() as probe:
            probe.settimeout(2)
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        if taken:
            raise InfrastructureError(
                "another program listens at the port of the center's Prefect",
                got=center.prefect.url if center.prefect else "",
                todo="Stop it, or give the center another `prefect.port`",
            )
        say("Prefect's server")
    service.start(service_command(center, SERVER), center_environment(center))


def _start_signer(center: Center, say: Say) -> None:
    """Start the signer at the socket that the file names, unless one answers there."""
    path, service = center.signer, signer(center)
    if path is None or (listens(path) and service.pid() is None):
        return
    say("the signer")
    service.start(service_command(center, SIGNER), center_environment(center))
    _wait(lambda: listens(path), service, seconds=_WORKER_SECONDS)


def _start_workers(center: Center, api: PrefectApi, say: Say) -> None:
    """Start the workers that the file asks for, and end those that it no longer asks for."""
    every = workers(center)
    if all(worker.pid() is None for worker in every):
        say(f"{center.workers} worker(s)")
    for number, worker in enumerate(every, 1):
        if number > center.workers:
            worker.stop(seconds=_GRACE[WORKER])
            continue
        command = service_command(center, WORKER, "--number", str(number))
        worker.start(command, center_environment(center))
    for number, worker in enumerate(every[: center.workers], 1):
        online = partial(api.is_online, worker_name(center, number))
        _wait(online, worker, seconds=_WORKER_SECONDS)


def listens(path: Path) -> bool:
    """Say whether a process answers at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _wait(
    holds: Callable[[], bool], service: Service | None, *, seconds: float, otherwise: str = ""
) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if service is not None and service.pid() is None:
            raise InfrastructureError(
                f"the center's {service.name} does not start",
                got=service.last_log_line(),
                todo=f"See {service.log}{otherwise}",
            )
        if time.monotonic() > until:
            what = "Prefect's API" if service is None else f"the center's {service.name}"
            raise InfrastructureError(
                f"{what} does not answer",
                got=f"no answer for {seconds:.0f} s",
                todo=f"See {service.log}{otherwise}" if service else "Start it first",
            )
        time.sleep(0.1)
