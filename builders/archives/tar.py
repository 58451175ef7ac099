"""Reader for tar archives: v7, ustar, GNU long names and pax headers (POSIX.1-2001).

It reads forward only, no more than a listing needs, and raises one kind of error. The standard
library's reader keeps extended headers of any size in memory and raises many kinds. Sparse members
are refused, because their stored bytes are not their content.
"""

from __future__ import annotations

from collections.abc import Iterator

from builders.archives.limits import ArchiveError, Budget, UnsupportedArchiveError
from builders.archives.member import Entry, MemberHeader, MemberKind
from builders.archives.streams import ByteReader, Slice

BLOCK = 512
_MAX_EXTENDED = 1 << 20
_ZEROS = bytes(BLOCK)
_KINDS: dict[bytes, MemberKind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "device",
    b"4": "device",
    b"5": "directory",
    b"6": "fifo",
}

Overrides = dict[str, bytes]
"""Fields from extended headers, which replace those of the member's own header."""
_FIELDS = frozenset({"path", "linkpath", "size", "mtime"})
"""What is read of extended headers; others are checked for their form and left out."""
_SPARSE = "GNU.sparse"


def looks_like_tar(head: bytes) -> bool:
    """Say whether `head` starts with a tar header that has a valid checksum."""
    return len(head) >= BLOCK and head[0] != 0 and _checksum_holds(head[:BLOCK])


def tar_entries(reader: ByteReader, budget: Budget) -> Iterator[Entry]:
    """Yield the members; raises `ArchiveError`."""
    shared: Overrides = {}
    own: Overrides = {}
    while block := reader.upto(BLOCK):
        if block == _ZEROS:
            _check_end(reader, budget)
            return
        if len(block) != BLOCK:
            got = f"{len(block)} bytes"
            raise ArchiveError("truncated archive: tar header", got=got, expected=BLOCK)
        if not _checksum_holds(block):
            expected = "a header with a valid checksum, or zeros at the end"
            raise _broken("member header", got="an invalid checksum", expected=expected)
        flag = block[156:157]
        size = _size(block[124:136])
        if flag in b"LKxg":
            budget.member()
            budget.time()
            data = _extended(reader, size)
            if flag == b"g":
                shared.update(_pax(data))
            elif flag == b"x":
                own.update(_pax(data))
            else:
                own["path" if flag == b"L" else "linkpath"] = data.split(b"\0", 1)[0]
            continue
        overrides = {**shared, **own}
        own = {}
        if flag == b"S" or _SPARSE in overrides:
            raise UnsupportedArchiveError("sparse members of a tar are not read", got="one")
        yield from _member(reader, block, overrides, size)


def _member(reader: ByteReader, block: bytes, overrides: Overrides, size: int) -> Iterator[Entry]:
    if "size" in overrides:
        size = _pax_number(overrides["size"], "size")
    header = _header(block, overrides)
    if header.kind != "file":
        # Only files have content: some readers ignore a size here, others skip that many bytes.
        if size and header.kind != "hardlink":
            got = f"{size} bytes in a {header.kind}"
            raise _broken("content in a member that cannot have any", got=got, expected=0)
        size = 0
    body = Slice(reader, size, "tar member")
    yield Entry(header=header, body=body if header.kind == "file" else None)
    body.skip()
    if padding := -size % BLOCK:
        reader.exactly(padding, "tar padding")


def _header(block: bytes, overrides: Overrides) -> MemberHeader:
    name = _string(block[:100])
    if block[257:263] == b"ustar\0" and (prefix := _string(block[345:500])):
        name = prefix + b"/" + name
    name = overrides.get("path", name)
    kind = _KINDS.get(block[156:157], "file")
    if kind == "file" and name.endswith(b"/"):
        kind = "directory"  # v7 has no type flag for directories
    target = overrides.get("linkpath", _string(block[157:257]))
    ids = f"{_field(block[108:116], 'owner')}:{_field(block[116:124], 'group')}"
    names = _string(block[265:297]) + b":" + _string(block[297:329])
    mtime = _field(block[136:148], "time")
    if "mtime" in overrides:
        mtime = _pax_number(overrides["mtime"].partition(b".")[0], "time", signed=True)
    return MemberHeader(
        path=_text(name),
        kind=kind,
        mode=_field(block[100:108], "mode"),
        mtime=mtime,
        owner=f"{ids} {_text(names)}".rstrip(" :"),
        target=_text(target) if kind in {"symlink", "hardlink"} else None,
    )


def _check_end(reader: ByteReader, budget: Budget) -> None:
    """Refuse anything but zeros after the end mark: readers disagree on what follows it."""
    for piece in reader.pieces():
        budget.time()
        if piece.count(0) != len(piece):
            raise ArchiveError(
                "bytes after the end of a tar archive", got="other bytes", expected="zeros only"
            )


def _extended(reader: ByteReader, size: int) -> bytes:
    if size > _MAX_EXTENDED:
        expected = f"at most {_MAX_EXTENDED} bytes"
        raise _broken("extended header", got=f"{size} bytes", expected=expected)
    data = reader.exactly(size, "tar extended header")
    reader.exactly(-size % BLOCK, "tar padding")
    return data


def _pax(data: bytes) -> Overrides:
    found: Overrides = {}
    at = 0
    while at < len(data) and data[at]:
        length, space, _ = data[at : at + 12].partition(b" ")
        end = at + int(length) if space and length.isdigit() else 0
        key, equals, value = data[at + len(length) + 1 : end - 1].partition(b"=")
        if end > len(data) or not equals or data[end - 1 : end] != b"\n":
            got = repr(data[at : at + 24])
            raise _broken("pax record", got=got, expected="<length> <key>=<value>")
        if key.startswith(_SPARSE.encode()):
            found[_SPARSE] = value
        elif (name := _text(key)) in _FIELDS:
            found[name] = value
        at = end
    return found


def _pax_number(text: bytes, what: str, *, signed: bool = False) -> int:
    digits = text.removeprefix(b"-") if signed else text
    if not digits.isdigit() or len(text) > 19:
        raise _broken(f"pax {what}", got=repr(text[:24]), expected="digits")
    return int(text)


def _size(raw: bytes) -> int:
    size = _field(raw, "size")
    if not 0 <= size < 1 << 63:
        raise _broken("size", got=size, expected="at least 0")
    return size


def _field(raw: bytes, what: str) -> int:
    """Read an octal field, or the base-256 form that GNU tar writes for large numbers."""
    if raw[0] == 0x80:
        return int.from_bytes(raw[1:])
    if raw[0] == 0xFF:
        return -int.from_bytes(bytes(byte ^ 0xFF for byte in raw[1:])) - 1
    value = _octal(_string(raw).strip(b" "))
    if value is None:
        raise _broken(what, got=repr(raw), expected="octal digits")
    return value


def _octal(digits: bytes) -> int | None:
    if not digits:
        return 0
    try:
        return int(digits, 8) if digits.isdigit() else None
    except ValueError:
        return None


def _checksum_holds(block: bytes) -> bool:
    digits = block[148:156].strip(b" \0")
    return bool(digits) and _octal(digits) == sum(block[:148]) + 8 * 32 + sum(block[156:])


def _string(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _broken(what: str, *, got: object, expected: object) -> ArchiveError:
    return ArchiveError(f"broken tar archive: {what}", got=got, expected=expected)
