"""Deltas of `zstd --patch-from`: one frame of zstd whose dictionary is the base (RFC 8878).

The base is a prefix of raw content, so that the frame names no dictionary. All of it is in memory,
and the window of the frame too.
"""

from __future__ import annotations

import sys
from typing import BinaryIO

from builders.core.digest import CHUNK
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.delta_io import BoundedOutput, unreadable, unsupported
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MAX_WINDOW_LOG = 27
MAX_BASE = 128 << 20
_MAGIC = b"\x28\xb5\x2f\xfd"
_MAX_HEADER = 18
_MIN_PREFIX = 8
"""zstd itself does not look into a shorter one."""


def apply(base: BinaryIO, delta: BinaryIO, out_file: BinaryIO, limits: DeltaLimits) -> None:
    """Write the target to `out_file`; raises `UpdateError`."""
    if base.seek(0, 2) > MAX_BASE:
        raise unsupported(f"a base of more than {MAX_BASE} bytes")
    delta.seek(0)
    head = delta.read(_MAX_HEADER)
    try:
        if not head.startswith(_MAGIC):
            raise unreadable("no frame of zstd")
        dictionary = zstd.get_frame_info(head).dictionary_id
    except zstd.ZstdError as error:
        raise unreadable(f"a broken frame of zstd: {error}") from error
    if dictionary:
        raise unsupported(f"a frame that names dictionary {dictionary}")
    base.seek(0)
    frame = _decoder(base.read())
    delta.seek(0)
    out = BoundedOutput(out_file, limits.size)
    while not frame.eof:
        data = delta.read(CHUNK) if frame.needs_input else b""
        if frame.needs_input and not data:
            raise unreadable("a frame that is cut off")
        try:
            out.write(frame.decompress(data, min(CHUNK, out.left + 1)))
        except zstd.ZstdError as error:
            raise UpdateError(_fault(error), str(error)) from error
    if frame.unused_data or delta.read(1):
        raise UpdateError(UpdateFault.LEFT_OVER, "bytes after the frame of zstd")
    out.finish()


def _decoder(base: bytes) -> zstd.ZstdDecompressor:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    if len(base) < _MIN_PREFIX:
        return zstd.ZstdDecompressor(options=options)
    prefix = zstd.ZstdDict(base, is_raw=True).as_prefix
    return zstd.ZstdDecompressor(prefix, options=options)


def _fault(error: zstd.ZstdError) -> UpdateFault:
    # The module has one class for all errors.
    text = str(error)
    if "checksum" in text:
        return UpdateFault.CHECKSUM
    return UpdateFault.UNBOUNDED if "memory" in text else UpdateFault.UNREADABLE


ZSTD = DeltaFormat(apply=apply)
