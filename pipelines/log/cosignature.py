"""Cosignatures (C2SP tlog-cosignature, cosignature/v1): what a witness signs, and how it is packed.

A cosignature says: at that time, this was the largest consistent tree of that log that I have seen.
The signed message is a header, the time, and the whole text of the checkpoint; the signature in the
note is the time as eight bytes and 64 bytes of Ed25519.
"""

from __future__ import annotations

from pipelines.log.errors import NoteError

MAX_TIME = (1 << 63) - 1
_TIME_SIZE = 8
_SIZE = _TIME_SIZE + 64


def cosigned_message(text: bytes, time: int) -> bytes:
    """Return what is signed for a checkpoint's text at `time`, in seconds since 1970 UTC."""
    _check_time(time)
    return b"cosignature/v1\ntime %d\n%b" % (time, text)


def pack_cosignature(time: int, signature: bytes) -> bytes:
    """Return a cosignature as it stands in a note, after the key id."""
    _check_time(time)
    return _checked(time.to_bytes(_TIME_SIZE, "big") + signature)


def split_cosignature(data: bytes) -> tuple[int, bytes]:
    """Return the time and the signature of a cosignature; raises `NoteError`."""
    data = _checked(data)
    time = int.from_bytes(data[:_TIME_SIZE], "big")
    _check_time(time)
    return time, data[_TIME_SIZE:]


def _checked(data: bytes) -> bytes:
    if len(data) != _SIZE:
        raise NoteError(
            "a cosignature has another length", got=f"{len(data)} bytes", expected=f"{_SIZE} bytes"
        )
    return data


def _check_time(time: int) -> None:
    if not 0 <= time <= MAX_TIME:
        raise NoteError(
            "a cosignature has a time that does not exist",
            got=time,
            expected=f"0 to {MAX_TIME} seconds since 1970",
        )
