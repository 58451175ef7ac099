"""The services of a center as foreground commands, for systemd, compose and `center up` alike.

Each replaces this process: it keeps the pid and hears the signals that its supervisor sends.
"""

from __future__ import annotations

import math
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from builders.core.errors import UsageError
from pipelines.center.center import Center
from pipelines.services.environment import client_environment, server_environment
from pipelines.services.secrets import make_auth

SERVER, SIGNER, WORKER = "server", "signer", "worker"
_STEERING = 2
"""Places of a worker beyond its rebuilds: for the night itself, and for requests meanwhile."""


def service_command(center: Center, service: str, *options: str) -> list[str]:
    """Return the command that runs a service of `center` in the foreground."""
    command = [sys.executable, "-m", "pipelines.cli", "center", "run", service, *options]
    return command if center.file is None else [*command, "--center", str(center.file)]


def run_server(center: Center, *, host: str = "127.0.0.1") -> None:
    """Become the center's own Prefect server, listening at `host`; raises `UsageError`."""
    if center.prefect is None or center.prefect.port is None:
        raise UsageError(
            f"center {center.id} has no Prefect server of its own",
            expected="`prefect: {port: ...}` in its file",
            todo="infra/centers has examples",
        )
    make_auth(center)
    command = [
        *(sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"),
        *("--host", host, "--port", str(center.prefect.port), "--log-level", "error"),
        *("--lifespan", "on"),
    ]
    _become(command, server_environment(center))


def run_worker(center: Center, *, number: int = 1) -> None:
    """Become worker `number` of this host; raises `UsageError` for a center without Prefect.

    Its pool and deployments must be there: `deployments.apply_deployments` makes them.
    """
    environment = client_environment(center)
    limit = math.ceil(center.concurrency / center.workers) + _STEERING
    command = [
        *(sys.executable, "-m", "prefect", "worker", "start", "--pool", center.pool),
        *("--type", "process", "--name", worker_name(center, number), "--limit", str(limit)),
    ]
    _become(command, environment)


def worker_name(center: Center, number: int) -> str:
    """Return the name under which Prefect knows worker `number` of this host."""
    return f"{center.id}-{socket.gethostname()}-{WORKER}-{number}"


def listens(path: Path) -> bool:
    """Say whether a process answers at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _become(command: list[str], environment: Mapping[str, str]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, dict(environment))  # noqa: S606  # no value goes to a shell
