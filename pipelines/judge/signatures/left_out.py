"""Where in a rebuilt file a splice plan may leave bytes out, by few bytes of that file.

Used outside of the jail, on files of ours: whatever they say, all other bytes of them are in the
file that a plan makes.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

RPM_LEAD = 96
_RPM_INTRO, _RPM_ENTRY, _RPM_PADDED = 16, 16, 8
_SQUASHFS_BYTES_USED, _BLOCK = 40, 4096


def signature_header(file: BinaryIO) -> tuple[int, int]:
    """Return where the signature header of an RPM package is, with its padding."""
    file.seek(RPM_LEAD)
    intro = file.read(_RPM_INTRO)
    if len(intro) < _RPM_INTRO:
        return RPM_LEAD, RPM_LEAD
    entries, data = struct.unpack(">II", intro[8:])
    end = RPM_LEAD + _RPM_INTRO + entries * _RPM_ENTRY + data
    return RPM_LEAD, end + -end % _RPM_PADDED


def after_squashfs(file: BinaryIO) -> tuple[int, int]:
    """Return what of a RAUC bundle follows its squashfs."""
    size = file.seek(0, 2)
    file.seek(_SQUASHFS_BYTES_USED)
    used = int.from_bytes(file.read(8), "little")
    return min(used + -used % _BLOCK, size), size
