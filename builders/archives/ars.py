"""Unix `ar` archives, as ar(5) and deb(5) describe them."""

from __future__ import annotations

from collections.abc import Iterator

from builders.archives.limits import ArchiveError
from builders.archives.member import Entry, Facts
from builders.archives.streams import Part, Reader

MAGIC = b"!<arch>\n"
_HEADER = 60
_MAX_NAMES = 1 << 20


def entries(reader: Reader) -> Iterator[Entry]:
    """Yield the members; raises `ArchiveError`."""
    reader.exactly(len(MAGIC), "ar magic")
    names = b""
    while header := reader.upto(_HEADER):
        if len(header) != _HEADER or header[58:] != b"`\n":
            raise ArchiveError(
                "broken ar archive: member header",
                got=repr(header[-2:]),
                expected="60 bytes that end in a backquote and a newline",
            )
        size = _number(header[48:58], 10, "size")
        name = header[:16].rstrip(b" ")
        if name == b"//" and not names:
            if size > _MAX_NAMES:
                raise ArchiveError(
                    "broken ar archive: name table", got=f"{size} bytes", expected=_MAX_NAMES
                )
            names = reader.exactly(size, "ar name table")
        else:
            name, size = _long_name(name, size, names, reader)
            body = Part(reader, size, "ar member")
            yield Entry(facts=_facts(header, name), body=body)
            body.skip()
        if size % 2:
            reader.upto(1)


def _facts(header: bytes, name: bytes) -> Facts:
    owner = f"{_number(header[28:34], 10, 'owner')}:{_number(header[34:40], 10, 'group')}"
    return Facts(
        path=name.decode("utf-8", "backslashreplace"),
        kind="file",
        mode=_number(header[40:48], 8, "mode"),
        mtime=_number(header[16:28], 10, "time"),
        owner=owner,
    )


def _long_name(name: bytes, size: int, names: bytes, reader: Reader) -> tuple[bytes, int]:
    """Return the full name and the size of the content, for the GNU and the BSD form."""
    if name.startswith(b"#1/"):
        length = _number(name[3:], 10, "name length")
        if length > min(size, _MAX_NAMES):
            raise ArchiveError(
                "broken ar archive: name length", got=length, expected=f"at most {size}"
            )
        return reader.exactly(length, "ar name").rstrip(b"\0"), size - length
    if name.startswith(b"/") and name[1:].isdigit():
        start = int(name[1:])
        if start >= len(names):
            raise ArchiveError(
                "broken ar archive: name beyond its table",
                got=start,
                expected=f"below {len(names)}",
            )
        return names[start:].split(b"\n", 1)[0].rstrip(b"/"), size
    return (name.rstrip(b"/") or name), size


def _number(text: bytes, base: int, what: str) -> int:
    digits = text.strip(b" ") or b"0"
    if not digits.isdigit():
        raise ArchiveError(f"broken ar archive: {what}", got=repr(text), expected="digits")
    try:
        return int(digits, base)
    except ValueError as error:
        raise ArchiveError(
            f"broken ar archive: {what}", got=repr(text), expected=f"digits of base {base}"
        ) from error
