"""The headers of PE files, as far as signatures and explanations need them.

Source: Microsoft, "PE Format". Nothing is believed beyond what is checked here: a section may be
anywhere.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.judge.signatures.signature_format import (
    unreadable,
)

CHECKSUM, ENTRY = 4, 8
"""Sizes of the checksum and of a directory entry."""
_HEADERS = 1 << 20
_CERTIFICATES = 4
"""Number of the data directory of the certificate table."""
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
"""Offset of the data directories in the optional header, by its magic number."""
_SECTION = 40


@dataclass(frozen=True, kw_only=True)
class PeSection:
    """A section, by its header."""

    name: bytes
    address: int
    """In memory, relative to that of the image."""
    memory: int
    """Bytes that it takes there."""
    offset: int
    size: int
    """Of its bytes in the file."""
    flags: int


@dataclass(frozen=True, kw_only=True)
class PeImage:
    """Where things are in a PE file; offsets in bytes."""

    size: int
    """Of the file."""
    headers: int
    """Size of all headers, as the file tells it."""
    alignment: int
    """Of sections in memory."""
    checksum: int
    entry: int
    """Of the directory entry of the certificate table."""
    table: int
    table_size: int
    section_headers: int
    sections: tuple[PeSection, ...]

    @property
    def end(self) -> int:
        """Where the image ends and the certificate table begins."""
        return self.table or self.size


def read_pe(file: BinaryIO, whose: str) -> PeImage:
    """Read the headers of a file, which messages call the `whose` one.

    Raises `BadSignatureError`.
    """
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(_HEADERS)
    try:
        (pe,) = struct.unpack_from("<I", head, 0x3C)
        (count,) = struct.unpack_from("<H", head, pe + 6)
        optional, _, kind = struct.unpack_from("<HHH", head, pe + 20)
        (alignment,) = struct.unpack_from("<I", head, pe + 24 + 32)
        (headers,) = struct.unpack_from("<I", head, pe + 24 + 60)
        magic, directories = head[:2], pe + 24 + _DIRECTORIES[kind]
        (entries,) = struct.unpack_from("<I", head, directories - 4)
        entry = directories + _CERTIFICATES * ENTRY
        table, table_size = struct.unpack_from("<II", head, entry)
    except (struct.error, KeyError) as error:
        raise unreadable(f"the {whose} file is no PE file") from error
    if magic != b"MZ" or head[pe : pe + 4] != b"PE\0\0" or not 5 <= entries <= 16:
        raise unreadable(f"the {whose} file is no PE file with a certificate directory")
    if pe + 24 + optional < directories + entries * ENTRY:
        raise unreadable(f"the {whose} file has directories outside of its header")
    first = pe + 24 + optional
    return PeImage(
        size=size,
        headers=headers,
        alignment=alignment,
        checksum=pe + 24 + 64,
        entry=entry,
        table=table,
        table_size=table_size,
        section_headers=first,
        sections=tuple(
            _section(head[at : at + _SECTION])
            for at in range(first, first + count * _SECTION, _SECTION)
            if at + _SECTION <= len(head)
        ),
    )


def _section(header: bytes) -> PeSection:
    name, memory, address, size, offset = struct.unpack_from("<8sIIII", header)
    (flags,) = struct.unpack_from("<I", header, 36)
    return PeSection(
        name=name.rstrip(b"\0"),
        address=address,
        memory=memory,
        offset=offset,
        size=size,
        flags=flags,
    )
