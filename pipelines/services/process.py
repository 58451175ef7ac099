"""A process that outlives the command which started it, and is found again by the next one.

It is known by its pid and its time of start together, so that a pid that the kernel has given to
somebody else is never signalled. Whatever it starts inherits a mark in its environment, by which
children are found even after their parent was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builders.core.errors import InfrastructureError

MARK = "SAMEBITS_STANDING"
_POLL = 0.05
_KILL_SECONDS = 10.0
_START_FIELD = 19  # of /proc/<pid>/stat after the name: time of start, in ticks since boot
_CHILDREN: list[subprocess.Popen[bytes]] = []
"""What this process has started: it must take note of their ends, should it live that long."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the pid file says: who was started, when, and by which mark its children are known."""

    pid: int
    started: int
    """Ticks since the boot named `boot`."""
    boot: str
    mark: str


class Standing:
    """One process of a center, with its pid file and its log in one folder."""

    def __init__(self, name: str, folder: Path) -> None:
        """Look after `<folder>/<name>.pid` and `<name>.log`; nothing is started."""
        self.name = name
        self._file = folder / f"{name}.pid"
        self.log = folder / f"{name}.log"

    def known(self) -> Known | None:
        """Return what the pid file says, or None where there is none that can be read."""
        try:
            return Known(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def pid(self) -> int | None:
        """Return its pid while it runs."""
        known = self.known()
        if known is None or known.boot != _boot() or started(known.pid) != known.started:
            return None
        return known.pid

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start it in a session of its own, unless it runs; returns its pid.

        Raises `InfrastructureError`. Secrets belong into `environment`, never into `command`.
        """
        if (running := self.pid()) is not None:
            return running
        self.stop(seconds=0)  # what a killed one has left
        mark = f"{self.name}-{secrets.token_hex(8)}"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.log.open("ab") as log:
                self.log.chmod(0o600)
                process = subprocess.Popen(
                    _hearing(command),
                    env={**environment, MARK: mark},
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise InfrastructureError(
                f"the center's {self.name} cannot be started", got=error, todo=f"See {self.log}"
            ) from error
        _CHILDREN.append(process)
        self._write(process.pid, mark)
        return process.pid

    def _write(self, pid: int, mark: str) -> None:
        text = json.dumps({"pid": pid, "started": started(pid), "boot": _boot(), "mark": mark})
        new = self._file.with_suffix(".new")
        new.write_text(text)
        new.replace(self._file)

    def stop(self, *, seconds: float) -> bool:
        """End it and all that it started; says whether anything was there.

        Everybody gets SIGTERM and `seconds` to clean up; whoever is left then is killed.
        """
        known = self.known()
        if known is None:
            return False
        there = bool(self._members(known))
        if there and seconds:
            self._signal(known, signal.SIGTERM)
            self._gone(known, seconds)
        until = time.monotonic() + _KILL_SECONDS
        while self._members(known):
            self._signal(known, signal.SIGKILL)
            if self._gone(known, 1.0):
                break
            if time.monotonic() > until:
                raise InfrastructureError(
                    f"the center's {self.name} survived SIGKILL", got=self._members(known)
                )
        _note_ends()
        self._file.unlink(missing_ok=True)
        return there

    def _members(self, known: Known) -> list[int]:
        """Return its pid and those of all processes with its mark."""
        _note_ends()
        found = marked(known.mark)
        pid = self.pid()
        return sorted({*found, *([] if pid is None else [pid])})

    def _signal(self, known: Known, number: signal.Signals) -> None:
        for pid in self._members(known):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _gone(self, known: Known, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self._members(known):
            if time.monotonic() > until:
                return False
            time.sleep(_POLL)
        return True

    def last_words(self) -> str:
        """Return the last line of its log, for a message."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return "no log"
        return lines[-1][:200] if lines else "an empty log"


def started(pid: int) -> int | None:
    """Return when a living process began, in ticks since boot; None for a dead one or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[_START_FIELD])


def _hearing(command: Sequence[str]) -> list[str]:
    """Return a command that hears SIGINT, by which Prefect's worker ends its runs.

    What a shell starts in the background is deaf to it, and so is all that starts there in turn.
    """
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(command[0])
    return ["env", "--default-signal=INT", *command]


def marked(mark: str) -> list[int]:
    """Return the pids of all living processes whose environment holds `mark`."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        pid = int(path.parent.name)
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes().split(b"\0") and started(pid) is not None:
                found.append(pid)
    return found


def _note_ends() -> None:
    """Take note of the ends of what this process has started."""
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]


def _boot() -> str:
    return _BOOT.read_text().strip()
