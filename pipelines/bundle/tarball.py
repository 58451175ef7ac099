"""An uncompressed tar in a single form: the same members always give the same bytes.

Format: ustar (POSIX.1-1988), regular files only, mode 0644, no owner, no time, two empty blocks at
the end and nothing after them. A tar, because every system has the tool, it is read front to back,
and there is one list of members; a zip has two, which can disagree. Reading accepts what writing
would have written and nothing else, so that no byte of a bundle goes unchecked.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.evidence.errors import MalformedError
from pipelines.evidence.strictjson import malformed

BLOCK = 512
MAX_MEMBERS = 25_000
MAX_NAME = 100
_WHAT = "the bundle"
_END = bytes(2 * BLOCK)
_MAX_SIZE = 8**11


def write_tar(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the tar of `members` in their order; raises ValueError for an impossible name."""
    parts = []
    for name, data in members:
        parts += [_header(name, len(data)), data, bytes(-len(data) % BLOCK)]
    return b"".join([*parts, _END])


def read_tar(data: bytes) -> list[tuple[str, bytes]]:
    """Return the members of a tar that `write_tar` could have written; raises `MalformedError`."""
    found: list[tuple[str, bytes]] = []
    offset = 0
    while data[offset : offset + BLOCK].strip(b"\0"):
        if len(found) == MAX_MEMBERS:
            raise malformed(_WHAT, got="more", expected=f"at most {MAX_MEMBERS} members")
        name, size = _read_header(data[offset : offset + BLOCK], offset)
        start, end = offset + BLOCK, offset + BLOCK + size
        offset = end + -size % BLOCK
        if offset > len(data):
            raise malformed(
                _WHAT, got=f"its end within {name}", expected=f"{offset} bytes up to there"
            )
        if any(data[end:offset]):
            raise malformed(_WHAT, got=f"bytes behind the end of {name}", expected="zeros")
        found.append((name, data[start:end]))
    if data[offset:] != _END:
        raise malformed(
            _WHAT,
            got=f"something else at byte {offset}",
            expected="two empty blocks, and the end of the file",
        )
    return found


def _header(name: str, size: int) -> bytes:
    raw = name.encode("ascii")
    if not 0 < len(raw) <= MAX_NAME or not 0 <= size < _MAX_SIZE:
        raise ValueError(f"cannot be a member of a bundle: {name!r}, {size} bytes")
    header = b"".join(
        (
            raw.ljust(100, b"\0"),
            b"0000644\0" + b"0000000\0" * 2,  # mode, user, group
            b"%011o\0" % size,
            b"%011o\0" % 0,  # time
            b" " * 8,  # the checksum, as it is counted
            b"0".ljust(101, b"\0"),  # a regular file, no link
            b"ustar\x0000".ljust(BLOCK - 257, b"\0"),
        )
    )
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _read_header(block: bytes, offset: int) -> tuple[str, int]:
    try:
        name = block[:MAX_NAME].rstrip(b"\0").decode("ascii")
        size = int(block[124:135], 8)
        same = name.isprintable() and _header(name, size) == block
    except ValueError as error:  # no ASCII, no number, no name
        raise _odd_header(offset) from error
    if not same:
        raise _odd_header(offset)
    return name, size


def _odd_header(offset: int) -> MalformedError:
    return malformed(
        _WHAT,
        got=f"another header at byte {offset}",
        expected="a regular file in plain ustar: mode 0644, no owner, no time",
    )
