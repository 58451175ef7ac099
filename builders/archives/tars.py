"""Tar archives: v7, ustar, GNU long names and pax headers (POSIX.1-2001), read forward only.

The standard library's reader takes extended headers of any size into memory and raises many kinds
of errors; this one reads no more than a listing needs, and raises one. Sparse members are refused:
their stored bytes are not their content, and reading them so would hide it.
"""

from __future__ import annotations

from collections.abc import Iterator

from builders.archives.limits import ArchiveError, Budget, UnsupportedArchiveError
from builders.archives.member import Entry, Facts, MemberKind
from builders.archives.streams import Part, Reader

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


def looks_like_tar(head: bytes) -> bool:
    """Say whether `head` starts with a tar header whose checksum holds."""
    return len(head) >= BLOCK and head[0] != 0 and _checksum_holds(head[:BLOCK])


def entries(reader: Reader, budget: Budget) -> Iterator[Entry]:
    """Yield the members; raises `ArchiveError`."""
    shared: dict[str, bytes] = {}
    own: dict[str, bytes] = {}
    while block := reader.upto(BLOCK):
        if block == _ZEROS:
            _check_end(reader, budget)
            return
        if len(block) != BLOCK:
            raise ArchiveError(
                "truncated archive: tar header", got=f"{len(block)} bytes", expected=BLOCK
            )
        if not _checksum_holds(block):
            raise ArchiveError(
                "broken tar archive: member header",
                got="512 bytes whose checksum does not hold",
                expected="a header, or zeros at the end",
            )
        flag = block[156:157]
        size = _size(block[124:136])
        if flag in b"LKxg":
            budget.member()
            data = _extended(reader, size)
            if flag == b"g":
                shared.update(_pax(data))
            elif flag == b"x":
                own.update(_pax(data))
            else:
                own["path" if flag == b"L" else "linkpath"] = data.split(b"\0", 1)[0]
            continue
        said = {**shared, **own}
        own = {}
        if flag == b"S" or any(key.startswith("GNU.sparse") for key in said):
            raise UnsupportedArchiveError("sparse members of a tar are not read", got="one")
        yield from _member(reader, block, said, size)


def _member(reader: Reader, block: bytes, said: dict[str, bytes], size: int) -> Iterator[Entry]:
    size = _pax_size(said, size)
    facts = _facts(block, said)
    if facts.kind != "file":
        # only files carry content; a size here is ignored by some readers and skipped by others
        if size and facts.kind != "hardlink":
            raise ArchiveError(
                "broken tar archive: content where there can be none",
                got=f"{size} bytes in a {facts.kind}",
                expected=0,
            )
        size = 0
    body = Part(reader, size, "tar member")
    yield Entry(facts=facts, body=body if facts.kind == "file" else None)
    body.skip()
    if padding := -size % BLOCK:
        reader.exactly(padding, "tar padding")


def _facts(block: bytes, said: dict[str, bytes]) -> Facts:
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0" and (prefix := block[345:500].split(b"\0", 1)[0]):
        name = prefix + b"/" + name
    name = said.get("path", name)
    kind = _KINDS.get(block[156:157], "file")
    if kind == "file" and name.endswith(b"/"):
        kind = "directory"  # v7 had no flag for it
    target = said.get("linkpath", block[157:257].split(b"\0", 1)[0])
    ids = f"{_field(block[108:116], 'owner')}:{_field(block[116:124], 'group')}"
    names = [block[start : start + 32].split(b"\0", 1)[0] for start in (265, 297)]
    return Facts(
        path=_text(name),
        kind=kind,
        mode=_field(block[100:108], "mode"),
        mtime=_pax_time(said, _field(block[136:148], "time")),
        owner=f"{ids} {_text(b':'.join(names))}".rstrip(" :"),
        target=_text(target) if kind in {"symlink", "hardlink"} else None,
    )


def _check_end(reader: Reader, budget: Budget) -> None:
    """Refuse anything but zeros after the end mark: readers disagree on what follows it."""
    for piece in reader.pieces():
        budget.time()
        if piece.count(0) != len(piece):
            raise ArchiveError(
                "bytes after the end of a tar archive", got="other bytes", expected="zeros only"
            )


def _extended(reader: Reader, size: int) -> bytes:
    if size > _MAX_EXTENDED:
        raise ArchiveError(
            "broken tar archive: extended header",
            got=f"{size} bytes",
            expected=f"at most {_MAX_EXTENDED} bytes",
        )
    data = reader.exactly(size, "tar extended header")
    reader.exactly(-size % BLOCK, "tar padding")
    return data


def _pax(data: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    at = 0
    while at < len(data) and data[at]:
        length, space, _ = data[at : at + 12].partition(b" ")
        end = at + int(length) if space and length.isdigit() else 0
        key, equals, value = data[at + len(length) + 1 : end - 1].partition(b"=")
        if end > len(data) or not equals or data[end - 1 : end] != b"\n":
            raise ArchiveError(
                "broken tar archive: pax record",
                got=repr(data[at : at + 24]),
                expected="<length> <key>=<value>",
            )
        found[_text(key)] = value
        at = end
    return found


def _pax_size(said: dict[str, bytes], size: int) -> int:
    text = said.get("size")
    if text is None:
        return size
    if not text.isdigit() or len(text) > 19:
        raise ArchiveError("broken tar archive: pax size", got=repr(text[:24]), expected="digits")
    return int(text)


def _pax_time(said: dict[str, bytes], mtime: int) -> int:
    text = said.get("mtime")
    if text is None:
        return mtime
    whole = text.partition(b".")[0]
    if not whole.removeprefix(b"-").isdigit() or len(whole) > 19:
        raise ArchiveError("broken tar archive: pax time", got=repr(text[:24]), expected="digits")
    return int(whole)


def _size(raw: bytes) -> int:
    size = _field(raw, "size")
    if not 0 <= size < 1 << 63:
        raise ArchiveError("broken tar archive: size", got=size, expected="at least 0")
    return size


def _field(raw: bytes, what: str) -> int:
    """Read an octal field, or the base-256 form that GNU tar writes for large numbers."""
    if raw[0] == 0x80:
        return int.from_bytes(raw[1:])
    if raw[0] == 0xFF:
        return -int.from_bytes(bytes(byte ^ 0xFF for byte in raw[1:])) - 1
    value = _octal(raw.split(b"\0", 1)[0].strip(b" "))
    if value is None:
        raise ArchiveError(f"broken tar archive: {what}", got=repr(raw), expected="octal digits")
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


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
