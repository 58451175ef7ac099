"""The processes of a center as commands that stay in the foreground, and their environment.

For systemd, compose and `center up` alike: each command replaces this process, keeps its pid and
hears the signals that its supervisor sends. Its environment holds settings of Prefect and what the
center's file says. Secrets, the password of Prefect's API and the URL of its database, are in files
of mode 0600 and go from there into the environment of the processes that need them, and nowhere
else.
"""

from __future__ import annotations

import math
import os
import secrets
import shutil
import socket
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from builders.core.errors import InfrastructureError, UsageError
from pipelines.center.center import Center
from pipelines.center.reload import COPY, copy_of, keep_copy
from pipelines.flows.server import past_the_proxy, server_command
from pipelines.services import postgresql
from pipelines.services.database import choose
from pipelines.storage.files import create

DATABASE, SERVER, SIGNER, WORKER = "database", "server", "signer", "worker"
MARK = "SAMEBITS_SERVICE"
"""The variable by which a process tells which service it belongs to."""
_DATABASE_SECONDS = 60.0
_MAX_SECRET = 4096
_USER = "samebits"
_STEERING = 2
"""Places of a worker beyond its rebuilds: for the night itself, and for requests meanwhile."""
_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_CLI_PROMPT": "false",
}
_WORKING = {
    "PREFECT_WORKER_QUERY_SECONDS": "3",
    "PREFECT_WORKER_PREFETCH_SECONDS": "2",
    # A server that is restarted is away for some ten seconds; nothing is given up for that.
    "PREFECT_CLIENT_MAX_RETRIES": "8",
}
_SERVING = {
    "PREFECT_UI_ENABLED": "true",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # Looked for every five seconds by default, which costs builds as much as half of all else that
    # a waiting server does. Nothing here pauses, and a worker's own look starts what is due.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_LOOP_SECONDS": "60",
}


def center_environment(center: Center, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of every process of a center: its engine and its recipes.

    `base` is the environment to start from, by default this process's; settings of Prefect in it
    are left out: they belong to another Prefect.
    """
    source = os.environ if base is None else base
    environment = {name: value for name, value in source.items() if not name.startswith("PREFECT_")}
    if center.engine is not None:
        environment["DOCKER_HOST"] = center.engine
    environment["SAMEBITS_RECIPES"] = str(center.recipes)
    return environment | past_the_proxy(environment)


def client_environment(center: Center) -> dict[str, str]:
    """Return the environment of clients of the center's Prefect API; raises `UsageError`."""
    if center.prefect is None:
        raise UsageError(
            f"center {center.id} has no Prefect",
            expected="a section `prefect` in its file, with `port` or `api`",
            todo="infra/centers holds examples",
        )
    environment = {
        **center_environment(center),
        **_QUIET,
        **_WORKING,
        # What `infra/prefect.yaml` leaves open, as it names it.
        "SAMEBITS_POOL": center.pool,
        COPY: str(copy_of(center)),
        "SAMEBITS_CENTER": "" if center.file is None else str(center.file),
        "SAMEBITS_NIGHT_CRON": center.night.cron,
        "SAMEBITS_NIGHT_TIMEZONE": center.night.timezone,
        # `python` of a flow run is ours, wherever that is.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PREFECT_HOME": str(center.home / "prefect"),
        "PREFECT_API_URL": center.prefect.url,
    }
    if (auth := read_auth(center)) is not None:
        environment["PREFECT_API_AUTH_STRING"] = auth
    return environment


def server_environment(center: Center) -> dict[str, str]:
    """Return the environment of the center's own server; raises `UsageError`."""
    environment = {
        **client_environment(center),
        **_SERVING,
        # Not that of clients: the server may have a user of its own, who writes there.
        "PREFECT_HOME": str(center.home / "standing" / "prefect"),
    }
    if (auth := environment.get("PREFECT_API_AUTH_STRING")) is not None:
        environment["PREFECT_SERVER_API_AUTH_STRING"] = auth
    if (url := _database_url(center)) is not None:
        environment["PREFECT_API_DATABASE_CONNECTION_URL"] = url
    return environment


def _database_url(center: Center) -> str | None:
    """Return the URL of the database of the center's own server; None for SQLite."""
    prefect = center.prefect
    if prefect is None or prefect.port is None:
        return None
    if prefect.database_file is not None:
        return read_secret(prefect.database_file, "the URL of Prefect's database")
    match choose(center).kind:
        case "given":
            return prefect.database
        case "postgresql":
            return postgresql.own_url(center)
        case "sqlite":
            return None


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
    _wait_for_database(center)
    _become(server_command(host, center.prefect.port), server_environment(center))


def run_database(center: Center) -> None:
    """Become the center's own PostgreSQL, which is made first if there is none.

    Raises `UsageError` for a center that has none, `InfrastructureError` when it cannot be made.
    """
    chosen = choose(center)
    if chosen.programs is None:
        raise UsageError(
            f"center {center.id} has no PostgreSQL of its own",
            got=chosen,
            todo="`samebits center run server` needs no other service for its database",
        )
    command = postgresql.prepare(center, chosen.programs)
    kept = {name: os.environ[name] for name in ("PATH", MARK) if name in os.environ}
    _become([shutil.which(command[0]) or command[0], *command[1:]], kept)


def _wait_for_database(center: Center) -> None:
    """Return once the center's own PostgreSQL takes connections, at once where there is none."""
    programs, until = choose(center).programs, time.monotonic() + _DATABASE_SECONDS
    while programs is not None and not postgresql.accepts(center, programs):
        if time.monotonic() > until:
            raise InfrastructureError(
                "the center's database does not answer",
                got=f"no answer for {_DATABASE_SECONDS:.0f} s: {postgresql.folder(center)}",
                todo="`samebits center run database` runs it, and says what is wrong with it",
            )
        time.sleep(0.1)


def run_worker(center: Center, *, number: int = 1) -> None:
    """Become worker `number` of this host; raises `UsageError` for a center without Prefect.

    Its pool and deployments must be there: `prefect_api.apply_deployments` makes them.
    """
    environment = client_environment(center)
    keep_copy(center)
    limit = math.ceil(center.concurrency / center.workers) + _STEERING
    command = [
        *(sys.executable, "-m", "prefect", "worker", "start", "--pool", center.pool),
        *("--type", "process", "--name", worker_name(center, number), "--limit", str(limit)),
    ]
    _become(command, environment)


def worker_name(center: Center, number: int) -> str:
    """Return the name under which Prefect knows worker `number` of this host."""
    return f"{center.id}-{socket.gethostname()}-{WORKER}-{number}"


def _become(command: list[str], environment: Mapping[str, str]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, dict(environment))  # noqa: S606  # no value goes to a shell


def read_secret(path: Path, what: str) -> str:
    """Return the one line of a file that only its owner can read; raises `UsageError`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as stream:
            mode = os.fstat(fd).st_mode
            data = stream.read(_MAX_SECRET + 1)
    except OSError as error:
        raise UsageError(
            f"the file with {what} cannot be read", got=f"{error.strerror}: {path}"
        ) from error
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise UsageError(
            f"the file with {what} is not kept from others",
            got=f"mode {stat.S_IMODE(mode):04o}: {path}",
            expected="a file of mode 0600",
            todo=f"chmod 600 {path}",
        )
    text = data.decode("ascii", "replace").strip()
    if not text or not text.isprintable() or len(data) > _MAX_SECRET:
        raise UsageError(f"the file with {what} does not hold one line of text", got=path)
    return text


def make_auth(center: Center) -> Path | None:
    """Make the API password of the center's own server; returns its file.

    An existing file is kept. Returns None when the center has no server of its own.
    """
    prefect = center.prefect
    if prefect is None or prefect.port is None or prefect.auth is None:
        return None
    try:
        prefect.auth.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create(prefect.auth, f"{_USER}:{secrets.token_urlsafe(32)}\n".encode())
    except OSError as error:
        raise UsageError(
            "Prefect's password cannot be kept", got=f"{error.strerror}: {prefect.auth}"
        ) from error
    return prefect.auth


def read_auth(center: Center) -> str | None:
    """Return `user:password` of the center's Prefect API; None for an API that is open."""
    if center.prefect is None or center.prefect.auth is None:
        return None
    text = read_secret(center.prefect.auth, "the API password")
    if ":" not in text:
        raise UsageError(
            "the file with the API password is damaged",
            got=center.prefect.auth,
            expected="user:password",
        )
    return text
