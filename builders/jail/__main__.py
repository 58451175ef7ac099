"""The parent of all readers of one `ParserJail`: imports them once, and forks a process a request.

That process is forked, and has left the host's network and files, before the request arrives.

It is started with a clean environment, holds no key, and reads no byte of a foreign file. It ends
when the process that started it closes its socket, or is gone.

Usage: python -m builders.jail <descriptor of the socket> <module:attribute of a reader>...
"""

from __future__ import annotations

import codecs
import gc
import hashlib
import importlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pyseccomp import SyscallFilter

from builders.core.garbage import collect_rarely
from builders.jail import exchange
from builders.jail.file_reader import Reader
from builders.jail.supervise import Readers, isolate, supervise
from builders.jail.syscalls import reader_filter

_CODECS = ("ascii", "cp437", "idna", "latin-1", "unicode_escape", "utf-8", "utf-16")
"""Loaded while there are files to load them from."""


def main(descriptor: int, names: Sequence[str]) -> None:
    """Serve requests until the socket is closed."""
    collect_rarely()
    readers = {name: _imported(name) for name in names}
    for codec in _CODECS:
        codecs.lookup(codec)
    hashlib.sha256(b"")
    syscalls = reader_filter()
    gc.freeze()  # children share this memory, so nobody should write to it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects children that have ended
    with socket.socket(fileno=descriptor) as client:
        while True:
            waiting = _forked(client, readers, syscalls)
            data, descriptors = _received(client)
            if not data:
                return
            with waiting, suppress(OSError):  # the client sees that nothing was started
                socket.send_fds(waiting, [data], descriptors)
            for number in descriptors:
                os.close(number)


def _received(stream: socket.socket) -> tuple[bytes, Sequence[int]]:
    data, descriptors, _, _ = socket.recv_fds(
        stream, exchange.MAX_REQUEST, exchange.MAX_DESCRIPTORS
    )
    return data, descriptors


def _forked(client: socket.socket, readers: Readers, syscalls: SyscallFilter) -> socket.socket:
    """Fork the process of the next request; returns a socket to it, or to nobody if none was."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, suppress(OSError):
        if os.fork() == 0:
            client.close()
            mine.close()
            _serve(theirs, readers, syscalls)
    return mine


def _serve(waiting: socket.socket, readers: Readers, syscalls: SyscallFilter) -> None:
    """Wait for one request, serve it in this process, and end it."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        fault = isolate()
        data, descriptors = _received(waiting)
        waiting.close()
        if data:
            request = exchange.JailRequest.model_validate_json(data)
            supervise(request, descriptors, readers, syscalls, fault)
    except Exception:  # noqa: BLE001  # the client reads it where nothing else answers
        traceback.print_exc()
    finally:
        os._exit(0)


def _imported(name: str) -> Reader[Any, Any]:
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, Reader) or found.name != name:
        raise TypeError(f"{name} is no reader of that name")
    found.prepare()
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
