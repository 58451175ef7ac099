"""Deltas of xdelta3: VCDIFF (RFC 3284), with the extensions that xdelta3 writes.

These are an application header, an Adler-32 of each window, and sections compressed with LZMA.
Refused by name: the secondary compressions DJW and FGK, code tables of one's own, windows that copy
from the target, and targets that xdelta3 would compress afterwards. Sources: RFC 3284; xdelta3,
`xdelta3-decode.h` and `xdelta3-second.h`.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from builders.archives.compressed import XZ_MEMORY
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.delta_io import Base, BoundedOutput, DeltaPart, unreadable, unsupported
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_MAGIC = b"\xd6\xc3\xc4\0"
_SECONDARY, _CODE_TABLE, _APPLICATION = 1, 2, 4
"""Bits of the header."""
_LZMA, _COMPRESSIONS = 2, {1: "DJW", 16: "FGK"}
_SOURCE, _TARGET, _ADLER32 = 1, 2, 4
"""Bits of a window."""
MAX_WINDOW = 64 << 20
"""Bytes that a window makes, and of its sections; xdelta3 makes windows of 16 MiB at most."""
_MAX_NUMBER = 1 << 62
_MAX_APPLICATION = 1 << 16
_NOOP, _ADD, _RUN, _COPY = range(4)
_NEAR, _SAME = 4, 3
_SELF, _HERE = 0, 1


class _Instruction(NamedTuple):
    """What one half of a code means; a size of 0 stands in the delta."""

    kind: int
    size: int = 0
    mode: int = 0


_Code = tuple[_Instruction, _Instruction]


def _codes() -> Iterator[_Code]:
    """Yield the default code table (RFC 3284, 5.6)."""
    noop = _Instruction(_NOOP)
    modes = range(_NEAR + _SAME + 2)
    yield _Instruction(_RUN), noop
    yield from ((_Instruction(_ADD, size), noop) for size in range(18))
    for mode in modes:
        yield from ((_Instruction(_COPY, size, mode), noop) for size in (0, *range(4, 19)))
    for mode in modes:
        for size in range(1, 5):
            for copied in range(4, 7 if mode < _NEAR + 2 else 5):
                yield _Instruction(_ADD, size), _Instruction(_COPY, copied, mode)
    yield from ((_Instruction(_COPY, 4, mode), _Instruction(_ADD, 1)) for mode in modes)


_CODES = tuple(_codes())


class _Delta:
    """The bytes of a delta, in order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        file.seek(0)

    @property
    def at(self) -> int:
        """How many bytes were taken."""
        return self._file.tell()

    @property
    def left(self) -> int:
        """How many bytes there still are."""
        return self._size - self.at

    def exactly(self, size: int) -> bytes:
        """Return the next bytes; raises `UpdateError` if there are fewer."""
        if size > self.left:
            raise unreadable(f"a delta that ends {size - self.left} bytes too early")
        return self._file.read(size)

    def byte(self) -> int:
        """Return the next byte; raises `UpdateError`."""
        return self.exactly(1)[0]

    def number(self) -> int:
        """Return the next number, of 7 bits a byte; raises `UpdateError`."""
        return _number(self)


def _number(source: _Delta | DeltaPart) -> int:
    """Return the next number, of 7 bits a byte; raises `UpdateError`."""
    value = 0
    while True:
        byte = source.exactly(1)[0]
        value = value << 7 | byte & 0x7F
        if value > _MAX_NUMBER:
            raise unreadable("a number that is too large")
        if byte < 0x80:
            return value


class _Unpacker:
    """The stream of LZMA that goes through one kind of section of all windows."""

    def __init__(self) -> None:
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)

    def unpacked(self, packed: bytes, name: str) -> bytes:
        """Return the content of a section; raises `UpdateError`."""
        section = DeltaPart(packed, name)
        size = _number(section)
        _require_small(size)
        try:
            found = self._stream.decompress(section.rest(), size + 1)
        except (lzma.LZMAError, EOFError) as error:
            raise unreadable(f"a broken section of {name}: {error}") from error
        if self._stream.unused_data:
            raise UpdateError(UpdateFault.LEFT_OVER, f"bytes after a section of {name}")
        if len(found) != size:
            what = f"a section of {name} with {len(found)} bytes or more, not {size}"
            raise UpdateError(UpdateFault.LENGTH, what)
        return found


def _require_small(size: int) -> None:
    if size > MAX_WINDOW:
        what = f"a window or section of {size} bytes, at most {MAX_WINDOW}"
        raise UpdateError(UpdateFault.UNBOUNDED, what)


class _Addresses:
    """The addresses of copies, each encoded by those before it (RFC 3284, 5.3)."""

    def __init__(self, section: DeltaPart) -> None:
        self._section = section
        self._near, self._next = [0] * _NEAR, 0
        self._same = [0] * (_SAME * 256)

    def take(self, mode: int, here: int) -> int:
        """Return the address of the next copy; raises `UpdateError`."""
        if mode == _SELF:
            address = _number(self._section)
        elif mode == _HERE:
            address = here - _number(self._section)
        elif mode < 2 + _NEAR:
            address = self._near[mode - 2] + _number(self._section)
        else:
            address = self._same[(mode - 2 - _NEAR) * 256 + self._section.exactly(1)[0]]
        if not 0 <= address < here:
            what = f"a copy from {address}, where there are {here} bytes"
            raise UpdateError(UpdateFault.OUTSIDE_BASE, what)
        self._near[self._next] = address
        self._next = (self._next + 1) % _NEAR
        self._same[address % len(self._same)] = address
        return address


def apply(base_file: BinaryIO, delta_file: BinaryIO, out: BinaryIO, limits: DeltaLimits) -> None:
    """Write the target to `out`; raises `UpdateError`."""
    base, delta, target = Base(base_file), _Delta(delta_file), BoundedOutput(out, limits.size)
    unpackers = _header(delta)
    while target.left or (delta.left and not limits.size):
        _window(base, delta, target, unpackers)
    if delta.left:
        what = f"{delta.left} bytes after the window that ends the target"
        raise UpdateError(UpdateFault.LEFT_OVER, what)


def _header(delta: _Delta) -> dict[str, _Unpacker]:
    """Read the header of the file; returns what unpacks its sections."""
    if delta.exactly(min(4, delta.left)) != _MAGIC:
        raise unreadable("no header of VCDIFF, version 0")
    flags = delta.byte()
    if flags & ~(_SECONDARY | _CODE_TABLE | _APPLICATION):
        raise unreadable(f"a header with flags {flags:#x}")
    unpackers = {}
    if flags & _SECONDARY:
        if (number := delta.byte()) != _LZMA:
            name = _COMPRESSIONS.get(number, f"number {number}")
            raise unsupported(f"the secondary compression {name}")
        unpackers = {name: _Unpacker() for name in _SECTIONS}
    if flags & _CODE_TABLE:
        raise unsupported("a code table of its own")
    if flags & _APPLICATION:
        size = delta.number()
        if size > _MAX_APPLICATION:
            raise UpdateError(UpdateFault.UNBOUNDED, f"an application header of {size} bytes")
        parts = delta.exactly(size).split(b"/")
        if len(parts) == 4 and (parts[1] or parts[3]):
            raise unsupported("files that xdelta3 unpacks before, and packs again afterwards")
    return unpackers


_SECTIONS = ("data", "instructions", "addresses")


def _window(
    base: Base, delta: _Delta, target: BoundedOutput, unpackers: dict[str, _Unpacker]
) -> None:
    """Write what one window makes."""
    flags = delta.byte()
    if flags & _TARGET:
        raise unsupported("a window that copies from the target")
    if flags & ~(_SOURCE | _ADLER32):
        raise unreadable(f"a window with flags {flags:#x}")
    length, start = (delta.number(), delta.number()) if flags & _SOURCE else (0, 0)
    if start + length > base.size:
        what = f"bytes {start} to {start + length} of a base of {base.size} bytes"
        raise UpdateError(UpdateFault.OUTSIDE_BASE, what)
    encoded = delta.number()
    begin = delta.at
    size = delta.number()
    target.require(size)
    _require_small(size)
    packed = delta.byte()
    if packed >= 1 << len(_SECTIONS) or (packed and not unpackers):
        raise unreadable(f"sections compressed as {packed:#x}")
    sizes = [delta.number() for _ in _SECTIONS]
    adler32 = delta.exactly(4) if flags & _ADLER32 else None
    if delta.at - begin + sum(sizes) != encoded:
        what = f"a window of {delta.at - begin + sum(sizes)} bytes that says {encoded}"
        raise UpdateError(UpdateFault.LENGTH, what)
    sections = []
    for number, name in enumerate(_SECTIONS):
        _require_small(sizes[number])
        data = delta.exactly(sizes[number])
        if packed & 1 << number:
            data = unpackers[name].unpacked(data, name)
        sections.append(DeltaPart(data, name))
    made = _made(base, (start, length), size, sections)
    if adler32 is not None and zlib.adler32(made) != int.from_bytes(adler32, "big"):
        raise UpdateError(UpdateFault.CHECKSUM, "a window with another Adler-32")
    target.write(bytes(made))


def _made(base: Base, source: tuple[int, int], size: int, sections: list[DeltaPart]) -> bytearray:
    """Return the bytes that the instructions of a window make."""
    data, instructions, section = sections
    addresses, made = _Addresses(section), bytearray()
    while instructions:
        for kind, fixed, mode in _CODES[instructions.exactly(1)[0]]:
            if kind == _NOOP:
                continue
            count = fixed or _number(instructions)
            if len(made) + count > size:
                what = f"a window of {len(made) + count} bytes or more that says {size}"
                raise UpdateError(UpdateFault.UNBOUNDED, what)
            if kind == _ADD:
                made += data.exactly(count)
            elif kind == _RUN:
                made += data.exactly(1) * count
            else:
                address = addresses.take(mode, source[1] + len(made))
                _copy(base, source, address, count, made)
    for part in sections:
        part.finish()
    if len(made) != size:
        what = f"a window of {len(made)} bytes that says {size}"
        raise UpdateError(UpdateFault.LENGTH, what)
    return made


def _copy(base: Base, source: tuple[int, int], address: int, count: int, made: bytearray) -> None:
    """Append what a copy takes: of the base, then of what the window has made, itself included."""
    start, length = source
    from_base = min(count, max(0, length - address))
    for piece in base.pieces(start + address, from_base):
        made += piece
    if left := count - from_base:
        at = max(0, address - length)
        piece = bytes(made[at : at + left])
        made += (piece * (left // len(piece) + 1))[:left]


XDELTA3 = DeltaFormat(apply=apply)
