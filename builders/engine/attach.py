"""A container on the terminal of this process, attached by the engine's own client.

The client draws nothing, and hands the size of the terminal on. On every path out it is gone, and
the terminal is as it was.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import termios
from collections.abc import Iterator

from builders.core.errors import EngineError

_NO_DETACH = "ctrl-@,ctrl-^,ctrl-_,ctrl-@"
"""In the place of Ctrl-P Ctrl-Q: a container that nobody is attached to is removed."""
_GRACE = 5.0


@contextlib.contextmanager
def attached_client(host: str | None, container: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a container with its first process attached to this one's standard streams.

    Yields the client, whose end is that of the container. Raises `EngineError` without a client.
    """
    command = ["docker", *(("--host", host) if host else ()), "start", "--attach", "--interactive"]
    with _terminal_restored():
        try:
            client = subprocess.Popen([*command, "--detach-keys", _NO_DETACH, container])
        except OSError as error:
            raise EngineError(
                "a shell needs the engine's command line client",
                got=error.strerror,
                expected="docker",
                todo="`bash infra/bootstrap.sh` installs it",
            ) from error
        try:
            yield client
        finally:
            _end(client)


def _end(client: subprocess.Popen[bytes]) -> None:
    client.terminate()
    try:
        client.wait(_GRACE)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()


@contextlib.contextmanager
def _terminal_restored() -> Iterator[None]:
    """Restore the settings of the terminal: a client that is ended leaves it without echo."""
    descriptor = sys.__stdin__.fileno() if sys.__stdin__ else 0
    saved = termios.tcgetattr(descriptor) if os.isatty(descriptor) else None
    try:
        yield
    finally:
        if saved is not None:
            with contextlib.suppress(termios.error):  # it was closed
                termios.tcsetattr(descriptor, termios.TCSADRAIN, saved)
