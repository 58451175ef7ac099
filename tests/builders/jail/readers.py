"""Readers for tests of the jail: well-behaved ones, and what a file may turn one into."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter

from builders.archives import ArchiveError, ArchiveLimitError
from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Nothing, Reader, Scratch

LIMITS = JailLimits(seconds=2, answer=4000, scratch_files=2, scratch=1 << 20)
SEEN: list[int] = []
PREPARED: list[str] = []


class Tried(FrozenModel):
    """What a reader is made to do, by name."""

    name: str


def _sizes(files: Sequence[BinaryIO], _: Nothing, __: Scratch) -> list[int]:
    SEEN.append(len(files))
    return [len(file.read()) for file in files]


def _copied(files: Sequence[BinaryIO], _: Nothing, scratch: Scratch) -> int:
    with scratch() as one, scratch() as other:
        one.write(files[0].read())
        one.seek(0)
        other.write(one.read())
        size = other.tell()
    with scratch() as again:
        size += len(again.read())
        files[1].write(b"kept")
        files[1].flush()
    return size


def _try(files: Sequence[BinaryIO], parameters: Tried, scratch: Scratch) -> Any:
    return ATTEMPTS[parameters.name](files, scratch)


def _write_scratch(_: Sequence[BinaryIO], scratch: Scratch) -> int:
    with scratch() as file:
        while True:
            file.write(bytes(1 << 18))


def _say_and_leave(data: bytes) -> None:
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, data)
        except OSError:
            continue
    os._exit(0)


def _wait(_: Sequence[BinaryIO], __: Scratch) -> None:
    time.sleep(60)


def _descriptors(files: Sequence[BinaryIO], _: Scratch) -> int:
    found = 0
    for descriptor in range(64):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        found += 1
    return found


_LIBC = ctypes.CDLL(None, use_errno=True)
Attempt = Callable[[Sequence[BinaryIO], Scratch], Any]
ATTEMPTS: dict[str, Attempt] = {
    "socket": lambda *_: socket.socket(),
    "fork": lambda *_: os.fork(),
    "thread": lambda *_: threading.Thread(target=print).start(),
    "program": lambda *_: subprocess.run(["/bin/true"], check=True),
    "kill": lambda *_: os.kill(1, 9),
    "unshare": lambda *_: _LIBC.unshare(0x10000000),
    "mount": lambda *_: _LIBC.mount(b"none", b"/", b"tmpfs", 0, None),
    "ptrace": lambda *_: _LIBC.ptrace(16, 1, 0, 0),
    "chroot": lambda *_: os.chroot("/"),
    "folder": lambda *_: os.mkdir("/x"),  # noqa: PTH102
    "user": lambda *_: os.setuid(0),
    "limits": lambda *_: _LIBC.setpriority(0, 0, -1),
    "code": lambda *_: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "memory-file": lambda *_: os.memfd_create("x"),
    "read-a-file": lambda *_: Path("/etc/passwd").read_text(),
    "list-files": lambda *_: list(Path("/").iterdir()),
    "write-to-the-file": lambda files, _: os.write(files[0].fileno(), b"x"),
    "environment": lambda *_: sorted(os.environ),
    "modules": lambda *_: len(sys.modules),
    "prepared": lambda *_: PREPARED,
    "descriptors": _descriptors,
    "wait": _wait,
    "spin": lambda *_: [None for _ in iter(int, 1)],
    "hoard": lambda *_: bytearray(1 << 30),
    "fill": _write_scratch,
    "flood": lambda *_: "x" * 5000,
    "say-garbage": lambda *_: _say_and_leave(b"Vgarbage"),
    "say-nothing": lambda *_: os._exit(0),
    "crash": lambda *_: ctypes.string_at(0),
    "exit": lambda *_: os._exit(3),
    "text": lambda *_: "text",
    "known-error": lambda *_: _raise(ArchiveLimitError("too long", got="x" * 2000, expected=1)),
    "other-error": lambda *_: _raise(ValueError("of no known class")),
}


def _raise(error: Exception) -> None:
    raise error


SIZES = Reader(
    name="tests.builders.jail.readers:SIZES",
    read=_sizes,
    parameters=Nothing,
    result=TypeAdapter(list[int]),
    limits=LIMITS,
)
COPIED = Reader(
    name="tests.builders.jail.readers:COPIED",
    read=_copied,
    parameters=Nothing,
    result=TypeAdapter(int),
    limits=LIMITS,
)
TRY: Reader[Tried, int] = Reader(
    name="tests.builders.jail.readers:TRY",
    read=_try,
    parameters=Tried,
    result=TypeAdapter(int),
    limits=LIMITS,
    errors=(ArchiveError,),
)
SAY: Reader[Tried, list[str]] = Reader(
    name="tests.builders.jail.readers:SAY",
    read=_try,
    parameters=Tried,
    result=TypeAdapter(list[str]),
    limits=LIMITS,
    prepare=lambda: PREPARED.append("once"),
)
TABLE = [reader.name for reader in (SIZES, COPIED, TRY, SAY)]
