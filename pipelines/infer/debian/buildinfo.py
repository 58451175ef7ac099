"""A Debian .buildinfo: what somebody recorded of one build, read strictly and believed nowhere.

Format: deb-buildinfo(5), version 1.0, plain or clear-signed. The signature is not verified: a
record is a hint for a rebuild, and only the rebuilt bytes count. Whatever in it is not as
dpkg-genbuildinfo writes it is one `UsageError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from debian.deb822 import Deb822

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.core.smallfile import read_small_file

MAX_BYTES = 1 << 20
_MAX_ROWS = 10_000
_FORMAT = "1.0"
_BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_END = "-----END PGP SIGNATURE-----"
_HASH = re.compile(r"Hash: [A-Za-z0-9, -]{1,100}")
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*):(?: .*)?")
_MORE = re.compile(r" .+")
_VERSION = r"[A-Za-z0-9][A-Za-z0-9.+~:-]{0,127}"
_NAME = r"[a-z0-9][a-z0-9+.-]{1,127}"
_SOURCE = re.compile(rf"({_NAME})(?: \(({_VERSION})\))?")
_FILE = re.compile(r"([0-9a-f]{64}) ([0-9]{1,15}) ([A-Za-z0-9][A-Za-z0-9.+~:_-]{0,254})")
_INSTALLED = re.compile(rf"({_NAME}(?::[a-z0-9-]+)?) \(= ({_VERSION})\),?")
_SETTING = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:\\"|[^"])*)"')
_PATH = re.compile(r"(?:/[A-Za-z0-9._+~:@=,%-]+)+")
_ENTRY_HEAD = re.compile(rf"({_NAME}) \(({_VERSION})\) [A-Za-z0-9 -]+; [a-z]+=[a-z, =-]+")
_ENTRY_END = re.compile(r" -- [^<>]+ <[^<> ]+>  (\S.*)")


@dataclass(frozen=True, kw_only=True)
class RecordedFile:
    """One file that the build left; `size` in bytes."""

    size: int
    sha256: Digest


@dataclass(frozen=True, kw_only=True)
class BuildRecord:
    """What a .buildinfo says; `sha256` is its own digest."""

    sha256: Digest
    signed: bool
    """Whether it carries a signature, which nobody has checked."""
    source: str
    source_version: str
    version: str
    """That of the binary packages: of a rebuild without new source, another than the source's."""
    architectures: tuple[str, ...]
    builder: str
    """The architecture of the machine that built."""
    files: Mapping[str, RecordedFile]
    installed: Mapping[str, str]
    """Versions of what was installed to build with, by name; foreign ones as `name:arch`."""
    variables: Mapping[str, str]
    path: str | None = None
    """The folder of the unpacked source."""
    entry: tuple[str, ...] = ()
    """The lines of the changelog entry that such a rebuild added; empty for any other build."""


def load_build_record(path: Path) -> BuildRecord:
    """Read a .buildinfo of at most `MAX_BYTES`; raises `UsageError`."""
    return read_build_record(read_small_file(path, limit=MAX_BYTES, file=str(path)), what=str(path))


def read_build_record(data: bytes, *, what: str) -> BuildRecord:
    """Read a .buildinfo; `what` names it in messages. Raises `UsageError`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(what, got="bytes that are no UTF-8 text", expected="text") from error
    if odd := next((c for c in text if not (c.isprintable() or c == "\n")), None):
        raise _refused(what, got=f"the character {odd!a}", expected="printable text")
    signed, lines = _payload(text, what)
    fields = _Fields(lines, what)
    if (form := fields.one("Format")) != _FORMAT:
        raise _refused(what, got=f"Format: {form[:40]}", expected=f"Format: {_FORMAT}")
    source = _matched(_SOURCE, fields.one("Source"), what, "Source: name, or name (version)")
    version = _matched(re.compile(_VERSION), fields.one("Version"), what, "one version")[0]
    path = fields.maybe("Build-Path")
    if path is not None and not _clean(path):
        raise _refused(
            what, got=f"Build-Path: {path[:80]!a}", expected="an absolute path of plain names"
        )
    return BuildRecord(
        sha256=Digest.of(data),
        signed=signed,
        source=source[1],
        source_version=source[2] or version,
        version=version,
        architectures=tuple(fields.one("Architecture").split()),
        builder=fields.one("Build-Architecture"),
        files=_files(fields, what),
        installed=_installed(fields, what),
        variables=_variables(fields, what),
        path=path,
        entry=_entry(fields, what),
    )


class _Fields:
    """The fields of the one paragraph of a file, each of them once."""

    def __init__(self, lines: list[str], what: str) -> None:
        seen = set[str]()
        for number, line in enumerate(lines, start=1):
            if match := _FIELD.fullmatch(line):
                if match[1].lower() in seen:
                    raise _refused(what, got=f"{match[1]} twice", expected="each field once")
                seen.add(match[1].lower())
            elif not (seen and _MORE.fullmatch(line)):
                raise _refused(
                    what,
                    got=f"{line[:60]!a} in line {number} of its text",
                    expected="one paragraph of fields",
                )
        self._what, self._found = what, Deb822(lines)

    def one(self, name: str) -> str:
        value = self.maybe(name)
        if value is None:
            raise _refused(self._what, got=f"no field {name}", expected="a .buildinfo file")
        return value

    def maybe(self, name: str) -> str | None:
        """Return the value of a field of one line; None when it is not there."""
        if name not in self._found:
            return None
        value = str(self._found[name])
        if not value or "\n" in value:
            raise _refused(self._what, got=f"{name}: {value[:60]!a}", expected="one line of text")
        return value

    def rows(self, name: str) -> list[str]:
        """Return the lines of a field, without the space in front; empty when it is not there."""
        found = str(self._found.get(name, "")).split("\n")
        if len(found) > _MAX_ROWS:
            raise _refused(
                self._what, got=f"{len(found)} lines of {name}", expected=f"at most {_MAX_ROWS}"
            )
        return [found[0], *(line[1:] for line in found[1:])][0 if found[0] else 1 :]


def _payload(text: str, what: str) -> tuple[bool, list[str]]:
    """Return whether a file is clear-signed, and the lines of its text (RFC 9580, section 7)."""
    lines = text.rstrip("\n").split("\n")
    if lines[0] != _BEGIN:
        return False, lines
    ends = [number for number, line in enumerate(lines) if line == _SIGNATURE]
    if len(ends) != 1 or lines[-1] != _END or "" not in lines[: ends[0]]:
        raise _refused(what, got="a broken frame of a signature", expected="one signed text")
    start = lines.index("")
    if odd := next((line for line in lines[1:start] if not _HASH.fullmatch(line)), None):
        raise _refused(what, got=f"{odd[:60]!a} above the signed text", expected="Hash: alone")
    inner = lines[start + 1 : ends[0]]
    while inner and not inner[-1]:
        inner.pop()
    return True, inner


def _files(fields: _Fields, what: str) -> dict[str, RecordedFile]:
    found = dict[str, RecordedFile]()
    for row in fields.rows("Checksums-Sha256"):
        match = _matched(_FILE, row, what, "a SHA-256, a size and a plain file name")
        if match[3] in found:
            raise _refused(what, got=f"{match[3]} twice", expected="each file once")
        found[match[3]] = RecordedFile(size=int(match[2]), sha256=Digest(match[1]))
    if not found:
        raise _refused(what, got="no Checksums-Sha256", expected="a SHA-256 for each file")
    return found


def _installed(fields: _Fields, what: str) -> dict[str, str]:
    found = dict[str, str]()
    for row in fields.rows("Installed-Build-Depends"):
        match = _matched(_INSTALLED, row, what, "name (= version), for each installed package")
        if found.setdefault(match[1], match[2]) != match[2]:
            raise _refused(what, got=f"{match[1]} in two versions", expected="each package once")
    if not found:
        raise _refused(what, got="no Installed-Build-Depends", expected="a .buildinfo file")
    return found


def _variables(fields: _Fields, what: str) -> dict[str, str]:
    found = dict[str, str]()
    for row in fields.rows("Environment"):
        match = _matched(_SETTING, row, what, 'NAME="value", for each variable')
        if match[1] in found:
            raise _refused(what, got=f"{match[1]} twice", expected="each variable once")
        found[match[1]] = match[2].replace('\\"', '"')
    return found


def _entry(fields: _Fields, what: str) -> tuple[str, ...]:
    rows = ["" if row == "." else row for row in fields.rows("Binary-Only-Changes")]
    if not rows:
        return ()
    end = _ENTRY_END.fullmatch(rows[-1])
    whole = _ENTRY_HEAD.fullmatch(rows[0]) and end and _is_date(end[1])
    if not whole or any(row and not row.startswith("  ") for row in rows[1:-1]):
        raise _refused(
            what, got=f"Binary-Only-Changes: {rows[0][:60]!a}", expected="one changelog entry"
        )
    return tuple(rows)


def _clean(path: str) -> bool:
    return bool(_PATH.fullmatch(path)) and not {".", ".."} & {*path.split("/")}


def _is_date(text: str) -> bool:
    try:
        return bool(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return False


def _matched(pattern: re.Pattern[str], text: str, what: str, expected: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise _refused(what, got=f"{text[:80]!a}", expected=expected)
    return match


def _refused(what: str, *, got: object, expected: object) -> UsageError:
    return UsageError(
        f"{what} is not a .buildinfo that can be used",
        got=got,
        expected=expected,
        todo="Give the file as dpkg-genbuildinfo wrote it",
    )
