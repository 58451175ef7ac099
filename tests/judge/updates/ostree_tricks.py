"""Altered static deltas of OSTree that must not be applied, and what each is called."""

from __future__ import annotations

from dataclasses import replace

from builders.recipe.update import DeltaName
from pipelines.judge.updates.ostree_delta import _MAX_PARTS
from tests.judge.updates.delta_tricks import Trick
from tests.judge.updates.ostree_deltas import (
    COMMIT_TYPE,
    OstreeDelta,
    Part,
    Tree,
    encoded,
    number,
    sha256,
)

SUB = Tree({"below": b"the same\n", "long": "x" * 300})
OLD = Tree({"a": b"first\n" * 50, "b": b"second\n" * 41, "link": "a", "same": b"stays\n"}, SUB)
NEW = Tree(
    {
        "a": b"first\n" * 40 + b"x\n" * 9,
        "b": b"second\n" * 42 + b"!",
        "link": "b",
        "same": b"stays\n",
    },
    SUB,
)
SHORT = Tree({"a": b"x"})
SHORT.content = encoded(
    COMMIT_TYPE, ([], b"", [], "subject", "", bytes(8), b"short", SHORT.roots[1])
)
SHORT.commit = sha256(SHORT.content)
BASE, TARGET = OstreeDelta.full(OLD).file(), OstreeDelta.full(NEW).file()
GOOD = OstreeDelta.between(OLD, NEW)
PART = GOOD.parts[0]
SIZE = 1 << 20
_FILE = b"\1" + NEW.names["a"]
_UNKNOWN = bytes(32)


def ostree(
    fault: str, *, base: bytes = BASE, size: int = SIZE, says: str = "", **changes: object
) -> Trick:
    made = replace(GOOD, **changes).file()  # type: ignore[arg-type]
    return Trick(fault=fault, format=DeltaName.OSTREE, delta=made, base=base, size=size, says=says)


def part(fault: str, *, says: str = "", **changes: object) -> Trick:
    return ostree(fault, says=says, parts=(replace(PART, **changes),))  # type: ignore[arg-type]


def code(fault: str, operations: bytes, data: bytes = b"", says: str = "") -> Trick:
    """Make a delta with one more part, whose operations open a file of 4 bytes."""
    more = Part(modes=PART.modes, names=_FILE, data=data, code=operations)
    return ostree(fault, says=says, parts=(PART, more))


_OPEN = b"o\0\0\4"
OSTREE_TRICKS = {
    "a base that is none": ostree("delta-unreadable", base=b"x" * 99),
    "a delta that is cut off": Trick(
        fault="delta-unreadable",
        format=DeltaName.OSTREE,
        delta=GOOD.file()[:-9],
        base=BASE,
        size=SIZE,
    ),
    "bytes after the delta": ostree("delta-unreadable", after=b"\0"),
    "a signed superblock": Trick(
        fault="unsupported-feature",
        format=DeltaName.OSTREE,
        delta=b"OSTSGNDT" + GOOD.file(),
        base=BASE,
    ),
    "another base": ostree("wrong-base", base=TARGET),
    "a base that is a delta itself": ostree("wrong-base", base=GOOD.file()),
    "a delta of no commit": Trick(
        fault="wrong-base", format=DeltaName.OSTREE, delta=TARGET, base=BASE, size=SIZE
    ),
    "another commit": ostree("checksum-differs", commit=_UNKNOWN),
    "a commit without a checksum": ostree("delta-unreadable", commit=b"short"),
    "deltas that come before": ostree("unsupported-feature", others=bytes(64)),
    "objects that are to be fetched": ostree(
        "unsupported-feature", outside=((b"\1", _UNKNOWN, bytes(8), bytes(8)),)
    ),
    "a part in another file": ostree("unsupported-feature", inline=()),
    "a part twice": ostree("delta-unreadable", inline=(0, 0)),
    "an object too many": part("bytes-left-over", names=PART.names + _FILE),
    "another part": part("checksum-differs", checksum=_UNKNOWN),
    "a part compressed in another way": part("unsupported-feature", packing=b"z"),
    "a list of objects that is cut off": part(
        "delta-unreadable", names=PART.names[:-1], says="cut off"
    ),
    "an object too few": part("delta-unreadable", names=PART.names[:-33]),
    "objects in another order": part("delta-unreadable", names=PART.names[-33:] + PART.names[:-33]),
    "other content": part("checksum-differs", data=PART.data[:-1] + b"?"),
    "another mode": part(
        "checksum-differs", modes=((*PART.modes[0][:2], b"\0\0\x81\xff"), PART.modes[1])
    ),
    "a device": part(
        "unsupported-feature", modes=((*PART.modes[0][:2], b"\0\0\x21\xff"), PART.modes[1])
    ),
    "no modes": part("delta-unreadable", modes=()),
    "operations that are cut off": part("delta-unreadable", code=PART.code[:-1]),
    "an unknown operation": part("delta-unreadable", code=PART.code + b"x"),
    "an operation of no file": code("delta-unreadable", b"w\1\0"),
    "a file in a file": ostree(
        "delta-unreadable",
        says="a file in a file",
        parts=(PART, Part(modes=PART.modes, names=_FILE * 2, code=_OPEN * 2)),
    ),
    "a number without end": code("delta-unreadable", b"o" + b"\xff" * 99, says="too large"),
    "attributes that are not there": code(
        "delta-unreadable", b"o\0\1\4w\4\0c", b"1234", "attributes 1"
    ),
    "no file that is closed": code("delta-unreadable", b"c", says="to close"),
    "steps that nothing uses": code(
        "bytes-left-over",
        _OPEN + b"r\0B" + number(32) + number(32),
        OLD.names["a"] + b"\4" + bytes(31),
    ),
    "a commit as a file": part(
        "delta-unreadable",
        names=b"\4" + PART.names[1:],
        code=b"o\0\0\1",
        says="opened as a regular file",
    ),
    "a part of a number that is too large": ostree(
        "delta-unreadable", about=((f"deltas/x/{_MAX_PARTS}", ("(yay)", PART.file())),)
    ),
    "bytes of the source at the largest number": code(
        "reads-outside-base", _OPEN + b"r\0w\4" + number(1 << 63), OLD.names["a"]
    ),
    "a checksum of another length": Trick(
        fault="delta-unreadable",
        format=DeltaName.OSTREE,
        delta=OstreeDelta.between(OLD, SHORT).file(),
        base=BASE,
        size=SIZE,
        says="a checksum of 5 bytes",
    ),
    "an object of an unknown type": ostree(
        "unsupported-feature",
        parts=(PART, Part(names=b"\7" + sha256(b"x"), data=b"x", code=b"S\1\0")),
    ),
    "a part that no header names": ostree("bytes-left-over", parts=(PART, PART), unnamed=1),
    "a base that is no checksum": Trick(
        fault="delta-unreadable",
        format=DeltaName.OSTREE,
        base=BASE,
        size=SIZE,
        says="SHA-256",
        delta=replace(GOOD, base=b"short").file(),
    ),
    "a delta on a delta": Trick(
        fault="wrong-base",
        format=DeltaName.OSTREE,
        base=GOOD.file(),
        size=SIZE,
        delta=OstreeDelta.between(NEW, OLD).file(),
    ),
    "data that is not there": code("delta-unreadable", _OPEN + b"w\4\0c"),
    "a source that is not there": code("reads-outside-base", _OPEN + b"r\0", _UNKNOWN),
    "more than the source has": code(
        "reads-outside-base", _OPEN + b"r\0w\4" + number(1 << 40), OLD.names["a"]
    ),
    "a difference to no file": code("delta-unreadable", _OPEN + b"B\0\0", says="to no file"),
    "steps that read before the source": code(
        "reads-outside-base",
        _OPEN + b"r\0B" + number(32) + number(48),
        OLD.names["a"] + bytes(16) + b"\1" + bytes(6) + b"\x80" + b"\4" + bytes(23),
    ),
    "more content than the file has": code("grows-without-bound", _OPEN + b"w\5\0", b"12345"),
    "less content than the file has": code("length-differs", _OPEN + b"w\3\0c", b"123"),
    "a file of a terabyte": code("grows-without-bound", b"o\0\0" + number(1 << 40)),
    "a file that is not closed": code("delta-unreadable", _OPEN + b"w\4\0", b"1234"),
    "a file that the commit does not have": ostree(
        "bytes-left-over",
        parts=(PART, OstreeDelta.between(NEW, Tree({"a": b"other"})).parts[0]),
    ),
    "a file that nobody has": ostree("reads-outside-base", parts=()),
    "more objects than the output takes": ostree("grows-without-bound", size=99),
}
