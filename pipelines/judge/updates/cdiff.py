"""ClamAV's deltas of databases (.cdiff): a script that edits members line by line, in gzip.

A database has no canonical bytes once it is edited, so its members are what is judged: names, sizes
and digests. The member .info that the script leaves lists all others, and has to be right.

ClamAV itself takes a line to be the one that is meant if it begins with the word in the script,
takes the last of two edits of one line, and only logs that the script is not as long as said. Here
a word has to be what `sigtool --diff` writes for the line, and the rest is refused.
Sources: libclamav_rust/src/cdiff.rs, sigtool/sigtool.c (`compare`, `diffdirs`) of ClamAV.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from pipelines.judge.signatures.cvd import database_header, database_members, info_lines
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault
from pipelines.judge.updates.delta_format import DeltaFormat, DeltaLimits
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_MAX_SCRIPT = 64 << 20
_MAX_DATABASE = 256 << 20
"""Bytes of all members: they are held in memory."""
_HEADER = re.compile(rb"ClamAV-Diff:(\d{1,10}):(\d{1,10}):")
_SIGNATURE = re.compile(rb":[A-Za-z0-9+/]{1,350}")
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._]{0,98}")
_WORD = 16
"""Bytes of the first word of a line that `sigtool` writes at most."""
_COPYING = b"COPYING"


def apply(base: BinaryIO, delta: BinaryIO, out: BinaryIO, limits: DeltaLimits) -> None:
    """Write the list of members that a database has once a delta is applied to it."""
    version, script = read_cdiff(delta)
    before, members = _database(base)
    if before + 1 != version:
        what = f"a delta to version {version}, and the base has version {before}"
        raise UpdateError(UpdateFault.WRONG_BASE, what)
    editor = _Editor(members)
    editor.run(script)
    _check_info(members, version)
    _write(((name, len(data), _sha256(data)) for name, data in members.items()), out, limits)


def members(target: BinaryIO, out: BinaryIO, limits: DeltaLimits) -> None:
    """Write the list of members of a full database."""
    try:
        found = [(one.name, one.size, one.sha256.hex()) for one in database_members(target)]
    except BadSignatureError as error:
        raise _no_database(error) from error
    _write(found, out, limits)


def read_cdiff(file: BinaryIO) -> tuple[int, bytes]:
    """Return the version that a delta leads to, and its script; raises `UpdateError`."""
    file.seek(0)
    data = file.read(_MAX_SCRIPT)
    header = _HEADER.match(data)
    if header is None:
        raise _unreadable("no header of a cdiff")
    length = int(header[2])
    if length > _MAX_SCRIPT:
        raise UpdateError(UpdateFault.UNBOUNDED, f"a script of {length} bytes")
    stream = zlib.decompressobj(31)
    try:
        script = stream.decompress(data[header.end() :], length + 1)
    except zlib.error as error:
        raise _unreadable(f"a broken gzip: {error}") from error
    if len(script) != length:
        said = f"a script of more or less than the {length} bytes that the header says"
        raise UpdateError(UpdateFault.LENGTH, said)
    if not stream.eof:
        raise _unreadable("a gzip that ends early")
    if stream.unused_data and not _SIGNATURE.fullmatch(stream.unused_data):
        raise UpdateError(UpdateFault.LEFT_OVER, "bytes after the gzip that are no signature")
    return int(header[1]), script


@dataclass
class _Editor:
    """Runs a script over members, by name."""

    members: dict[bytes, bytes]
    opened: bytes | None = None
    edits: dict[int, tuple[bytes, bytes | None]] = field(default_factory=dict)
    """By the number of a line: the word it begins with, and what replaces it."""
    added: list[bytes] = field(default_factory=list)

    def run(self, script: bytes) -> None:
        commands: dict[bytes, Callable[[bytes], None]] = {
            b"OPEN": self._open,
            b"ADD": self._add,
            b"DEL": self._delete,
            b"XCHG": self._exchange,
            b"MOVE": self._move,
            b"CLOSE": self._close,
            b"UNLINK": self._unlink,
        }
        if script and not script.endswith(b"\n"):
            raise _unreadable("a script whose last line has no end")
        for line in script.split(b"\n")[:-1]:
            if line.startswith(b"#"):
                continue
            command, space, rest = line.partition(b" ")
            run = commands.get(command)
            if run is None or bool(space) is (command == b"CLOSE"):
                raise _unreadable(f"no command: {line[:80]!a}")
            run(rest)
        if self.opened is not None:
            raise _unreadable(f"a script that does not close {self.opened!a}")

    def _open(self, rest: bytes) -> None:
        self._closed("OPEN")
        self.opened = _name(rest)

    def _add(self, rest: bytes) -> None:
        self._open_member("ADD")
        self.added.append(rest)

    def _delete(self, rest: bytes) -> None:
        number, _, word = rest.partition(b" ")
        self._edit(number, word, None)

    def _exchange(self, rest: bytes) -> None:
        number, _, words = rest.partition(b" ")
        word, space, line = words.partition(b" ")
        if not space:
            raise _unreadable("an exchange without a new line")
        self._edit(number, word, line)

    def _edit(self, number: bytes, word: bytes, line: bytes | None) -> None:
        name, at = self._open_member("DEL or XCHG"), _number(number)
        if at in self.edits:
            what = f"two edits of line {at} of {name!a}"
            raise UpdateError(UpdateFault.DUPLICATE_LINE, what)
        if self.edits and at < next(reversed(self.edits)):
            raise UpdateError(UpdateFault.ORDER, f"line {at} of {name!a} is edited after a later")
        self.edits[at] = word, line

    def _close(self, _: bytes) -> None:
        name = self._open_member("CLOSE")
        data = self.members.get(name, b"")
        if self.edits:
            data = b"".join(self._edited(name, data))
        if self.added:
            if data and not data.endswith(b"\n"):
                raise UpdateError(UpdateFault.AMBIGUOUS_EDIT, f"lines after {name!a}, in its last")
            self.members[name] = data + b"".join(line + b"\n" for line in self.added)
        elif self.edits:
            self.members[name] = data
        self.opened, self.edits, self.added = None, {}, []

    def _edited(self, name: bytes, data: bytes) -> Iterator[bytes]:
        left = dict(self.edits)
        for number, line in enumerate(_lines(name, data), 1):
            edit = left.pop(number, None)
            if edit is None:
                yield line + b"\n"
                continue
            _check_word(edit[0], line, name, number)
            if edit[1] is not None:
                yield edit[1] + b"\n"
        if left:
            raise _wrong_base(f"{name!a} has no line {min(left)}")

    def _move(self, rest: bytes) -> None:
        self._closed("MOVE")
        words = rest.split(b" ")
        if len(words) != 6:
            raise _unreadable("a move that is not of one range of lines")
        source, to = _name(words[0]), _name(words[1])
        first, last = _number(words[2]), _number(words[4])
        if source == to or source not in self.members or to not in self.members:
            raise _wrong_base(f"lines moved from {source!a} to {to!a}")
        lines = list(_lines(source, self.members[source]))
        if not first < last <= len(lines):
            raise _wrong_base(f"{source!a} has no lines {first} to {last}")
        _check_word(words[3], lines[first - 1], source, first)
        _check_word(words[5], lines[last - 1], source, last)
        moved, kept = lines[first - 1 : last], lines[: first - 1] + lines[last:]
        list(_lines(to, self.members[to]))
        self.members[to] += b"".join(line + b"\n" for line in moved)
        self.members[source] = b"".join(line + b"\n" for line in kept)

    def _unlink(self, rest: bytes) -> None:
        self._closed("UNLINK")
        if self.members.pop(_name(rest), None) is None:
            raise _wrong_base(f"no member {rest!a:.100} to remove")

    def _closed(self, command: str) -> None:
        if self.opened is not None:
            raise UpdateError(UpdateFault.ORDER, f"{command} while {self.opened!a} is open")

    def _open_member(self, command: str) -> bytes:
        if self.opened is None:
            raise UpdateError(UpdateFault.ORDER, f"{command} while no member is open")
        return self.opened


def _check_word(word: bytes, line: bytes, name: bytes, number: int) -> None:
    """Require the first word of a line, or as much of it as `sigtool` writes."""
    first = line.partition(b" ")[0]
    if word and word in {first, first[:_WORD]}:
        return
    if line.startswith(word):
        what = f"line {number} of {name!a} is named by {word!a:.50}, which others may begin with"
        raise UpdateError(UpdateFault.AMBIGUOUS_EDIT, what)
    raise _wrong_base(f"line {number} of {name!a} is another")


def _lines(name: bytes, data: bytes) -> list[bytes]:
    """Return the lines of a member; raises `UpdateError` where the last has no end."""
    if data and not data.endswith(b"\n"):
        raise UpdateError(UpdateFault.AMBIGUOUS_EDIT, f"the last line of {name!a} has no end")
    return data.split(b"\n")[:-1]


def _name(rest: bytes) -> bytes:
    if not _NAME.fullmatch(rest):
        raise _unreadable(f"no name of a member: {rest[:100]!a}")
    return rest


def _number(text: bytes) -> int:
    if not re.fullmatch(rb"[1-9][0-9]{0,9}", text):
        raise _unreadable(f"no number of a line: {text[:20]!a}")
    return int(text)


def _database(file: BinaryIO) -> tuple[int, dict[bytes, bytes]]:
    """Return the version of a database, and its members by name; raises `UpdateError`."""
    found: dict[bytes, bytes] = {}
    try:
        version = int(database_header(file, "base")["version"])
        left = _MAX_DATABASE
        for one in database_members(file, keep=_MAX_DATABASE):
            left -= one.size
            if left < 0 or one.name in found:
                raise _unreadable("a base with a member twice, or with too much in them")
            found[one.name] = one.content
    except BadSignatureError as error:
        raise _no_database(error) from error
    return version, found


def _check_info(members: dict[bytes, bytes], version: int) -> None:
    """Require that the one member .info is of a version, and lists the others as they are."""
    infos = [name for name in members if name.endswith(b".info")]
    if len(infos) != 1:
        raise UpdateError(UpdateFault.CHECKSUM, f"{len(infos)} members .info are left")
    try:
        said, listed = info_lines(members[infos[0]])
    except BadSignatureError as error:
        raise _no_database(error) from error
    if said != version:
        what = f"the .info that is left is of version {said}, expected {version}"
        raise UpdateError(UpdateFault.CHECKSUM, what)
    held = {
        (name, len(data), hashlib.sha256(data).digest())
        for name, data in members.items()
        if name not in {_COPYING, infos[0]}
    }
    if set(listed) != held or len(listed) != len(held):
        names = sorted({one[0] for one in set(listed) ^ held})
        what = f"the .info that is left does not list the members that are: {names[:3]!a}"
        raise UpdateError(UpdateFault.CHECKSUM, what)


def _write(
    found: Iterator[tuple[bytes, int, str]] | list[tuple[bytes, int, str]],
    out: BinaryIO,
    limits: DeltaLimits,
) -> None:
    """Write name, size and SHA-256 of each member, in the order of names."""
    text = b"".join(b"%s %d %s\n" % (name, size, of.encode()) for name, size, of in sorted(found))
    if len(text) > limits.size:
        raise UpdateError(UpdateFault.UNBOUNDED, f"a list of {len(text)} bytes")
    out.write(text)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _no_database(error: BadSignatureError) -> UpdateError:
    if error.refused.fault is SignatureFault.WEAK_DIGEST:
        return UpdateError(UpdateFault.WEAK_SIGNATURE, error.refused.detail)
    return _unreadable(f"no database of ClamAV: {error.refused.detail}")


def _wrong_base(detail: str) -> UpdateError:
    return UpdateError(UpdateFault.WRONG_BASE, detail)


def _unreadable(detail: str) -> UpdateError:
    return UpdateError(UpdateFault.UNREADABLE, detail)


CDIFF = DeltaFormat(apply=apply, members=members)
