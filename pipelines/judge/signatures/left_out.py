"""Where in a rebuilt file a splice plan may put others in place of bytes, by few bytes of it.

Used outside of the jail, on files of ours: whatever they say, all other bytes of them are in the
file that a plan makes.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

Places = tuple[tuple[int, int], ...]
"""Begin and end of ranges of our file, in order."""
_PE_DIRECTORIES = {0x10B: 96, 0x20B: 112}
_CERTIFICATES = 4 * 8
_CAB_HEADER, _CAB_FOLDER = 36, 8
_MAX_FOLDERS = 256
_TAR_BLOCK, _MAX_MEMBERS = 512, 8
RPM_LEAD = 96
_RPM_INTRO, _RPM_ENTRY, _RPM_PADDED = 16, 16, 8
_SQUASHFS_BYTES_USED, _BLOCK = 40, 4096
MAX_TUF = 32 << 20
"""Bytes of metadata of TUF."""
_ONE_SIGNATURE = rb'\{\s*"keyid"\s*:\s*"[0-9a-f]{1,64}"\s*,\s*"sig"\s*:\s*"[0-9a-f]{0,16384}"\s*\}'
TUF_SIGNATURES = re.compile(rb"\[\s*(?:" + _ONE_SIGNATURE + rb"\s*(?:,\s*(?=\{)|(?=\])))*\]")
_TUF_FIRST = re.compile(rb'\s*\{\s*"signatures"\s*:\s*(?=\[)')
_TUF_LAST = re.compile(rb'"signatures"\s*:\s*(\[[^\[\]]*\])\s*\}\s*\Z')


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Read so many bytes, or those that there are."""
    file.seek(offset)
    return file.read(length)


def signature_header(own: BinaryIO) -> Places:
    """Return where the signature header of an RPM package is, with its padding."""
    intro = read_at(own, RPM_LEAD, _RPM_INTRO)
    if len(intro) < _RPM_INTRO:
        return ()
    entries, data = struct.unpack(">II", intro[8:])
    end = RPM_LEAD + _RPM_INTRO + entries * _RPM_ENTRY + data
    return ((RPM_LEAD, end + -end % _RPM_PADDED),)


def after_squashfs(own: BinaryIO) -> Places:
    """Return what of a RAUC bundle follows its squashfs."""
    size = own.seek(0, 2)
    used = int.from_bytes(read_at(own, _SQUASHFS_BYTES_USED, 8), "little")
    return ((min(used + -used % _BLOCK, size), size),)


def pe_places(own: BinaryIO) -> Places:
    """Return the checksum and the directory entry of the certificate table of a PE file."""
    try:
        (pe,) = struct.unpack("<I", read_at(own, 0x3C, 4))
        (kind,) = struct.unpack("<H", read_at(own, pe + 24, 2))
        entry = pe + 24 + _PE_DIRECTORIES[kind] + _CERTIFICATES
    except (struct.error, KeyError):
        return ()
    return (pe + 24 + 64, pe + 24 + 68), (entry, entry + 8)


def cab_places(own: BinaryIO) -> Places:
    """Return size, offset of files, flags and offsets of folders in the header of a cabinet."""
    try:
        (folders,) = struct.unpack("<H", read_at(own, 26, 2))
    except struct.error:
        return ()
    count = min(folders, _MAX_FOLDERS)
    ends = range(_CAB_HEADER, _CAB_HEADER + count * _CAB_FOLDER, _CAB_FOLDER)
    return (8, 12), (16, 20), (30, 32), *((at, at + 4) for at in ends)


def dashed_lines(own: BinaryIO) -> Places:
    """Return the start of a text, and of each line that gets a dash and a space in front."""
    own.seek(0)
    starts, at = {0}, 0
    for line in own:
        if line.startswith((b"-", b"From ")):
            starts.add(at)
        at += len(line)
    return tuple((start, start) for start in sorted(starts))


def info_members(own: BinaryIO) -> Places:
    """Return the members .info among the first of a tar, header and content."""
    found, at = [], 0
    for _ in range(_MAX_MEMBERS):
        header = read_at(own, at, _TAR_BLOCK)
        name, digits = header[:100].rstrip(b"\0"), header[124:136].strip(b"\0 ")
        if not digits.isdigit() or set(digits) - set(b"01234567"):
            break
        end = at + _TAR_BLOCK + -(-int(digits, 8) // _TAR_BLOCK) * _TAR_BLOCK
        if name.endswith(b".info"):
            found.append((at, end))
        at = end
    return tuple(found)


def tuf_signatures(own: BinaryIO) -> Places:
    """Return where the list of signatures of metadata of TUF is: its first field, or its last."""
    own.seek(0)
    data = own.read(MAX_TUF)
    if first := _TUF_FIRST.match(data):
        found = TUF_SIGNATURES.match(data, first.end())
        return (found.span(),) if found else ()
    last = _TUF_LAST.match(data, max(0, data.rfind(b'"signatures"')))
    return (last.span(1),) if last and TUF_SIGNATURES.fullmatch(last[1]) else ()
