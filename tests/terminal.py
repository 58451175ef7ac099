"""The samebits command in a terminal that somebody types in: its controlling terminal, a pty."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.command import COMMAND, PATIENCE, environment_of, samebits

_DRAWN = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]\r?")
"""What a shell sends to its terminal and no reader sees."""


class Typist:
    """What is typed into a command, and what its terminal has shown."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        """Read all that the command writes, in a thread."""
        self.process, self._master = process, master
        self.shown = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError):  # how the kernel says that nobody writes any more
            while self._master >= 0:
                if not select.select([self._master], [], [], 0.1)[0]:
                    continue  # a terminal that is being read cannot be closed
                part = os.read(self._master, 1 << 16)
                text = part.decode(errors="replace").replace("\r\n", "\n")
                self.shown += _DRAWN.sub("", text)

    def type(self, text: str) -> None:
        """Type a line, or with a control character the key alone."""
        os.write(self._master, text.encode() if text < " " else f"{text}\n".encode())

    def wait_for(self, text: str, *, seconds: float = PATIENCE) -> str:
        """Return what was shown up to a text, which is then forgotten."""
        until = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < until, f"{text!r} is not in {self.shown!r}"
            assert self.process.poll() is None or text in self.shown, self.shown
            time.sleep(0.02)
        before, _, self.shown = self.shown.partition(text)
        return before

    def hang_up(self) -> None:
        """Close the terminal, as a window is closed."""
        open_, self._master = self._master, -1
        self._thread.join()
        os.close(open_)

    def ended(self, *, seconds: float = PATIENCE) -> int:
        """Return the exit code."""
        return self.process.wait(seconds)

    def close(self) -> None:
        """Close the terminal, if it is open."""
        if self._master >= 0:
            self.hang_up()


def _control_terminal() -> None:
    """Make the standard input the controlling terminal, so that Ctrl-C is a signal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def typing(
    *words: str | Path, home: Path, env: Mapping[str, str] | None = None
) -> Iterator[Typist]:
    """Start the command in a terminal of its own; after the block it is gone, and what it left."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 200))
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**environment_of(home), "TERM": "dumb", **(env or {})},
        start_new_session=True,
        preexec_fn=_control_terminal,  # noqa: PLW1509  # nothing else can make it its own
    )
    os.close(slave)
    typist = Typist(process, master)
    try:
        yield typist
    finally:
        process.kill()
        process.wait()
        typist.close()
        if any((home / "runs").glob("*")):  # only where a test has failed
            samebits("reap", home=home)
