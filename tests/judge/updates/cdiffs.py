"""Makes deltas of ClamAV databases as `sigtool --diff` does, and signs them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping

from tests.judge.signatures.databases import SIGNED, Database, Key

Members = Mapping[bytes, bytes]
BEFORE: Members = {
    b"COPYING": b"GPL" * 99,
    b"test.hdb": b"aa:1:Eicar\nbb:2:Old\ncc:3:Kept\n",
    b"test.ndb": b"Win.A:0:*:6161\nWin.B:0:*:6262\nWin.Trojan.Agent-1:0:*:6363\n",
    b"test.mdb": b"7:dd:Gone\n",
}
AFTER: Members = {
    b"COPYING": b"GPL" * 99,
    b"test.hdb": b"aa:1:Eicar\ncc:3:Kept\n",
    b"test.ndb": b"Win.A:0:*:7171\nWin.B:0:*:6262\nWin.Trojan.Agent-1:0:*:6363\nWin.C:0:*:64\n",
    b"test.ldb": b"New;Target:0;0;6161\n",
}


def settled(database: Database) -> Database:
    """Return a database whose .info is the same each time: its signature has a random salt."""
    return database.but(info_signature=database.info.rpartition(b"DSIG:")[2].strip())


BASE = settled(SIGNED.but(members=BEFORE, version=b"6"))
TARGET = settled(SIGNED.but(members=AFTER, version=b"7"))


def everything(database: Database) -> dict[bytes, bytes]:
    """Return all members of a database."""
    return {**database.members, b"test.info": database.info}


def word(line: bytes) -> bytes:
    """Return how a script names a line."""
    return line[:16].partition(b" ")[0]


def script(before: Members, after: Members) -> bytes:
    """Return a script that makes some members of others."""
    return b"".join(line + b"\n" for line in _script(before, after))


def _script(before: Members, after: Members) -> Iterator[bytes]:
    for name in before.keys() - after.keys():
        yield b"UNLINK " + name
    for name, data in after.items():
        old, new = before.get(name, b"").split(b"\n")[:-1], data.split(b"\n")[:-1]
        if old == new and name in before:
            continue
        if not all(map(word, old)):
            yield b"UNLINK " + name
            old = []
        yield b"OPEN " + name
        for number, line in enumerate(old):
            if number >= len(new):
                yield b"DEL %d %s" % (number + 1, word(line))
            elif line != new[number]:
                yield b"XCHG %d %s %s" % (number + 1, word(line), new[number])
        for line in new[len(old) :]:
            yield b"ADD " + line
        yield b"CLOSE"


def cdiff(
    text: bytes,
    *,
    version: int = 7,
    length: int | None = None,
    by: Key | None = None,
    after: bytes = b"",
) -> bytes:
    """Return the delta with a script."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31, 8, zlib.Z_FILTERED)
    said = len(text) if length is None else length
    made = b"ClamAV-Diff:%d:%d:" % (version, said) + stream.compress(text) + stream.flush()
    return made + (b":" + by.pss(made) if by else b"") + after


def as_list(members: Members) -> bytes:
    """Return a list of members made here."""
    lines = (
        b"%s %d %s\n" % (name, len(data), hashlib.sha256(data).hexdigest().encode())
        for name, data in members.items()
    )
    return b"".join(sorted(lines))
