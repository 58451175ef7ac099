"""The processes that a center's file calls its own: what each is called, and how it is started."""

from __future__ import annotations

import math
import socket
import sys
from pathlib import Path

from pipelines.center.center import Center
from pipelines.services.environment import (
    center_environment,
    client_environment,
    server_environment,
)
from pipelines.services.process import Standing

SERVER, SIGNER, WORKER = "server", "signer", "worker"
_STEERING = 2
"""Places of a worker beyond its rebuilds: for the night itself, and for whoever asks meanwhile."""


def folder(center: Center) -> Path:
    """Return where pid files and logs are."""
    return center.home / "standing"


def server(center: Center) -> Standing:
    """Return the center's Prefect server."""
    return Standing(SERVER, folder(center))


def signer(center: Center) -> Standing:
    """Return the center's signer."""
    return Standing(SIGNER, folder(center))


def workers(center: Center) -> list[Standing]:
    """Return the workers that the file asks for, and those of an earlier file that are left."""
    wanted = [f"{WORKER}-{number}" for number in range(1, center.workers + 1)]
    there = sorted(path.stem for path in folder(center).glob(f"{WORKER}-*.pid"))
    names = [*wanted, *(name for name in there if name not in wanted)]
    return [Standing(name, folder(center)) for name in names]


def start_server(center: Center) -> None:
    """Start the center's own Prefect server, unless it runs."""
    if center.prefect is None or center.prefect.port is None:
        return
    # Two servers that migrate one database at once would collide: there is one pid file.
    command = [
        sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app",
        "--host", "127.0.0.1", "--port", str(center.prefect.port), "--log-level", "error",
        "--lifespan", "on",
    ]  # fmt: skip
    server(center).start(command, server_environment(center))


def start_signer(center: Center) -> bool:
    """Start the signer at its socket, unless somebody answers there; says whether it is ours."""
    path = center.signer
    if path is None or listens(path):
        return signer(center).pid() is not None
    command = [sys.executable, "-m", "pipelines.cli", "signer", "--socket", str(path)]
    if center.file is not None:
        command += ["--center", str(center.file)]
    signer(center).start(command, center_environment(center))
    return True


def start_workers(center: Center) -> None:
    """Start the workers that the file asks for, and end those it asks for no more."""
    environment = client_environment(center)
    limit = math.ceil(center.concurrency / center.workers) + _STEERING
    for number, worker in enumerate(workers(center), 1):
        if number > center.workers:
            worker.stop(seconds=30)
            continue
        command = [
            sys.executable, "-m", "prefect", "worker", "start", "--pool", center.pool,
            "--type", "process", "--name", worker_name(center, worker.name),
            "--limit", str(limit),
        ]  # fmt: skip
        worker.start(command, environment)


def worker_name(center: Center, name: str) -> str:
    """Return the name under which Prefect knows a worker."""
    return f"{center.id}-{socket.gethostname()}-{name}"


def listens(path: Path) -> bool:
    """Say whether somebody answers at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
