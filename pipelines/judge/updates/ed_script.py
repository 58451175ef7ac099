"""Deltas of package indexes as Debian ships them: ed scripts, as `diff -e` writes them.

Commands a, c and d alone, from the last line of the base to the first, plain or compressed. What
else ed knows is refused, and so is a base whose last line does not end: no script of `diff -e` can
say so. Source: GNU diffutils, "Detailed Description of ed Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from builders.archives.compressed import compression
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.delta_io import BoundedOutput, PackedPart, unreadable, unsupported
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

MAX_SCRIPT = 64 << 20
_HEAD = 16
_COMMAND = re.compile(rb"(?P<first>[0-9]{1,12})(?:,(?P<last>[0-9]{1,12}))?(?P<name>[acd])\n")
_END = b".\n"


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines `begin` to `end` of the base, counted from 0, and the text that replaces them."""

    begin: int
    end: int
    text: bytes


def apply(base: BinaryIO, delta: BinaryIO, out_file: BinaryIO, limits: DeltaLimits) -> None:
    """Write the target to `out_file`; raises `UpdateError`."""
    edits = list(_edits(_script(delta)))
    out = BoundedOutput(out_file, limits.size)
    base.seek(0)
    lines = _lines(base)
    at = 0
    for edit in reversed(edits):
        for number in range(at, edit.end):
            line = next(lines, None)
            if line is None:
                what = f"line {edit.end} of a base of {number} lines"
                raise UpdateError(UpdateFault.OUTSIDE_BASE, what)
            if number < edit.begin:
                out.write(line)
        out.write(edit.text)
        at = edit.end
    for line in lines:
        out.write(line)
    out.finish()


def _script(delta: BinaryIO) -> bytes:
    """Return the script, unpacked."""
    size = delta.seek(0, 2)
    delta.seek(0)
    name = compression(delta.read(_HEAD))
    if name is not None:
        return b"".join(PackedPart(delta, 0, size, name).rest(MAX_SCRIPT))
    if size > MAX_SCRIPT:
        raise UpdateError(UpdateFault.UNBOUNDED, f"a script of more than {MAX_SCRIPT} bytes")
    delta.seek(0)
    return delta.read(size)


def _lines(base: BinaryIO) -> Iterator[bytes]:
    for line in base:
        if not line.endswith(b"\n"):
            raise unsupported("a base whose last line does not end")
        yield line


def _edits(script: bytes) -> Iterator[_Edit]:
    """Yield what the commands change, from the last line to the first."""
    at, after = 0, None
    while at < len(script):
        command = _COMMAND.match(script, at)
        if command is None:
            raise _unknown(script[at : at + 80].partition(b"\n")[0])
        at = command.end()
        first, last = int(command["first"]), int(command["last"] or command["first"])
        text = b""
        if command["name"] != b"d":
            start = at
            at = start if script.startswith(_END, start) else script.find(b"\n.\n", start) + 1
            if at == 0:
                raise unreadable("a text without the dot that ends it")
            text, at = script[start:at], at + len(_END)
        edit = _edit(command["name"], first, last, text)
        if after is not None and (edit.end > after.begin or edit.begin == after.end):
            what = f"a command at line {first} after one at line {after.begin + 1}"
            raise UpdateError(UpdateFault.ORDER, what)
        yield edit
        after = edit


def _edit(name: bytes, first: int, last: int, text: bytes) -> _Edit:
    if name == b"a":
        if last != first:
            raise unreadable(f"text after lines {first} to {last}")
        return _Edit(first, first, text)
    if not first:
        raise UpdateError(UpdateFault.OUTSIDE_BASE, "line 0 of the base")
    if last < first:
        raise UpdateError(UpdateFault.ORDER, f"lines {first} to {last}")
    return _Edit(first - 1, last, text)


def _unknown(line: bytes) -> UpdateError:
    """Return the error for what is none of the commands."""
    name = line.lstrip(b"0123456789,;.$ ")[:1]
    if name not in b"acd":
        return unsupported(f"the command {name!r} of ed: {line[:40]!r}")
    return unreadable(f"no command of ed: {line[:40]!r}")


PDIFF = DeltaFormat(apply=apply)
