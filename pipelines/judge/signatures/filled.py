"""Whether others that a splice plan puts in places of our file are what a signature needs there.

Used outside of the jail, on the file that was made: what stands in a place is computed here once
more, or is as long as the place and ends where our bytes go on.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from builders.core.digest import chunks
from pipelines.judge.signatures.left_out import pe_places
from pipelines.judge.signatures.pe_checksum import PeChecksum

_PE_ALIGNMENT = 8


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Where bytes of ours are left out, or others stand."""

    begin: int
    end: int
    """In our file."""
    at: int
    length: int
    """Of the others, in the file that is made."""


def pe_fits(own: BinaryIO, out: BinaryIO, gaps: Sequence[Gap]) -> bool:
    """Say whether checksum and directory entry are right, and a table is all that follows."""
    size, places = own.seek(0, 2), pe_places(own)
    if not places or not _keeps_lengths(gaps, size):
        return False
    (checksum, after), (entry, _) = places
    made, table = out.seek(0, 2), size + -size % _PE_ALIGNMENT
    total = PeChecksum()
    total.add(_at(out, 0, checksum) + bytes(after - checksum))
    out.seek(after)
    for data in chunks(out):
        total.add(data)
    return (
        made > table
        and not any(_at(out, size, table - size))
        and struct.unpack("<II", _at(out, entry, 8)) == (table, made - table)
        and int.from_bytes(_at(out, checksum, after - checksum), "little") == total.value()
    )


def _keeps_lengths(gaps: Sequence[Gap], size: int) -> bool:
    """Say whether bytes of ours stand where they do in our file of `size` bytes, up to its end."""
    return all(gap.length == gap.end - gap.begin for gap in gaps if gap.begin < size)


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
