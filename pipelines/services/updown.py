"""Starting and stopping what a center's file calls its own; each may be asked for at any time."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from builders.core.errors import InfrastructureError, UsageError
from pipelines.center.center import Center
from pipelines.nightly.reaping import reap_center
from pipelines.services import services
from pipelines.services.api import PrefectApi
from pipelines.services.deployments import apply_deployments, run_now
from pipelines.services.process import Standing
from pipelines.services.secret import make_auth
from pipelines.verify.session import Session

_SERVER_SECONDS = 120
_WORKER_SECONDS = 60
_GRACE = {services.SERVER: 10.0, services.SIGNER: 10.0, services.WORKER: 30.0}
"""Seconds to end in; a worker first removes the containers of its runs."""

_AT_ONCE = ("reap", "serve-requests")
"""Flows that are run as soon as there are workers: what was cut off goes on, and what was asked for
meanwhile is answered. Their schedules start them minutes later."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Running:
    """What answers after `up`."""

    url: str
    pids: dict[str, int]
    deployments: tuple[str, ...]


def up(center: Center, say: Say = lambda _: None) -> Running:
    """Start what is the center's own and does not run, and return when the center answers.

    Raises `UsageError` for a file without a section `prefect`, and `InfrastructureError` naming the
    log of what did not start; what did start is left running, and `up` may be tried again.
    """
    if center.prefect is None or center.file is None:
        raise UsageError(
            f"center {center.id} has no Prefect to be started",
            expected="a center file with a section `prefect`",
            todo="infra/centers holds examples",
        )
    make_auth(center)
    api = PrefectApi(center)
    if center.prefect.port is not None:
        if services.server(center).pid() is None:
            if _somebody_at(center):
                raise InfrastructureError(
                    "another program listens at the port of the center's Prefect",
                    got=center.prefect.url,
                    todo="Stop it, or give the center another `prefect.port`",
                )
            say("Prefect's server")
        services.start_server(center)
    if services.start_signer(center):
        say("the signer")
        _wait(
            lambda: center.signer is not None and services.listens(center.signer),
            services.signer(center),
            seconds=_WORKER_SECONDS,
        )
    _wait(
        api.answers,
        services.server(center) if center.prefect.port is not None else None,
        seconds=_SERVER_SECONDS if center.prefect.port is not None else 10,
    )
    say("pool and deployments")
    deployments = apply_deployments(center)
    idle = all(worker.pid() is None for worker in services.workers(center))
    if idle:
        say(f"{center.workers} worker(s)")
    services.start_workers(center)
    for worker in services.workers(center):
        heard = partial(_heard, center, api, services.worker_name(center, worker.name))
        _wait(heard, worker, seconds=_WORKER_SECONDS)
    if idle:
        for flow in _AT_ONCE:
            run_now(api, flow)
    return Running(url=center.prefect.url, pids=pids(center), deployments=deployments)


def down(center: Center, say: Say = lambda _: None) -> tuple[str, ...]:
    """Stop what `up` started, and nothing else; returns the names of what was there.

    Workers go first, so that their runs can still say how they ended. Running rebuilds are ended,
    and what they leave is cleared away; without an engine that is for `samebits reap`.
    """
    stopped = []
    for one in (*services.workers(center), services.signer(center), services.server(center)):
        if one.known() is None:
            continue
        say(one.name)
        if one.stop(seconds=_GRACE[one.name.partition("-")[0]]):
            stopped.append(one.name)
    if stopped:
        with suppress(InfrastructureError), Session(center) as session:
            reap_center(session)
    return tuple(stopped)


def pids(center: Center) -> dict[str, int]:
    """Return the pids of what runs, by name."""
    all_of_them = (
        services.server(center),
        services.signer(center),
        *services.workers(center),
    )
    return {one.name: pid for one in all_of_them if (pid := one.pid()) is not None}


def online(center: Center, api: PrefectApi) -> set[str]:
    """Return the names of the workers that Prefect hears of."""
    try:
        found = api.post(f"/work_pools/{center.pool}/workers/filter")
    except InfrastructureError:
        return set()
    return {str(worker["name"]) for worker in found if worker["status"] == "ONLINE"}


def _heard(center: Center, api: PrefectApi, worker: str) -> bool:
    return worker in online(center, api)


def _wait(holds: Callable[[], bool], process: Standing | None, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if process is not None and process.pid() is None:
            raise InfrastructureError(
                f"the center's {process.name} does not start",
                got=process.last_words(),
                todo=f"See {process.log}",
            )
        if time.monotonic() > until:
            what = "Prefect's API" if process is None else f"the center's {process.name}"
            raise InfrastructureError(
                f"{what} does not answer",
                got=f"silence for {seconds:.0f} s",
                todo=f"See {process.log}" if process else "Start it first",
            )
        time.sleep(0.1)


def _somebody_at(center: Center) -> bool:
    if center.prefect is None or center.prefect.port is None:
        return False
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", center.prefect.port)) == 0
