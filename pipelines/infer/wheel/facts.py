"""What a wheel and its source distribution show of the build: files, times, modes and metadata.

Only typed scalars leave this module for a rebuild, which never sees a member of the shipped file.
Both archives are read with our own bounded readers, and nothing is unpacked on this machine.
"""

from __future__ import annotations

import base64
import csv
import io
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from builders.archives import ArchiveLimits, Member
from builders.core.digest import Digest
from builders.core.errors import InputMismatchError
from builders.inputs.source_archive import read_archive
from pipelines.infer.archive import LIMITS, read_members, read_texts

MAX_TEXT = 4 << 20
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_MAX_PYPROJECT = 1 << 20
_PYPROJECT = "pyproject.toml"


@dataclass(frozen=True, kw_only=True)
class WheelFacts:
    """One wheel. Times are those of a zip, read as UTC.

    - `members`: of the wheel itself, in its order; nested archives are single files.
    - `dist_info`: the folder, without a slash.
    - `texts`: the content of the files of `.dist-info`, by the path below it; large ones are left
      out.
    - `record_faults`: what RECORD states wrongly of the members.
    """

    name: str
    members: tuple[Member, ...]
    dist_info: str
    texts: Mapping[str, bytes]
    record_faults: tuple[str, ...]

    @property
    def generator(self) -> str:
        """Return the `Generator:` line of WHEEL."""
        return str(headers(self.texts["WHEEL"]).get("Generator", "")).strip()

    @property
    def newest(self) -> int:
        """Return the time of the newest member."""
        return max((m.mtime or 0 for m in self.files()), default=0)

    def files(self) -> tuple[Member, ...]:
        """Return the members that are files."""
        return tuple(member for member in self.members if member.kind == "file")

    def generated(self) -> tuple[Member, ...]:
        """Return the files that every backend writes itself."""
        own = {f"{self.dist_info}/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
        return tuple(member for member in self.files() if member.path in own)

    def short(self, member: Member) -> str:
        """Return the path of a file below `.dist-info`, or its whole path."""
        return member.path.removeprefix(f"{self.dist_info}/")


def read_wheel(path: Path, name: str) -> WheelFacts:
    """Read the facts of the wheel at `path`; raises `InputMismatchError` for anything else."""
    found = tuple(m for m in read_members(path, what=name) if m.inside == "")
    tops = {m.path.partition("/")[0] for m in found}
    folders = {top for top in tops if top.endswith(".dist-info")}
    if len(folders) != 1:
        raise InputMismatchError(
            f"{name} is not a wheel", got=f"{len(folders)} folders .dist-info", expected="one"
        )
    prefix = f"{folders.pop()}/"
    texts = read_texts(path, lambda p: p.startswith(prefix), most=MAX_TEXT, what=name)
    texts = {path.removeprefix(prefix): data for path, data in texts.items()}
    if missing := [n for n in ("WHEEL", "METADATA", "RECORD") if n not in texts]:
        raise InputMismatchError(
            f"{name} is not a wheel", got=f"no {missing[0]} of readable size", expected="one"
        )
    return WheelFacts(
        name=name,
        members=found,
        dist_info=prefix.rstrip("/"),
        texts=texts,
        record_faults=tuple(_record_faults(texts["RECORD"], found, prefix)),
    )


def headers(text: bytes) -> Message:
    """Read the headers of METADATA or WHEEL."""
    return HeaderParser().parsestr(text.decode("utf-8", "replace"))


def record_rows(text: bytes) -> list[list[str]]:
    """Return the rows of a RECORD; raises `csv.Error`."""
    rows = csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline=""))
    return [row for row in rows if row]


def record_paths(text: bytes) -> list[str]:
    """Return the paths of a RECORD in their order; none of one that cannot be read."""
    try:
        return [row[0] for row in record_rows(text)]
    except csv.Error:
        return []


def _record_faults(text: bytes, found: tuple[Member, ...], prefix: str) -> list[str]:
    """Compare RECORD with the members, by the wheel specification (PEP 427)."""
    try:
        rows = {row[0]: (row[1], row[2]) for row in record_rows(text) if len(row) == 3}
    except csv.Error as error:
        return [f"RECORD cannot be read: {error}"]
    unhashed = {f"{prefix}{name}" for name in _UNHASHED}
    faults = []
    for member in found:
        if member.kind != "file" or member.path in unhashed or member.sha256 is None:
            continue
        entry = rows.pop(member.path, None)
        raw = base64.urlsafe_b64encode(bytes.fromhex(member.sha256.hex)).rstrip(b"=").decode()
        if entry is None:
            faults.append(f"{member.path} is not in RECORD")
        elif entry[0].startswith("sha256=") and entry[0] != f"sha256={raw}":
            faults.append(f"RECORD has another digest of {member.path}")
        elif entry[1] and entry[1] != str(member.size):
            faults.append(f"RECORD has another size of {member.path}")
    return faults + [
        f"RECORD names {path}, which is not there" for path in rows if path not in unhashed
    ]


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """A source distribution.

    - `files`: by path below the single top folder, which is theirs too; all have a mode.
    - `requires`: `build-system.requires`; empty without a `pyproject.toml`.
    """

    files: Mapping[str, Member]
    requires: tuple[str, ...]

    def by_digest(self) -> dict[Digest | None, list[Member]]:
        """Return the files by the digest of their content."""
        found: dict[Digest | None, list[Member]] = {}
        for file in self.files.values():
            found.setdefault(file.sha256, []).append(file)
        return found


def read_sdist(path: Path, name: str, limits: ArchiveLimits = LIMITS) -> SourceFacts:
    """Read the facts of the sdist at `path`; raises `InputMismatchError` for a hostile one."""
    found = [m for m in read_members(path, what=f"source {name}", limits=limits) if _is_own(m)]
    with path.open("rb") as stream:
        read_archive(stream, name)  # refuses paths that leave its folder
    files = {}
    for member in found:
        top, *below = _parts(member.path)
        inner, mode = "/".join(below) or top, 0o644 if member.mode is None else member.mode
        files[inner] = replace(member, path=inner, mode=mode & 0o777)
    texts = read_texts(
        path,
        lambda path: _parts(path)[1:] == [_PYPROJECT],
        most=_MAX_PYPROJECT,
        what=f"source {name}",
    )
    requires = _build_requires(next(reversed(texts.values()), None), name)
    return SourceFacts(files=files, requires=requires)


def _is_own(member: Member) -> bool:
    """Say whether a member is a file of the source itself, and of no archive in it."""
    outermost = member.inside in {"", "(unpacked)"} and member.path != "(unpacked)"
    return outermost and member.kind == "file" and member.sha256 is not None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _build_requires(text: bytes | None, name: str) -> tuple[str, ...]:
    """Read the requirements of `[build-system]` (PEP 517, PEP 518)."""
    if text is None:
        return ()
    plain = re.sub("\r\n?", "\n", text.decode("utf-8", "replace"))
    try:
        table = tomllib.loads(plain).get("build-system", {})
    except tomllib.TOMLDecodeError as error:
        raise InputMismatchError(
            f"source {name} has a broken {_PYPROJECT}", got=error, expected="TOML"
        ) from error
    requires = table.get("requires", [])
    if not isinstance(requires, list) or not isinstance(table.get("build-backend", ""), str):
        raise InputMismatchError(
            f"source {name} has a broken build-system", got=table, expected="PEP 518"
        )
    return tuple(str(item) for item in requires)
