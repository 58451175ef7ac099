"""Altered deltas of RPM packages that must not be applied, and what each is called."""

from __future__ import annotations

import gzip
from dataclasses import replace

from builders.recipe.update import DeltaName
from tests.judge.signatures.rpm_signing import INT32, LEAD, Entry
from tests.judge.updates.delta_tricks import OLD, Trick
from tests.judge.updates.rpm_deltas import (
    INT16,
    Files,
    RpmDelta,
    package,
    sequence,
    several,
    texts,
)

OLD_FILES: Files = {"a": OLD, "link": "a", "b": b"text\n" * 40, "empty": b"", "null": 0x0103}
NEW_FILES: Files = {
    "a": OLD[:500] + b"new" + OLD[500:],
    "b": b"text\n" * 40 + b"more\n",
    "link": "b",
}
BASE, TARGET = package(OLD_FILES, "1.0"), package(NEW_FILES, "2.0")
RPM, SIZE = BASE.file(), len(TARGET.file())
GOOD = {
    "of files": RpmDelta.of_files(OLD_FILES, TARGET),
    "of packages alone": RpmDelta.alone(BASE, TARGET),
}
_FILES, _ALONE = GOOD.values()


def rpm(
    fault: str,
    delta: RpmDelta = _FILES,
    *,
    base: bytes = RPM,
    target: int = SIZE,
    **changes: object,
) -> Trick:
    made = replace(delta, **changes).file()  # type: ignore[arg-type]
    return Trick(fault=fault, format=DeltaName.RPM, delta=made, base=base, size=target)


def moved(by: int, delta: RpmDelta = _FILES) -> Trick:
    """Make a delta whose first copy begins elsewhere."""
    return rpm("reads-outside-base", delta, moves=(delta.moves[0] + by, *delta.moves[1:]))


def based(fault: str, *changes: Entry, drop: int = 0, says: str = "") -> Trick:
    """Make a base with other entries in its header."""
    other = {one.tag: one for one in (*BASE.entries, *changes) if one.tag != drop}
    made = rpm(fault, base=replace(BASE, entries=tuple(other.values())).file())
    return replace(made, says=says)


def paid(fault: str, before: bytes, after: bytes) -> Trick:
    """Make a base with another archive."""
    payload = gzip.compress(gzip.decompress(BASE.payload).replace(before, after, 1))
    return rpm(fault, base=replace(BASE, payload=payload).file())


_COPY = replace(
    _ALONE, packing=0, before=(), own=(), moves=(), copies=(), data=b"", plain=0, md5=bytes(16),
    front=b"drpmDLT3" + bytes(8), size=0,
)  # fmt: skip
RPM_TRICKS = {
    "a base without a name": based("delta-unreadable", drop=1000, says="without name"),
    "a base with one number of a folder that is not there": based(
        "delta-unreadable", several(1116, INT32, 0, 0, 0, 0, 9), says="folders"
    ),
    "a base without a version": based("delta-unreadable", drop=1001, says="without name"),
    "a base without a release": based("delta-unreadable", drop=1002, says="without name"),
    "a base whose name is a number": based("delta-unreadable", Entry.number(1000, 1)),
    "a base whose sizes are text": based("delta-unreadable", texts(1028, "a"), says="type 8"),
    "a base with large numbers of devices": based(
        "delta-unreadable", several(1033, INT32, 0, 0, 0, 0, 0x0103), says="type 4"
    ),
    "a base with small sizes": based(
        "delta-unreadable", several(1028, INT16, *[1] * len(OLD_FILES)), says="type 3"
    ),
    "a base with digests by MD2": based(
        "unsupported-feature", several(5011, INT32, 2), says="algorithm 2"
    ),
    "a base with fewer sizes": based(
        "delta-unreadable", several(1028, INT32, 1), says="different lengths"
    ),
    "a base with fewer folders": based("delta-unreadable", texts(1118), drop=1118, says="folders"),
    "a base with fewer numbers of folders": based(
        "delta-unreadable", several(1116, INT32, 0), says="folders"
    ),
    "a base with digests that are none": based(
        "delta-unreadable", texts(1035, *["x" * 64] * len(OLD_FILES)), says="hexadecimal"
    ),
    "a base with short digests": based(
        "delta-unreadable", texts(1035, *["ab"] * len(OLD_FILES)), says="expected 32"
    ),
    "a base that is no cpio archive": paid("unsupported-feature", b"070701", b"070707"),
    "a base with a broken size": paid("delta-unreadable", b"%08x" % len(OLD), b"zzzzzzzz"),
    "a base with a file of another size": paid("delta-unreadable", b"%08x" % len(OLD), b"%08x" % 4),
    "a base with a name without end": replace(
        paid("delta-unreadable", b"%08x" % 8, b"7fffffff"), says="a name of"
    ),
    "a target that is shorter": rpm("length-differs", md5=bytes(16), size=0, target=SIZE + 1),
    "bytes after a copy of a package": rpm(
        "bytes-left-over", _COPY, data=b"x", grown=-1, target=len(RPM)
    ),
    "a compressed copy of a package": rpm(
        "length-differs", _COPY, packing=1 | 9 << 8, target=len(RPM)
    ),
    "a copy of a package with copies that nothing uses": rpm(
        "bytes-left-over", _COPY, moves=(0,), copies=(0,), target=len(RPM)
    ),
    "no package as a base": rpm("delta-unreadable", base=OLD),
    "no package as a delta": rpm("delta-unreadable", front=b"rpmd" * 40),
    "of version 2": rpm("unsupported-feature", version=b"DLT2"),
    "of packages alone, of version 1": rpm("unsupported-feature", front=b"drpmDLT1" + bytes(8)),
    "no version": rpm("delta-unreadable", version=b"XYZ3"),
    "parameters of a compression": rpm("unsupported-feature", parameters=4),
    "compressed by lzma": rpm("unsupported-feature", packing=5),
    "compressed by gzip for rsync": rpm("unsupported-feature", packing=3),
    "compressed by zstd with threads": rpm("unsupported-feature", packing=8),
    "compressed by something": rpm("unsupported-feature", packing=77),
    "compressed at level 9 of xz": rpm("unsupported-feature", packing=6 | 9 << 8),
    "compressed at level 200": rpm("unsupported-feature", packing=1 | 200 << 8),
    "compressed at another level": rpm(
        "checksum-differs", packing=1 | 1 << 8, size=0, target=1 << 20
    ),
    "made for another package": rpm("wrong-base", name=b"tool-1.1-1\0"),
    "made for other files": rpm("wrong-base", sequence=sequence({**OLD_FILES, "a": b"x"})),
    "made for another package of this name": rpm(
        "wrong-base", _ALONE, base=package({**OLD_FILES, "a": b"x"}, "1.0").file()
    ),
    "a base of another epoch": rpm("wrong-base", base=package(OLD_FILES, "1.0", epoch=1).file()),
    "a sequence of more files": rpm(
        "delta-unreadable", sequence=sequence(OLD_FILES, packed=b"\x60")
    ),
    "a sequence from a file on that is not there": rpm(
        "delta-unreadable", sequence=sequence(OLD_FILES, packed=b"\x07\x10")
    ),
    "a sequence that is cut off": rpm(
        "delta-unreadable", sequence=sequence(OLD_FILES, packed=b"\xff")
    ),
    "a sequence of a large number": rpm(
        "delta-unreadable", sequence=sequence(OLD_FILES, packed=b"\xff" * 999)
    ),
    "a sequence without a digest": rpm("length-differs", sequence=b"short"),
    "files in another order": replace(
        rpm(
            "delta-unreadable",
            sequence=sequence(
                dict(list(OLD_FILES.items())[::-1]), packed=b"\x04\x10\x31\x02\x10\x11\x00\x10"
            ),
        ),
        says="not in its payload",
    ),
    "more bytes than the target": rpm("grows-without-bound", target=SIZE - 1),
    "fewer bytes than the target": rpm("length-differs", target=SIZE + 1),
    "a size that is too small, of the right target": rpm("length-differs", size=SIZE - 1),
    "a size that is too large, of the right target": rpm("grows-without-bound", size=SIZE + 1),
    "another MD5": rpm("checksum-differs", md5=b"x" * 16),
    "another lead": rpm("checksum-differs", lead=LEAD + bytes(len(_FILES.lead) - len(LEAD))),
    "from before the base": moved(-1),
    "from before the base, in packages alone": moved(-1, _ALONE),
    "from after the base": moved(1 << 30),
    "an old archive that is longer": rpm("length-differs", archive=_FILES.archive + 1),
    "an old archive of a terabyte": rpm("grows-without-bound", archive=1 << 40),
    "data that is longer": rpm("length-differs", grown=1),
    "data without end": rpm("length-differs", grown=1 << 60),
    "a copy that nothing uses": replace(
        rpm("bytes-left-over", before=(*_FILES.before[:-1], 0), own=(*_FILES.own[:-1], 0)),
        says="copies that nothing uses",
    ),
    "a copy that is not there": rpm("delta-unreadable", before=(*_FILES.before[:-1], 2)),
    "a difference too many": rpm("bytes-left-over", differences=_FILES.differences + b"\0"),
    "a difference too few": rpm("delta-unreadable", differences=_FILES.differences[1:]),
    "differences twice": rpm("bytes-left-over", _ALONE, inside=True),
    "a name without end": rpm("grows-without-bound", name=bytes(1 << 20)),
    "more than the header is plain": rpm(
        "length-differs", _ALONE, plain=1 << 30, size=0, target=1 << 20
    ),
    "the format of the payload elsewhere": rpm("delta-unreadable", format_at=3),
    "the format of the payload nowhere": rpm("delta-unreadable", format_at=0),
    "the format of the payload far behind": rpm("delta-unreadable", format_at=1 << 31),
    "bytes after the delta": rpm("bytes-left-over", after=b"x"),
    "bytes after its data": rpm("bytes-left-over", data=_FILES.data + b"x", grown=-1),
    "a base without files": rpm(
        "delta-unreadable", base=replace(BASE, entries=BASE.entries[:3]).file()
    ),
    "a base whose payload is not compressed": rpm(
        "unsupported-feature", base=replace(BASE, payload=b"070701" * 99).file()
    ),
}
