"""The parent of all readers of one `ParserJail`: imports them once, and forks a process a request.

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

from builders.jail import exchange
from builders.jail.file_reader import Reader
from builders.jail.supervise import Readers, supervise
from builders.jail.syscalls import reader_filter

_CODECS = ("ascii", "cp437", "idna", "latin-1", "utf-8", "utf-16")
"""Loaded while there are files to load them from."""


def main(descriptor: int, names: Sequence[str]) -> None:
    """Serve requests until the socket is closed."""
    readers = {name: _imported(name) for name in names}
    for codec in _CODECS:
        codecs.lookup(codec)
    hashlib.sha256(b"")
    syscalls = reader_filter()
    gc.collect()
    gc.freeze()  # children share this memory, so nobody should write to it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel collects children that have ended
    with socket.socket(fileno=descriptor) as client:
        while True:
            data, descriptors, _, _ = socket.recv_fds(
                client, exchange.MAX_REQUEST, exchange.MAX_DESCRIPTORS
            )
            if not data:
                return
            with suppress(OSError):  # without a process, the client sees that nothing was started
                if os.fork() == 0:
                    client.close()
                    _serve(data, descriptors, readers, syscalls)
            for number in descriptors:
                os.close(number)


def _serve(
    data: bytes, descriptors: Sequence[int], readers: Readers, syscalls: SyscallFilter
) -> None:
    """Serve one request in this process, and end it."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        supervise(exchange.JailRequest.model_validate_json(data), descriptors, readers, syscalls)
    except Exception:  # noqa: BLE001  # the client reads it where nothing else answers
        traceback.print_exc()
    finally:
        os._exit(0)


def _imported(name: str) -> Reader[Any, Any]:
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, Reader) or found.name != name:
        raise TypeError(f"{name} is no reader of that name")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
