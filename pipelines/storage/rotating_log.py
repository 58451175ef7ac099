"""A log file of bounded size, whatever is written to it and for however long.

What logs writes to a pipe. A small process behind it, `main`, keeps the newest lines, escaped, in
the file and in a few numbered ones beside it (`logging.handlers.RotatingFileHandler`). It
ends with the last writer, and not before: neither a full disk nor a signal to the service ends it.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from builders.core.escaping import escaped

MAX_BYTES = 10 << 20
"""Size of one file."""
KEPT = 4
"""Numbered files beside the newest one: `name.log.1` is the youngest of them."""
_MAX_LINE = 1 << 16
_PROGRAM = f"""\
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pipelines.storage.rotating_log import main
main()
"""
"""It imports no library: it is to start fast, and to need little memory."""


@contextmanager
def log_pipe(path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Start the process that keeps the log at `path`; yields where to write, and the process.

    The descriptor is closed with the block: whoever is to write has inherited it by then. Raises
    `OSError` when the file cannot be opened.
    """
    with path.open("ab"):
        path.chmod(0o600)
    source, target = os.pipe()
    try:
        writer = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, str(path)],
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
        yield target, writer
    finally:
        os.close(source)
        os.close(target)


class _ReopenedHandler(logging.handlers.RotatingFileHandler):
    """Opens the file again after a failure, such as a full disk; the line is lost."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # as logging has it
        """Give the stream up: the next line opens another one."""
        del record
        stream, self.stream = self.stream, None
        with suppress(OSError, ValueError):
            if stream is not None:
                stream.close()


def copy_lines(source: BinaryIO, path: Path, *, max_bytes: int, kept: int) -> None:
    """Append what `source` says to the file, escaped; what cannot be written is lost."""
    handler = _ReopenedHandler(path, maxBytes=max_bytes, backupCount=kept, encoding="utf-8")
    handler.terminator = ""
    for line in iter(partial(source.readline, _MAX_LINE), b""):
        text = escaped(line.decode(errors="backslashreplace").expandtabs(), keep="\n")
        handler.handle(logging.LogRecord("", logging.INFO, "", 0, text, (), None))
    with suppress(OSError):
        handler.close()


def main() -> None:
    """Keep what is read at the file that is the one argument, until the last writer ends."""
    os.umask(0o077)
    copy_lines(sys.stdin.buffer, Path(sys.argv[1]), max_bytes=MAX_BYTES, kept=KEPT)
