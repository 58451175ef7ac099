"""A Debian .buildinfo: the record of one build, read strictly and never trusted.

Format: deb-buildinfo(5), version 1.0, plain or clear-signed. The signature is not verified: a
record is a hint for a rebuild, and only the rebuilt bytes count. Size, characters, fields and rows
are checked here before python-debian reads them; anything that dpkg-genbuildinfo would not write is
a `UsageError`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from debian.changelog import ChangeBlock, Changelog, ChangelogParseError
from debian.deb822 import Deb822

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.core.smallfile import read_small_file
from pipelines.judge.finding import FileFact

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
_SOURCE = re.compile(rf"(?P<name>{_NAME})(?: \((?P<version>{_VERSION})\))?")
_FILE = re.compile(
    r"(?P<sha256>[0-9a-f]{64}) (?P<size>[0-9]{1,15}) (?P<name>[A-Za-z0-9][A-Za-z0-9.+~:_-]{0,254})"
)
_INSTALLED = re.compile(rf"(?P<name>{_NAME}(?::[a-z0-9-]+)?) \(= (?P<version>{_VERSION})\),?")
_SETTING = re.compile(r'(?P<name>[A-Za-z_][A-Za-z0-9_]*)="(?P<value>(?:\\"|[^"])*)"')
_PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._+~:@=,%-]+)+")


@dataclass(frozen=True, kw_only=True)
class BuildRecord:
    """The content of a .buildinfo; `sha256` is its own digest.

    - `signed`: whether it carries a signature, which is not verified.
    - `version`: that of the binary packages; in a binNMU another than that of the source.
    - `files`: those that the build left.
    - `builder`: the architecture of the build machine.
    - `installed`: versions of the installed packages, by name; foreign ones as `name:arch`.
    - `path`: the folder of the unpacked source.
    - `entry`: the lines of the changelog entry that a binNMU added; empty for any other build.
    """

    sha256: Digest
    signed: bool
    source: str
    source_version: str
    version: str
    architectures: tuple[str, ...]
    builder: str
    files: Mapping[str, FileFact]
    installed: Mapping[str, str]
    variables: Mapping[str, str]
    path: str | None = None
    entry: tuple[str, ...] = ()


def load_build_record(path: Path) -> BuildRecord:
    """Read a .buildinfo of at most `MAX_BYTES`; raises `UsageError`."""
    return read_build_record(read_small_file(path, limit=MAX_BYTES, file=str(path)), what=str(path))


def read_build_record(data: bytes, *, what: str) -> BuildRecord:
    """Read a .buildinfo; `what` names it in messages. Raises `UsageError`."""
    reader = _Reader(data, what)
    form, path = reader.field("Format"), reader.optional("Build-Path")
    reader.require(form == _FORMAT, f"Format: {form[:40]}", f"Format: {_FORMAT}")
    source = reader.match(_SOURCE, reader.field("Source"), "Source: name, or name (version)")
    version = reader.match(re.compile(_VERSION), reader.field("Version"), "one version")[0]
    if path is not None:
        got = f"Build-Path: {path[:80]!a}"
        reader.require(_PATH.fullmatch(path), got, "an absolute path of plain names")
    files = reader.rows("Checksums-Sha256", _FILE, "a SHA-256, a size and a plain file name")
    wanted = "name (= version), for each installed package"
    installed = reader.rows("Installed-Build-Depends", _INSTALLED, wanted)
    variables = reader.rows("Environment", _SETTING, 'NAME="value", for each variable')
    reader.require(files, "no Checksums-Sha256", "a .buildinfo file")
    reader.require(installed, "no Installed-Build-Depends", "a .buildinfo file")
    reader.check_unique(row["name"] for row in files)
    reader.check_unique(name for name, _ in {(row["name"], row["version"]) for row in installed})
    reader.check_unique(row["name"] for row in variables)
    return BuildRecord(
        sha256=Digest.of(data),
        signed=reader.signed,
        source=source["name"],
        source_version=source["version"] or version,
        version=version,
        architectures=tuple(reader.field("Architecture").split()),
        builder=reader.field("Build-Architecture"),
        files={
            row["name"]: FileFact(size=int(row["size"]), sha256=Digest(row["sha256"]))
            for row in files
        },
        installed={row["name"]: row["version"] for row in installed},
        variables={row["name"]: row["value"].replace('\\"', '"') for row in variables},
        path=path,
        entry=reader.entry(),
    )


def changelog_entry(lines: tuple[str, ...]) -> ChangeBlock:
    """Read the lines of one changelog entry; raises `ValueError`."""
    try:
        blocks = list(Changelog("\n".join(lines), strict=True))
    except ChangelogParseError as error:
        raise ValueError(error) from error
    if len(blocks) != 1:
        message = f"{len(blocks)} entries"
        raise ValueError(message)
    return blocks[0]


class _Reader:
    """The fields of the one paragraph of a file, each of them once."""

    def __init__(self, data: bytes, what: str) -> None:
        self._what = what
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            self.refuse("bytes that are not UTF-8 text", "text")
        odd = next((c for c in text if not (c.isprintable() or c == "\n")), None)
        self.require(odd is None, f"the character {odd!a}", "printable text")
        lines = text.rstrip("\n").split("\n")
        self.signed = lines[0] == _BEGIN
        if self.signed:
            lines = self._signed_text(lines)
        names = list[str]()
        for number, line in enumerate(lines, start=1):
            if match := _FIELD.fullmatch(line):
                names.append(match[1].lower())
            elif not (names and _MORE.fullmatch(line)):
                got = f"{line[:60]!a} in line {number} of its text"
                self.refuse(got, "one paragraph of fields")
        self.check_unique(names)
        self._fields = Deb822(lines)

    def field(self, name: str) -> str:
        """Return the value of a field of one line."""
        value = self.optional(name)
        if value is None:
            self.refuse(f"no field {name}", "a .buildinfo file")
        return value

    def optional(self, name: str) -> str | None:
        """Return the value of a field of one line; None when it is not there."""
        if name not in self._fields:
            return None
        value = str(self._fields[name])
        self.require(value and "\n" not in value, f"{name}: {value[:60]!a}", "one line of text")
        return value

    def rows(self, name: str, pattern: re.Pattern[str], expected: str) -> list[re.Match[str]]:
        """Return the lines of a field as matches of `pattern`; none when it is not there."""
        return [self.match(pattern, line, expected) for line in self._lines(name)]

    def entry(self) -> tuple[str, ...]:
        """Return the lines of the changelog entry; none when there is none."""
        lines = tuple("" if line == "." else line for line in self._lines("Binary-Only-Changes"))
        try:
            if lines:
                changelog_entry(lines)
        except ValueError:
            self.refuse(f"Binary-Only-Changes: {lines[0][:60]!a}", "one changelog entry")
        return lines

    def match(self, pattern: re.Pattern[str], text: str, expected: str) -> re.Match[str]:
        """Return the match of `pattern` with all of `text`."""
        match = pattern.fullmatch(text)
        if match is None:
            self.refuse(f"{text[:80]!a}", expected)
        return match

    def check_unique(self, names: Iterable[str]) -> None:
        """Refuse a name that is there twice."""
        name, count = next(iter(Counter(names).most_common(1)), ("", 0))
        self.require(count < 2, f"{name} twice", "each name once")

    def require(self, holds: object, got: str, expected: str) -> None:
        """Refuse the file unless a condition holds."""
        if not holds:
            self.refuse(got, expected)

    def refuse(self, got: str, expected: str) -> NoReturn:
        """Raise the error for this file."""
        raise UsageError(
            f"{self._what} is not a .buildinfo that can be used",
            got=got,
            expected=expected,
            todo="Give the file as dpkg-genbuildinfo wrote it",
        )

    def _signed_text(self, lines: list[str]) -> list[str]:
        """Return the lines of a clear-signed text (RFC 9580, section 7)."""
        ends = [number for number, line in enumerate(lines) if line == _SIGNATURE]
        framed = len(ends) == 1 and lines[-1] == _END and "" in lines[: ends[0]]
        self.require(framed, "a broken signature frame", "one signed text")
        start = lines.index("")
        odd = next((line for line in lines[1:start] if not _HASH.fullmatch(line)), None)
        self.require(odd is None, f"{str(odd)[:60]!a} above the signed text", "Hash: alone")
        return "\n".join(lines[start + 1 : ends[0]]).rstrip("\n").split("\n")

    def _lines(self, name: str) -> list[str]:
        """Return the lines of a field, without the space in front."""
        first, *more = str(self._fields.get(name, "")).split("\n")
        got = f"{len(more) + 1} lines of {name}"
        self.require(len(more) < _MAX_ROWS, got, f"at most {_MAX_ROWS}")
        return [*([first] if first else []), *(line[1:] for line in more)]
