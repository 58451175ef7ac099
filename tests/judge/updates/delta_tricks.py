"""Altered deltas that must not be applied, and what each is called."""

from __future__ import annotations

import gzip
import lzma
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from builders.recipe.update import DeltaName
from tests.judge.updates.delta_makers import (
    Bsdiff,
    Vcdiff,
    Window,
    ed_script,
    packed_sections,
    varint,
    zstd_patch,
)

OLD = random.Random(1).randbytes(900)  # noqa: S311  # not for secrets
NEW = OLD[:100] + b"!" + OLD[101:400] + b"new bytes" * 3 + bytes(40) + OLD[300:880]
BEFORE = b"".join(b"line %d\n" % number for number in range(30))
AFTER = b"first\n" + BEFORE[:80].replace(b"line 3\n", b"line three\n") + BEFORE[120:] + b"last\n"


@dataclass(frozen=True, kw_only=True)
class Trick:
    """A delta, and the fault that it is refused for."""

    fault: str
    format: DeltaName
    delta: Callable[[], bytes] | bytes
    base: bytes = OLD
    size: int = len(NEW)
    says: str = ""
    """Words of the detail, where another check would have the same fault."""

    def made(self) -> bytes:
        return self.delta if isinstance(self.delta, bytes) else self.delta()


BSDIFF = Bsdiff.between(OLD, NEW)


def bsdiff(fault: str, *, target: int = len(NEW), says: str = "", **changes: object) -> Trick:
    delta = replace(BSDIFF, **changes).file()  # type: ignore[arg-type]
    return Trick(fault=fault, format=DeltaName.BSDIFF, delta=delta, size=target, says=says)


def stepped(fault: str, *added: tuple[int, int, int], says: str = "") -> Trick:
    """Make a delta with other steps first."""
    return bsdiff(fault, steps=(*added, *BSDIFF.steps), says=says)


PACKED_SIZES = BSDIFF.packed_sizes
BSDIFF_TRICKS = {
    "of another kind": bsdiff("delta-unreadable", magic=b"BSDIFF41"),
    "of a variant of bsdiff": bsdiff("unsupported-feature", magic=b"ENDSLEY/BSDIFF43"),
    "cut off in its header": Trick(
        fault="delta-unreadable", format=DeltaName.BSDIFF, delta=BSDIFF.file()[:31]
    ),
    "cut off in its last stream": Trick(
        fault="delta-unreadable", format=DeltaName.BSDIFF, delta=BSDIFF.file()[:-9]
    ),
    "streams that are longer than the file": bsdiff("length-differs", grown=1 << 40),
    "a first stream of a negative size": bsdiff("length-differs", control_grown=-(1 << 40)),
    "a stream of a negative size": bsdiff("length-differs", grown=-(1 << 40)),
    "a first stream of minus a byte": bsdiff("length-differs", control_grown=-1 - PACKED_SIZES[0]),
    "a first stream of no bytes": bsdiff("delta-unreadable", control_grown=-PACKED_SIZES[0]),
    "a stream of minus a byte": bsdiff("length-differs", grown=-1 - PACKED_SIZES[1]),
    "a stream of no bytes": bsdiff("delta-unreadable", grown=-PACKED_SIZES[1]),
    "a last stream of no bytes": bsdiff("delta-unreadable", grown=PACKED_SIZES[2]),
    "streams that begin elsewhere": bsdiff("delta-unreadable", grown=1),
    "more bytes than the target": bsdiff("grows-without-bound", target=len(NEW) - 1),
    "fewer bytes than the target": bsdiff("length-differs", target=len(NEW) + 1),
    "a negative number of bytes": bsdiff("length-differs", size=-1),
    "from before the base": stepped("reads-outside-base", (0, 0, -1)),
    "from after the base": stepped("reads-outside-base", (0, 0, len(OLD))),
    "from after the base, by 2^62": stepped("reads-outside-base", (0, 0, 1 << 62)),
    "a step of a negative length": stepped("delta-unreadable", (-1, 1, 0), says="step of -1"),
    "a step that takes bytes back": stepped("delta-unreadable", (1, -1, 0), says="and -1"),
    "a step of more bytes than there are": stepped("grows-without-bound", (0, 1 << 50, 0)),
    "steps that make nothing": stepped("grows-without-bound", *[(0, 0, 0)] * 9999),
    "a step too many": bsdiff("bytes-left-over", steps=(*BSDIFF.steps, (0, 0, 0))),
    "a difference too many": bsdiff("bytes-left-over", differences=BSDIFF.differences + b"\0"),
    "a new byte too many": bsdiff("bytes-left-over", extra=BSDIFF.extra + b"\0"),
    "a difference too few": bsdiff("delta-unreadable", differences=BSDIFF.differences[1:]),
    "bytes after the last stream": bsdiff("bytes-left-over", after=b"x"),
    "a stream after the last stream": bsdiff("bytes-left-over", after=BSDIFF.file()[32:]),
}
VCDIFF = Vcdiff.between(OLD, NEW)
WINDOW = VCDIFF.windows[0]


def vcdiff(fault: str, *, target: int = len(NEW), says: str = "", **changes: object) -> Trick:
    delta = replace(VCDIFF, **changes).file()  # type: ignore[arg-type]
    return Trick(fault=fault, format=DeltaName.XDELTA3, delta=delta, size=target, says=says)


def window(fault: str, *, target: int = len(NEW), **changes: object) -> Trick:
    return vcdiff(fault, target=target, windows=(replace(WINDOW, **changes),))  # type: ignore[arg-type]


def own(fault: str, codes: bytes, addresses: bytes = b"", data: bytes = b"", **parts: int) -> Trick:
    """Make a window of 8 bytes with 8 bytes of the base."""
    made = Window(
        size=8, source=(8, 0), instructions=codes, addresses=addresses, data=data, **parts
    )
    return vcdiff(fault, windows=(made,), target=8)


PACKED = packed_sections(WINDOW)
PACKED_DATA = PACKED.data[len(varint(len(WINDOW.data))) :]
ENDED = varint(len(WINDOW.data)) + lzma.compress(WINDOW.data, check=lzma.CHECK_NONE)


def packed(fault: str, *, says: str = "", **changes: object) -> Trick:
    """Make a delta whose sections are compressed by LZMA."""
    made = replace(PACKED, **changes)  # type: ignore[arg-type]
    return vcdiff(fault, flags=1, header=b"\2", windows=(made,), says=says)


_COPY_8, _COPY_HERE_8, _ADD_8 = b"\x18", b"\x28", b"\x09"
_GIBIBYTE = varint(1) + b"\0" + varint(1 << 30) + b"\0\0"
VCDIFF_TRICKS = {
    "of another version": vcdiff("delta-unreadable", magic=b"\xd6\xc3\xc4S"),
    "flags that nobody knows": vcdiff("delta-unreadable", flags=8),
    "compressed by DJW": vcdiff("unsupported-feature", flags=1, header=b"\1"),
    "compressed by something": vcdiff("unsupported-feature", flags=1, header=b"\x09"),
    "a code table of its own": vcdiff(
        "unsupported-feature", flags=2, header=b"\3\4\3x", says="code table"
    ),
    "a base that is unpacked before": vcdiff(
        "unsupported-feature", flags=4, header=varint(13) + b"new//old.gz/G"
    ),
    "a target that is packed again": vcdiff(
        "unsupported-feature", flags=4, header=varint(10) + b"new/G/old/"
    ),
    "a large application header": vcdiff("grows-without-bound", flags=4, header=varint(1 << 40)),
    "a copy of the target": window("unsupported-feature", flags=2),
    "a window with flags that nobody knows": window("delta-unreadable", flags=8),
    "more of the base than there is": window("reads-outside-base", source=(len(OLD) + 1, 0)),
    "a place behind the base": window("reads-outside-base", source=(len(OLD), 1)),
    "a copy from what is not there yet": own("reads-outside-base", _COPY_8, varint(8)),
    "a copy from before the base": own("reads-outside-base", _COPY_HERE_8, varint(9)),
    "a copy of what is far ahead": own("reads-outside-base", _COPY_8, varint(1 << 60)),
    "a copy of what is as far ahead as can be": own("reads-outside-base", _COPY_8, varint(1 << 62)),
    "a copy from before its part of the base": vcdiff(
        "reads-outside-base",
        target=8,
        windows=(Window(size=8, source=(8, 1), instructions=_COPY_HERE_8, addresses=varint(9)),),
    ),
    "a number without end": own("delta-unreadable", _COPY_8, b"\xff" * 30 + b"\0"),
    "an address too few": own("delta-unreadable", _COPY_8),
    "an address too many": own("bytes-left-over", _COPY_8, b"\0\0"),
    "a byte too few": own("delta-unreadable", _ADD_8, data=b"seven.."),
    "a byte too many": own("bytes-left-over", _ADD_8, data=b"nine....."),
    "more bytes than the window": own("grows-without-bound", b"\0" + varint(1 << 40), data=b"x"),
    "a copy that goes on": own("grows-without-bound", b"\x13" + varint(1 << 40), b"\0"),
    "fewer bytes than the window": own("length-differs", b"\x17", b"\0"),
    "another Adler-32": window("checksum-differs", adler32=1),
    "another base": Trick(
        fault="checksum-differs", format=DeltaName.XDELTA3, delta=VCDIFF.file, base=OLD[::-1]
    ),
    "a window that lies of its length": window("length-differs", grown=1),
    "compressed sections without a compression": window("delta-unreadable", packed=1),
    "sections compressed in a way that nobody knows": window("delta-unreadable", packed=8),
    "a fourth section alone": packed("delta-unreadable", packed=8, says="0x8"),
    "a compressed section after the end of its stream": vcdiff(
        "delta-unreadable",
        flags=1,
        header=b"\2",
        windows=(replace(PACKED, data=ENDED),) * 2,
        target=2 * len(NEW),
        says="a broken section of data",
    ),
    "four sections": packed("delta-unreadable", packed=15, says="0xf"),
    "no compressed section": window("delta-unreadable", packed=0x10),
    "a broken compressed section": vcdiff(
        "delta-unreadable", flags=1, header=b"\2", windows=(replace(WINDOW, packed=1),)
    ),
    "a compressed section that is longer": packed("length-differs", data=varint(3) + PACKED_DATA),
    "a compressed section that is shorter": packed("length-differs", data=varint(99) + PACKED_DATA),
    "a compressed section of a terabyte": packed(
        "grows-without-bound", data=varint(1 << 40) + PACKED_DATA
    ),
    "bytes after a compressed section": packed("bytes-left-over", data=ENDED + b"more"),
    "a section of a gibibyte": vcdiff(
        "grows-without-bound", windows=(), after=b"\0" + varint(9 + (1 << 30)) + _GIBIBYTE
    ),
    "a window that outgrows the target": vcdiff("grows-without-bound", target=len(NEW) - 1),
    "a window of a terabyte": window("grows-without-bound", target=1 << 60, size=1 << 50),
    "a target that is not complete": vcdiff("delta-unreadable", target=len(NEW) + 1),
    "a window too many": vcdiff("bytes-left-over", windows=(WINDOW, Window(size=0))),
    "bytes after the last window": vcdiff("bytes-left-over", after=b"x"),
    "cut off": Trick(fault="delta-unreadable", format=DeltaName.XDELTA3, delta=VCDIFF.file()[:-1]),
}
ZSTD = zstd_patch(OLD, NEW)
_MAGIC = b"\x28\xb5\x2f\xfd"


def zstd(fault: str, delta: Callable[[], bytes] | bytes, **changes: object) -> Trick:
    return replace(Trick(fault=fault, format=DeltaName.ZSTD, delta=delta), **changes)  # type: ignore[arg-type]


def raw_frame(window_log: int, content: bytes) -> bytes:
    """Return a frame without a size, of a window that it asks for, with a block as it is."""
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    return _MAGIC + bytes([0, window_log - 10 << 3]) + block + content


ZSTD_TRICKS = {
    "no frame": zstd("delta-unreadable", b"no frame of zstd"),
    "empty": zstd("delta-unreadable", b""),
    "a header that is cut off": zstd("delta-unreadable", ZSTD[:5]),
    "a frame that is to be skipped": zstd("delta-unreadable", b"\x50\x2a\x4d\x18\1\0\0\0x" + ZSTD),
    "another dictionary": zstd("unsupported-feature", _MAGIC + b"\x01\x58\x07" + ZSTD[6:]),
    "more bytes than the target": zstd("grows-without-bound", ZSTD, size=len(NEW) - 1),
    "fewer bytes than the target": zstd("length-differs", ZSTD, size=len(NEW) + 1),
    "more bytes than it says": zstd("grows-without-bound", raw_frame(17, b"ab"), size=1),
    "fewer bytes, of which it says nothing": zstd("length-differs", raw_frame(17, b"ab"), size=3),
    "a window of a gibibyte": zstd("grows-without-bound", raw_frame(30, b"ab"), size=2),
    "another base": zstd("checksum-differs", ZSTD, base=b"x" + OLD[1:]),
    "no base": zstd("delta-unreadable", ZSTD, base=b""),
    "a base that is cut off": zstd("delta-unreadable", ZSTD, base=OLD[600:]),
    "a frame too many": zstd("bytes-left-over", ZSTD + zstd_patch(b"", b"x")),
    "a byte after the frame": zstd("bytes-left-over", ZSTD + b"x"),
    "cut off": zstd("delta-unreadable", ZSTD[:-1]),
    "another checksum": zstd("checksum-differs", ZSTD[:-1] + bytes([ZSTD[-1] ^ 1])),
}
SCRIPT = ed_script(BEFORE, AFTER)


def pdiff(fault: str, delta: bytes, **changes: object) -> Trick:
    made = Trick(fault=fault, format=DeltaName.PDIFF, delta=delta, base=BEFORE, size=len(AFTER))
    return replace(made, **changes)  # type: ignore[arg-type]


PDIFF_TRICKS = {
    "a substitution": pdiff("unsupported-feature", b"s/.//\n" + SCRIPT),
    "a command for the shell": pdiff("unsupported-feature", b"!touch /tmp/x\n"),
    "a file that is written": pdiff("unsupported-feature", SCRIPT + b"w /tmp/x\n"),
    "a file that is read": pdiff("unsupported-feature", b"$r /etc/passwd\n"),
    "its end said": pdiff("unsupported-feature", SCRIPT + b"q\n"),
    "a command for all lines": pdiff("unsupported-feature", b"g/line/d\n"),
    "an insertion": pdiff("unsupported-feature", b"3i\nx\n.\n"),
    "no number": pdiff("delta-unreadable", b"d\n"),
    "a number too large": pdiff("delta-unreadable", b"1234567890123d\n"),
    "a line without an end": pdiff("delta-unreadable", b"3d"),
    "text after several lines": pdiff("delta-unreadable", b"3,4a\nx\n.\n"),
    "text without an end": pdiff("delta-unreadable", b"3a\nx\n", says="without the dot"),
    "text that ends with the script": pdiff("delta-unreadable", b"3a\nx\n."),
    "from the first line to the last": pdiff("commands-out-of-order", b"3d\n5d\n"),
    "a line twice": pdiff("commands-out-of-order", b"3,5d\n5c\nx\n.\n"),
    "text twice in one place": pdiff("commands-out-of-order", b"3a\nx\n.\n3a\ny\n.\n"),
    "lines backwards": pdiff("commands-out-of-order", b"5,3d\n"),
    "a line after the base": pdiff("reads-outside-base", b"31d\n" + SCRIPT),
    "text after the base": pdiff("reads-outside-base", b"31a\nx\n.\n" + SCRIPT),
    "lines up to 10^12": pdiff("reads-outside-base", b"1,999999999999d\n"),
    "line 0": pdiff("reads-outside-base", SCRIPT + b"0d\n"),
    "more text than the target": pdiff("grows-without-bound", SCRIPT, size=len(AFTER) - 1),
    "less text than the target": pdiff("length-differs", SCRIPT, size=len(AFTER) + 1),
    "a base whose last line does not end": pdiff("unsupported-feature", b"1d\n", base=b"a\nb"),
    "bytes after it is unpacked": pdiff("bytes-left-over", gzip.compress(SCRIPT) + b"x"),
    "packed in two parts": pdiff(
        "bytes-left-over", gzip.compress(SCRIPT[:9]) + gzip.compress(SCRIPT[9:])
    ),
    "packed and cut off": pdiff("delta-unreadable", gzip.compress(SCRIPT)[:-1]),
}
TRICKS = {
    **{f"bsdiff: {name}": trick for name, trick in BSDIFF_TRICKS.items()},
    **{f"xdelta3: {name}": trick for name, trick in VCDIFF_TRICKS.items()},
    **{f"zstd: {name}": trick for name, trick in ZSTD_TRICKS.items()},
    **{f"pdiff: {name}": trick for name, trick in PDIFF_TRICKS.items()},
}
