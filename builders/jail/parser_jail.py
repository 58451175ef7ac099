"""The center's side of the jail: sends files to a reader, and parses what comes back.

The process that forks the readers is started once, early, by `start`: importing them takes longer
than reading a file. It serves any number of threads.
"""

from __future__ import annotations

import io
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from pydantic import ValidationError

from builders.core.digest import CHUNK
from builders.jail import exchange
from builders.jail.errors import JailEnd, JailFailedError, JailUnavailableError
from builders.jail.file_reader import JailLimits, P, R, Reader

_GRACE = 15.0
"""Seconds after which a jail that does not end by itself is given up."""
_TODO = (
    "Run as root, or let users make namespaces: the kernel's settings user.max_user_namespaces, "
    "kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns, and the "
    "rights of a container, can forbid it. libseccomp must be installed"
)


class ParserJail:
    """Runs the readers that it was made with; a `Jail`."""

    def __init__(self, readers: Sequence[str]) -> None:
        """Start nothing yet; `readers` are the names of the only ones that it will run."""
        self._names = tuple(readers)
        self._lock = threading.Lock()
        self._parent: _Parent | None = None

    def start(self) -> None:
        """Start the parent of the readers, and do not wait for it; `run` says if there is none."""
        with suppress(JailUnavailableError):
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._parent is None or self._parent.ended():
                self.close()
                self._parent = _Parent(self._names)

    def close(self) -> None:
        """End the parent of the readers, and with it every reader."""
        parent, self._parent = self._parent, None
        if parent is not None:
            parent.close()

    def run(
        self,
        reader: Reader[P, R],
        files: Sequence[BinaryIO],
        parameters: P,
        *,
        outputs: Sequence[BinaryIO] = (),
        seconds: float | None = None,
    ) -> R:
        """Return what `reader` makes of `files`; see `Jail.run`.

        Raises `LookupError` for a reader that this jail was not made with.
        """
        if reader.name not in self._names:  # a mistake of ours, which nobody is to pass over
            message = f"the jail has no reader {reader.name}"
            raise LookupError(message)
        limits = reader.limits
        request = exchange.JailRequest(
            reader=reader.name,
            files=len(files),
            outputs=len(outputs),
            seconds=limits.seconds if seconds is None else min(seconds, limits.seconds),
            memory=limits.memory,
            scratch=limits.scratch,
        )
        self._start()
        with ExitStack() as held:
            asked = io.BytesIO(parameters.model_dump_json().encode())
            descriptors = [held.enter_context(_read_only(file)) for file in (asked, *files)]
            descriptors += [file.fileno() for file in outputs]
            for _ in range(limits.scratch_files):
                file = held.enter_context(tempfile.TemporaryFile())
                descriptors.append(file.fileno())
            answer, control = held.enter_context(self._asked(request, descriptors))
            deadline = time.monotonic() + request.seconds + _GRACE
            said = _read(answer, limits.answer + 2, deadline)
            if len(said) > limits.answer + 1:
                raise JailFailedError(
                    JailEnd.FLOODED,
                    "reading a file gave too large an answer",
                    got=f"more than {limits.answer} bytes",
                    expected=f"at most {limits.answer} bytes",
                )
            end = _end(control, deadline)
        if said[:1] != exchange.CONFINED:
            raise _unavailable(self._last_words(end))
        return _value(reader, said, end, request.seconds, limits)

    def _last_words(self, end: exchange.ReaderEnd | None) -> str:
        """Return why a reader was not confined."""
        if end is not None:
            return end.failed or _exit_text(end.code)
        with self._lock:
            said = self._parent.last_words() if self._parent else ""
        return said or "its process ended before it was confined"

    @contextmanager
    def _asked(
        self, request: exchange.JailRequest, descriptors: list[int]
    ) -> Iterator[tuple[int, socket.socket]]:
        """Send a request; yield the ends of its answer and of its control socket."""
        answer, out = os.pipe()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            data = request.model_dump_json().encode()
            try:
                with self._lock:
                    if self._parent is None:
                        raise _unavailable("it was closed")
                    self._parent.send(data, [out, theirs.fileno(), *descriptors])
            finally:
                theirs.close()
                os.close(out)
            yield answer, mine
        finally:
            mine.close()
            os.close(answer)


class _Parent:
    """The process that forks readers, and the socket to it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        try:
            with theirs:
                self._process = _exec_parent(theirs.fileno(), names, self._log)
        except OSError as error:
            self._socket.close()
            self._log.close()
            raise _unavailable(str(error)) from error
        self._end = weakref.finalize(self, _end_parent, self._process, self._socket, self._log)

    def ended(self) -> bool:
        """Say whether it is gone."""
        return self._process.poll() is not None

    def send(self, data: bytes, descriptors: Sequence[int]) -> None:
        """Send a request; raises `JailUnavailableError`."""
        try:
            socket.send_fds(self._socket, [data], descriptors)
        except OSError as error:
            raise _unavailable(self.last_words() or str(error)) from error

    def last_words(self) -> str:
        """Return the last line of what it printed."""
        size = self._log.seek(0, 2)
        self._log.seek(max(0, size - 1000))
        return self._log.read().decode("utf-8", "backslashreplace").strip().rpartition("\n")[2]

    def close(self) -> None:
        """End it."""
        self._end()


def _exec_parent(control: int, names: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the parent with the code of this process, and nothing else of it."""
    paths = [path for path in sys.path if path and Path(path).is_absolute()]
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-B", "-m", "builders.jail", str(control), *names],
        env={"PYTHONPATH": os.pathsep.join(paths), "LC_ALL": "C.UTF-8"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        pass_fds=[control],
        start_new_session=True,  # an interrupt at the terminal is for its client
    )


def _end_parent(process: subprocess.Popen[bytes], client: socket.socket, log: IO[bytes]) -> None:
    client.close()  # it ends by itself, but not while it imports
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    log.close()


@contextmanager
def _read_only(file: BinaryIO) -> Iterator[int]:
    """Open a file once more, for reading only and with a position of its own."""
    with ExitStack() as held:
        try:
            number = file.fileno()
            plain = stat.S_ISREG(os.fstat(number).st_mode)
        except OSError:  # a stream in memory has no descriptor
            plain = False
        if not plain:
            copy = held.enter_context(tempfile.TemporaryFile())
            at = file.tell()
            file.seek(0)
            shutil.copyfileobj(file, copy, CHUNK)
            file.seek(at)
            copy.flush()
            number = copy.fileno()
        else:
            file.flush()
        again = os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield again
        finally:
            os.close(again)


def _read(descriptor: int, most: int, deadline: float) -> bytes:
    """Read to the end, but no more than `most` bytes and not beyond the deadline."""
    watched = select.poll()
    watched.register(descriptor, select.POLLIN)
    found = bytearray()
    while len(found) < most:
        if not watched.poll(max(0.0, deadline - time.monotonic()) * 1000):
            break
        piece = os.read(descriptor, min(CHUNK, most - len(found)))
        if not piece:
            break
        found += piece
    return bytes(found)


def _end(control: socket.socket, deadline: float) -> exchange.ReaderEnd | None:
    """Receive the end of a reader: the first one sent, None if none was."""
    control.settimeout(max(0.1, deadline - time.monotonic()))
    try:
        data = control.recv(exchange.MAX_END)
    except TimeoutError:
        return None
    return exchange.ReaderEnd.model_validate_json(data, strict=True) if data else None


def _value(
    reader: Reader[P, R],
    said: bytes,
    end: exchange.ReaderEnd | None,
    seconds: float,
    limits: JailLimits,
) -> R:
    """Return the value in the answer of a confined reader; raises as `Jail.run` does."""
    if end is None or end.timed_out:
        what = "reading a file takes too long"
        raise _failed(JailEnd.TIMED_OUT, what, f"no end within {seconds:g} s")
    kind, data = said[1:2], said[2:]
    if kind == exchange.NO_MEMORY:
        what = "reading a file takes too much memory"
        raise _failed(JailEnd.OUT_OF_MEMORY, what, f"more than {limits.memory} bytes")
    if end.code != 0:
        raise _failed(JailEnd.CRASHED, "the process that read a file crashed", _exit_text(end.code))
    try:
        if kind == exchange.VALUE:
            return reader.result.validate_json(data, strict=True)
        fault = exchange.ReaderFault.model_validate_json(data, strict=True)
    except ValidationError as error:
        got = error.errors(include_url=False)[0]["msg"]
        what = "the answer of a reader is not of its type"
        raise _failed(JailEnd.UNREADABLE, what, got) from error
    for known in reader.errors:
        if known.__name__ == fault.kind:
            raise known(fault.what, got=fault.got, expected=fault.expected)
    raise _failed(JailEnd.CRASHED, "a reader failed", f"{fault.kind}: {fault.what}")


def _failed(end: JailEnd, what: str, got: str) -> JailFailedError:
    return JailFailedError(end, what, got=got)


def _exit_text(code: int | None) -> str:
    return f"signal {-code}" if code and code < 0 else f"exit code {code}"


def _unavailable(why: str) -> JailUnavailableError:
    return JailUnavailableError("the parser jail cannot be started", got=why, todo=_TODO)
