"""Prefect's embedded server, in a process of its own that cannot outlive ours.

It answers on loopback, to a password that is made for it. It takes some seconds to start, nearly
all of them imports. So it is started first, everything else goes on beside it, and only the flow
itself waits for it. With PREFECT_API_URL set nothing is started. This module does not import
Prefect: settings must be in the environment before that.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from builders.core.errors import InfrastructureError
from pipelines.storage.files import held
from pipelines.storage.rotating_log import log_pipe

_START_SECONDS = 120
_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LOGGERS_PREFECT_LEVEL": "ERROR",
    "PREFECT_CLI_COLORS": "false",
}


class EmbeddedServer:
    """A Prefect API on a free port of the loopback interface, gone when the block is left."""

    def __init__(self, home: Path) -> None:
        """Keep Prefect's database and settings in `home`; nothing starts yet."""
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self.url: str | None = os.environ.get("PREFECT_API_URL")
        self._log = home / "server.log"
        self._writer: subprocess.Popen[bytes] | None = None
        self._starting = ExitStack()

    def __enter__(self) -> Self:
        """Begin to start the server, unless PREFECT_API_URL names one; does not wait."""
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        if self.url is not None:
            return self
        try:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InfrastructureError(
                "Prefect's folder cannot be made",
                got=f"{error.strerror}: {self._home}",
                todo="Set SAMEBITS_HOME to a folder that can be written",
            ) from error
        os.environ.update(past_the_proxy(os.environ))
        # Two servers that migrate one database at once would collide: the next one waits.
        self._starting.enter_context(held(self._home / "start.lock"))
        port = _free_port()
        os.environ["PREFECT_HOME"] = str(self._home)
        # This server ends with the command, and so would its logs.
        os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")
        os.environ["PREFECT_API_AUTH_STRING"] = auth = f"samebits:{secrets.token_urlsafe(32)}"
        environment = {
            **os.environ,
            "PREFECT_SERVER_API_AUTH_STRING": auth,
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
        }
        command = [
            "setpriv",
            "--pdeathsig",
            "TERM",  # a killed samebits leaves no server behind
            *server_command("127.0.0.1", port),
        ]
        try:
            with log_pipe(self._log) as (log, self._writer):
                self._process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise InfrastructureError(
                "Prefect's server cannot be started", got=error, expected="setpriv and Python"
            ) from error
        self.url = f"http://127.0.0.1:{port}/api"
        os.environ["PREFECT_API_URL"] = self.url
        return self

    def wait(self) -> None:
        """Return once the server answers; raises `InfrastructureError`."""
        if self._process is None:
            return
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):  # noqa: S310
                    self._starting.close()
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        if self._writer is not None and self._process.poll() is not None:
            with suppress(subprocess.TimeoutExpired):
                self._writer.wait(timeout=5)  # its last lines
        tail = self._log.read_text(errors="replace").strip().splitlines()[-1:]
        raise InfrastructureError(
            "Prefect's embedded server does not start",
            got=tail[0][:200] if tail else f"exit code {self._process.poll()}",
            todo=f"See {self._log}, or set PREFECT_API_URL to a server of your own",
        )

    def __exit__(self, *_: object) -> None:
        """Stop the server that was started here."""
        self._starting.close()
        if self._process is None:
            return
        for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
            os.environ.pop(name, None)
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._writer is not None:
            with suppress(subprocess.TimeoutExpired):
                self._writer.wait(timeout=5)


def server_command(host: str, port: int) -> list[str]:
    """Return the command that runs a Prefect server in the foreground."""
    return [
        *(sys.executable, "-m", "uvicorn", "--factory", "pipelines.flows.application:create_app"),
        *("--host", host, "--port", str(port), "--log-level", "error", "--lifespan", "on"),
    ]


def past_the_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which programs reach the loopback interface without a proxy."""
    found = {}
    for name in ("no_proxy", "NO_PROXY"):
        kept = [host for host in environment.get(name, "").split(",") if host]
        found[name] = ",".join(dict.fromkeys([*kept, "127.0.0.1"]))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
