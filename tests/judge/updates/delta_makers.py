"""Makes deltas, small and plain, as the tools do; each part can be another one than is right."""

from __future__ import annotations

import bz2
import difflib
import lzma
import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Match(NamedTuple):
    """Bytes of the target: a run of as many of the base, perhaps others, then new ones."""

    start: int
    copied: bytes
    new: bytes


def matches(old: bytes, new: bytes) -> list[Match]:
    found = [Match(0, b"", b"")]
    for name, first, last, begin, end in _changes(old, new):
        piece = new[begin:end]
        if name == "equal" or (name == "replace" and last - first == end - begin):
            found.append(Match(first, piece, b""))
        else:
            before = found.pop()
            found.append(before._replace(new=before.new + piece))
    return [one for one in found if one.copied or one.new]


def _changes(
    old: Sequence[object], new: Sequence[object]
) -> Iterable[tuple[str, int, int, int, int]]:
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def less(one: bytes, other: bytes) -> bytes:
    return bytes((a - b) % 256 for a, b in zip(one, other, strict=True))


@dataclass(frozen=True, kw_only=True)
class Bsdiff:
    """A delta of bsdiff by its parts."""

    size: int
    steps: tuple[tuple[int, int, int], ...]
    differences: bytes = b""
    extra: bytes = b""
    magic: bytes = b"BSDIFF40"
    grown: int = 0
    """How much the header is wrong about the size of the second stream."""
    control_grown: int = 0
    """How much it is wrong about the size of the first one."""
    after: bytes = b""

    @classmethod
    def between(cls, old: bytes, new: bytes) -> Bsdiff:
        steps, differences, extra = [], b"", b""
        found = matches(old, new)
        for one, after in zip(found, [*found[1:], Match(0, b"", b"")], strict=False):
            count = len(one.copied)
            steps.append((count, len(one.new), after.start - one.start - count))
            differences += less(one.copied, old[one.start : one.start + count])
            extra += one.new
        if found and found[0].start:
            steps.insert(0, (0, 0, found[0].start))
        return cls(size=len(new), steps=tuple(steps), differences=differences, extra=extra)

    @property
    def parts(self) -> list[bytes]:
        control = b"".join(signed(number) for step in self.steps for number in step)
        return [bz2.compress(one) for one in (control, self.differences, self.extra)]

    @property
    def packed_sizes(self) -> list[int]:
        return [len(part) for part in self.parts]

    def file(self) -> bytes:
        control, differences, _ = self.packed_sizes
        sizes = (control + self.control_grown, differences + self.grown, self.size)
        return self.magic + b"".join(map(signed, sizes)) + b"".join(self.parts) + self.after


def signed(number: int) -> bytes:
    return (abs(number) | (1 << 63 if number < 0 else 0)).to_bytes(8, "little")


def varint(value: int) -> bytes:
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | value & 0x7F)
    return bytes(reversed(found))


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window of VCDIFF by its parts."""

    size: int
    source: tuple[int, int] | None = None
    """Bytes of the base, and from where."""
    data: bytes = b""
    instructions: bytes = b""
    addresses: bytes = b""
    adler32: int | None = None
    flags: int = 0
    packed: int = 0
    grown: int = 0
    """How much it is wrong about its length."""

    def file(self) -> bytes:
        flags = self.flags | (1 if self.source else 0) | (4 if self.adler32 is not None else 0)
        source = b"".join(map(varint, self.source)) if self.source else b""
        parts = (self.data, self.instructions, self.addresses)
        body = varint(self.size) + bytes([self.packed])
        body += b"".join(varint(len(part)) for part in parts)
        body += b"" if self.adler32 is None else self.adler32.to_bytes(4, "big")
        body += b"".join(parts)
        return bytes([flags]) + source + varint(len(body) + self.grown) + body


@dataclass(frozen=True, kw_only=True)
class Vcdiff:
    """A file of VCDIFF."""

    windows: tuple[Window, ...]
    magic: bytes = b"\xd6\xc3\xc4\0"
    flags: int = 0
    header: bytes = b""
    after: bytes = b""

    @classmethod
    def between(cls, old: bytes, new: bytes) -> Vcdiff:
        made = _Instructions(len(old))
        for one in matches(old, new):
            if old[one.start : one.start + len(one.copied)] == one.copied:
                made.copy(one.start, len(one.copied))
            else:
                made.add(one.copied)
            made.add(one.new)
        window = Window(
            size=len(new), source=(len(old), 0) if old else None, data=bytes(made.data),
            instructions=bytes(made.codes), addresses=bytes(made.addresses),
            adler32=zlib.adler32(new),
        )  # fmt: skip
        return cls(windows=(window,))

    def file(self) -> bytes:
        windows = b"".join(one.file() for one in self.windows)
        return self.magic + bytes([self.flags]) + self.header + windows + self.after


@dataclass
class _Instructions:
    """The sections of a window, with each way to write an address that fits."""

    source: int
    data: bytearray = field(default_factory=bytearray)
    codes: bytearray = field(default_factory=bytearray)
    addresses: bytearray = field(default_factory=bytearray)
    near: list[int] = field(default_factory=lambda: [0] * 4)
    same: list[int] = field(default_factory=lambda: [0] * 768)
    made: int = 0
    copies: int = 0

    def add(self, new: bytes) -> None:
        for byte, group in groupby(new):
            count = len(list(group))
            self.made += count
            if count > 3:
                self.codes += b"\0" + varint(count)
                self.data.append(byte)
                continue
            self.codes.append(1 + count)
            self.data += bytes([byte]) * count

    def copy(self, start: int, count: int) -> None:
        if not count:
            return
        mode, address = self._mode(start)
        first = 19 + 16 * mode
        self.codes += (
            bytes([first + count - 3]) if 4 <= count <= 18 else bytes([first]) + varint(count)
        )
        self.addresses += address
        self.near[self.copies % 4] = self.same[start % 768] = start
        self.copies, self.made = self.copies + 1, self.made + count

    def _mode(self, start: int) -> tuple[int, bytes]:
        if self.same[start % 768] == start:
            return 6 + start % 768 // 256, bytes([start % 256])
        near = [(start - one, 2 + at) for at, one in enumerate(self.near) if start >= one]
        here = (self.source + self.made - start, 1)
        value, mode = min([*near, here, (start, 0)])
        return mode, varint(value)


def packed_sections(window: Window) -> Window:
    """Return a window whose sections are compressed as xdelta3 does by LZMA."""
    flushed = {}
    for name in ("data", "instructions", "addresses"):
        part: bytes = getattr(window, name)
        # A whole stream without its end stands for one that is flushed after each window.
        flushed[name] = varint(len(part)) + lzma.compress(part, check=lzma.CHECK_NONE)[:-12]
    return Window(**{**vars(window), **flushed, "packed": 7})


def zstd_patch(old: bytes, new: bytes, **options: int) -> bytes:
    """Return what `zstd --patch-from` makes."""
    settings = {"checksum_flag": 1, "content_size_flag": 1, **options}
    known: dict[int, int] = {
        zstd.CompressionParameter[name]: value for name, value in settings.items()
    }
    prefix = zstd.ZstdDict(old, is_raw=True).as_prefix if len(old) >= 8 else None
    stream = zstd.ZstdCompressor(options=known, zstd_dict=prefix)
    stream.set_pledged_input_size(len(new))
    return stream.compress(new) + stream.flush()


def ed_script(old: bytes, new: bytes) -> bytes:
    """Return what `diff -e` prints of two texts whose lines all end, none of them a single dot."""
    before, after = ([one + b"\n" for one in text.split(b"\n")[:-1]] for text in (old, new))
    script = b""
    for name, first, last, begin, end in reversed(list(_changes(before, after))):
        if name == "equal":
            continue
        lines = (
            b"%d" % last if name == "insert" or last == first + 1 else b"%d,%d" % (first + 1, last)
        )
        script += lines + {"insert": b"a", "delete": b"d", "replace": b"c"}[name] + b"\n"
        script += b"".join(after[begin:end]) + b".\n" if end > begin else b""
    return script
