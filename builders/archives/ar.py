"""Reader for Unix `ar` archives; formats: ar(5) and deb(5)."""

from __future__ import annotations

from collections.abc import Iterator

from builders.archives.limits import ArchiveError
from builders.archives.member import Entry, MemberHeader
from builders.archives.streams import ByteReader, Slice

MAGIC = b"!<arch>\n"
_HEADER = 60
_MAX_NAMES = 1 << 20


def ar_entries(reader: ByteReader) -> Iterator[Entry]:
    """Yield the members; raises `ArchiveError`."""
    reader.exactly(len(MAGIC), "ar magic")
    names = b""
    while header := reader.upto(_HEADER):
        if len(header) != _HEADER or header[58:] != b"`\n":
            expected = "60 bytes that end in a backquote and a newline"
            raise _broken("member header", got=repr(header[-2:]), expected=expected)
        size = _number(header[48:58], 10, "size")
        name = header[:16].rstrip(b" ")
        if name == b"//" and not names:
            if size > _MAX_NAMES:
                raise _broken("name table", got=f"{size} bytes", expected=_MAX_NAMES)
            names = reader.exactly(size, "ar name table")
        else:
            name, size = _long_name(name, size, names, reader)
            body = Slice(reader, size, "ar member")
            yield Entry(header=_member_header(header, name), body=body)
            body.skip()
        if size % 2:
            reader.upto(1)


def _member_header(header: bytes, name: bytes) -> MemberHeader:
    owner = f"{_number(header[28:34], 10, 'owner')}:{_number(header[34:40], 10, 'group')}"
    return MemberHeader(
        path=name.decode("utf-8", "backslashreplace"),
        kind="file",
        mode=_number(header[40:48], 8, "mode"),
        mtime=_number(header[16:28], 10, "time"),
        owner=owner,
    )


def _long_name(name: bytes, size: int, names: bytes, reader: ByteReader) -> tuple[bytes, int]:
    """Return the full name (in GNU or BSD form) and the size of the content."""
    if name.startswith(b"#1/"):
        length = _number(name[3:], 10, "name length")
        if length > min(size, _MAX_NAMES):
            raise _broken("name length", got=length, expected=f"at most {size}")
        return reader.exactly(length, "ar name").rstrip(b"\0"), size - length
    if name.startswith(b"/") and name[1:].isdigit():
        start = int(name[1:])
        if start >= len(names):
            raise _broken("name outside the table", got=start, expected=f"below {len(names)}")
        return names[start:].split(b"\n", 1)[0].rstrip(b"/"), size
    return (name.rstrip(b"/") or name), size


def _number(text: bytes, base: int, what: str) -> int:
    digits = text.strip(b" ") or b"0"
    try:
        if digits.isdigit():
            return int(digits, base)
    except ValueError:
        pass
    raise _broken(what, got=repr(text), expected=f"digits of base {base}")


def _broken(what: str, *, got: object, expected: object) -> ArchiveError:
    return ArchiveError(f"broken ar archive: {what}", got=got, expected=expected)
