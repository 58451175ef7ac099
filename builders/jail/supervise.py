"""The process of one reader, and its parent, which measures its time and tells how it ended.

The parent never reads a file. It stays outside of the process namespace, so that killing its child
ends everything in there.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from pyseccomp import SyscallFilter

from builders.jail import exchange
from builders.jail.confine import die_with_parent, drop_rights, enter_namespaces
from builders.jail.file_reader import Reader

Readers = Mapping[str, Reader[Any, Any]]


def isolate() -> OSError | None:
    """Leave the host before there is a file; returns the fault where that is not possible."""
    try:
        die_with_parent()
        enter_namespaces()
    except OSError as error:
        return error
    return None


def supervise(
    request: exchange.JailRequest,
    descriptors: Sequence[int],
    readers: Readers,
    syscalls: SyscallFilter,
    fault: OSError | None,
) -> None:
    """Run one reader, unless `isolate` had a `fault`, and send its end.

    It closes nothing, since this process exits next.
    """
    answer, control, *files = descriptors
    end = exchange.ReaderEnd()
    with socket.socket(fileno=control) as client:
        try:
            if fault is not None:
                raise fault
            child = os.fork()
            if child == 0:
                _read_as_child(request, answer, client, files, readers, syscalls)
            os.close(answer)
            end = _wait(child, client, request.seconds)
        except OSError as error:
            end = exchange.ReaderEnd(failed=str(error)[: exchange.SHOWN])
        with suppress(OSError):  # a client that is gone waits for nothing
            client.send(end.model_dump_json().encode())


def _read_as_child(
    request: exchange.JailRequest,
    answer: int,
    client: socket.socket,
    files: Sequence[int],
    readers: Readers,
    syscalls: SyscallFilter,
) -> None:
    """Confine this process, then read; never returns."""
    code = 1
    try:
        try:
            reader = readers[request.reader]
            asked, *opened = [open(f, "rb") for f in files[: 1 + request.files]]  # noqa: PTH123, SIM115
            empty: list[BinaryIO] = [open(f, "w+b") for f in files[1 + request.files :]]  # noqa: PTH123, SIM115
            with asked:
                parameters = reader.parameters.model_validate_json(asked.read())
            streams = [*opened, *empty[: request.outputs]]
            scratch = _ScratchFiles(empty[request.outputs :])
            drop_rights(seconds=request.seconds, memory=request.memory, file_size=request.scratch)
            os.closerange(0, 3)
            syscalls.load()
        except (OSError, KeyError, ValueError) as error:
            client.send(
                exchange.ReaderEnd(failed=f"{error!r}"[: exchange.SHOWN]).model_dump_json().encode()
            )
            os._exit(code)
        client.close()
        os.write(answer, exchange.CONFINED)
        with open(answer, "wb", closefd=False) as out:
            out.writelines(_answer(reader, streams, parameters, scratch))
        code = 0
    finally:
        os._exit(code)


def _answer(
    reader: Reader[Any, Any], streams: list[BinaryIO], parameters: Any, scratch: _ScratchFiles
) -> Iterator[bytes]:
    try:
        value = reader.result.dump_json(reader.read(streams, parameters, scratch), by_alias=True)
        yield exchange.VALUE
        yield value
    except MemoryError:
        yield exchange.NO_MEMORY
    except Exception as error:  # noqa: BLE001  # whatever a file does to a reader ends here
        yield exchange.ERROR
        yield exchange.ReaderFault.of(error, reader.errors).model_dump_json().encode()


def _wait(child: int, client: socket.socket, seconds: float) -> exchange.ReaderEnd:
    """Wait for the end of the reader, its time, or that of the client, whatever comes first."""
    watched = select.poll()
    watched.register(os.pidfd_open(child), select.POLLIN)
    watched.register(client, select.POLLRDHUP)
    timed_out = not watched.poll(seconds * 1000)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return exchange.ReaderEnd(timed_out=timed_out, code=os.waitstatus_to_exitcode(status))


class _ScratchFiles:
    """Hands out the scratch files that the client opened, and takes them back empty."""

    def __init__(self, files: list[BinaryIO]) -> None:
        self._free = files

    @contextmanager
    def __call__(self) -> Iterator[BinaryIO]:
        if not self._free:
            raise MemoryError("no scratch file is left")
        file = self._free.pop()
        try:
            yield file
        finally:
            file.seek(0)
            file.truncate()
            self._free.append(file)
