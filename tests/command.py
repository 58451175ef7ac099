"""The samebits command as its users run it: a process of its own.

Most tests run it in a process that is forked from one which has imported the package already:
importing takes ten times as long as most commands. `fresh=True` starts the interpreter anew.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import pty
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "pipelines.cli")
DATA = Path(__file__).parent / "data"
RELEASES = Path(__file__).parents[1] / "recipes" / "releases"
PATIENCE = 360
"""Seconds after which a test gives up: ten times what anything takes on a loaded machine."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """Return the one JSON document on stdout."""
        return json.loads(self.out)

    def assert_clear(self) -> None:
        """No traceback, and one line of its own for every failure."""
        assert "Traceback" not in self.err + self.out
        assert "samebits: " in self.err


def samebits(
    *words: str | Path,
    home: Path,
    env: Mapping[str, str] | None = None,
    seconds: int = PATIENCE,
    fresh: bool = False,
) -> Ended:
    """Run the command to its end.

    `fresh`: in a new interpreter, for commands that import Prefect, which reads its settings then.
    """
    environment = {**environment_of(home), **(env or {})}
    if not fresh:
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            code = _forked([*map(str, words)], environment, seconds, out, err)
            return Ended(code=code, out=out.read_text(), err=err.read_text())
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env=environment,
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def in_terminal(
    *words: str | Path, home: Path, env: Mapping[str, str] | None = None, columns: int = 80
) -> Ended:
    """Run the command in a terminal of so many columns; `out` is all that it shows."""
    environment = {**environment_of(home), "TERM": "xterm", **(env or {})}
    environment.pop("COLUMNS", None)
    master, slave = pty.openpty()
    with open(master, "rb", buffering=0) as screen:  # noqa: PTH123  # a descriptor
        termios.tcsetwinsize(slave, (24, columns))
        shown: list[bytes] = []
        reader = threading.Thread(target=_read_screen, args=(screen, shown))
        reader.start()
        try:
            device = Path(os.ttyname(slave))
            code = _forked([*map(str, words)], environment, PATIENCE, device, device)
        finally:
            os.close(slave)
            reader.join()
    return Ended(code=code, out=b"".join(shown).decode().replace("\r\n", "\n"), err="")


def _read_screen(screen: io.FileIO, shown: list[bytes]) -> None:
    with suppress(OSError):  # how the kernel says that nobody writes any more
        while part := screen.read(1 << 16):
            shown.append(part)


def _forked(
    words: list[str], environment: dict[str, str], seconds: int, out: Path, err: Path
) -> int:
    """Run the command in a forked process that writes to `out` and `err`; returns its exit code."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["__main__", "tests.preloaded"])
    process = server.Process(target=_main, args=(words, environment, Path.cwd(), out, err))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(["samebits", *words], seconds)
    return process.exitcode


def _main(
    words: list[str], environment: Mapping[str, str], folder: Path, out: Path, err: Path
) -> None:
    """Run the command in this process, which is forked for it."""
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    from pipelines.cli import main

    main(words)


@contextmanager
def started(*words: str | Path, home: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the command in a session of its own; after the block it is gone, and what it left."""
    try:
        # Whoever was started in the background ignores SIGINT, and hands that on.
        with subprocess.Popen(
            ["env", "--default-signal=INT", *COMMAND, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment_of(home),
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()
    finally:
        if any((home / "runs").glob("*")):  # only where a test has failed
            samebits("reap", home=home)


def finish(process: subprocess.Popen[str], *, seconds: int = PATIENCE) -> Ended:
    """Wait for the end of a started command."""
    out, err = process.communicate(timeout=seconds)
    return Ended(code=process.returncode, out=out, err=err)


def interrupt(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to the command alone, not to what it started."""
    os.kill(process.pid, number)


def wait_until(holds: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Return once something holds; fails when it does not come.

    Looking costs whoever is asked, a server of Prefect most: the longer it takes, the rarer it is.
    """
    began = time.monotonic()
    while not holds():
        waited = time.monotonic() - began
        assert waited < seconds, "it did not come"
        time.sleep(min(max(waited / 10, 0.05), 0.5))


def children_of(pid: int) -> list[int]:
    """Return the ids of the processes that `pid` started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def environment_of(home: Path) -> dict[str, str]:
    """Return the variables of a command whose center lives in `home`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return {**kept, "SAMEBITS_HOME": str(home)}
