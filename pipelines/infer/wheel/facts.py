"""What a wheel and its source distribution show of the build: files, times, modes and metadata.

Only typed scalars leave this module for a rebuild, which never sees a member of the shipped file.
Both archives are read in the parser jail, and nothing is unpacked on this machine.
"""

from __future__ import annotations

import base64
import csv
import io
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.archives import ArchiveLimits, Member, Scratch
from builders.core.digest import Digest
from builders.core.errors import InputMismatchError
from builders.core.frozen_model import FrozenModel
from builders.inputs.source_archive import read_archive
from builders.jail.file_reader import Jail, JailLimits, Reader
from pipelines.infer.archive import LIMITS, read_members, read_texts, run_reader

MAX_TEXT = 4 << 20
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_MAX_PYPROJECT = 1 << 20
_PYPROJECT = "pyproject.toml"
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_MOST_FIELDS, _LONGEST_FIELD = 1000, 2000
_JAIL = JailLimits(seconds=LIMITS.seconds + 5, answer=64 << 20, scratch_files=LIMITS.depth)


@dataclass(frozen=True, kw_only=True)
class WheelFacts:
    """One wheel. Times are those of a zip, read as UTC.

    - `members`: of the wheel itself, in its order; nested archives are single files.
    - `dist_info`: the folder, without a slash.
    - `generator`: the `Generator:` line of WHEEL.
    - `fields`: those of METADATA that a wheel has once, by name; long ones are cut.
    - `record`: the paths of RECORD in their order; none of one that cannot be read.
    - `record_faults`: what RECORD states wrongly of the members.
    """

    name: str
    members: tuple[Member, ...]
    dist_info: str
    generator: str
    fields: Mapping[str, str]
    record: tuple[str, ...]
    record_faults: tuple[str, ...]

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


@dataclass(frozen=True, kw_only=True)
class WheelContent:
    """A wheel as it is read in the jail.

    - `texts`: the content of the files of `.dist-info`, by the path below it; large ones are left
      out.
    """

    facts: WheelFacts
    texts: Mapping[str, bytes]


class FileName(FrozenModel):
    """What a file is called in messages."""

    name: str


def read_wheel(path: Path, name: str, jail: Jail) -> WheelFacts:
    """Read the facts of the wheel at `path`; raises `InputMismatchError` for anything else."""
    return run_reader(jail, WHEEL, [path], FileName(name=name), what=name)


def wheel_content(stream: BinaryIO, name: str, scratch: Scratch) -> WheelContent:
    """Read a wheel, in the jail; raises `InputMismatchError` for anything else."""
    found = tuple(m for m in read_members(stream, scratch, what=name) if m.inside == "")
    tops = {m.path.partition("/")[0] for m in found}
    folders = {top for top in tops if top.endswith(".dist-info")}
    if len(folders) != 1:
        raise InputMismatchError(
            f"{name} is not a wheel", got=f"{len(folders)} folders .dist-info", expected="one"
        )
    prefix = f"{folders.pop()}/"
    texts = read_texts(stream, lambda p: p.startswith(prefix), most=MAX_TEXT, what=name)
    texts = {path.removeprefix(prefix): data for path, data in texts.items()}
    if missing := [n for n in ("WHEEL", "METADATA", "RECORD") if n not in texts]:
        raise InputMismatchError(
            f"{name} is not a wheel", got=f"no {missing[0]} of readable size", expected="one"
        )
    fields = headers(texts["METADATA"])
    facts = WheelFacts(
        name=name,
        members=found,
        dist_info=prefix.rstrip("/"),
        generator=_text(headers(texts["WHEEL"]).get("Generator", "")).strip(),
        fields={n: _text(fields[n]) for n in list(dict.fromkeys(fields.keys()))[:_MOST_FIELDS]},
        record=record_paths(texts["RECORD"]),
        record_faults=tuple(_record_faults(texts["RECORD"], found, prefix)),
    )
    return WheelContent(facts=facts, texts=texts)


def read_requirements(path: Path, jail: Jail) -> tuple[str, ...]:
    """Read `Requires-Dist` of a wheel; raises `InputMismatchError`."""
    return run_reader(jail, REQUIREMENTS, [path], FileName(name=path.name), what=path.name)


def _requirements(files: Sequence[BinaryIO], parameters: FileName, _: Scratch) -> tuple[str, ...]:
    texts = read_texts(
        files[0], lambda p: bool(_METADATA.fullmatch(p)), most=MAX_TEXT, what=parameters.name
    )
    found = headers(next(iter(texts.values()), b"")).get_all("Requires-Dist") or ()
    return tuple(_text(one) for one in found[:_MOST_FIELDS])


def _text(field: object) -> str:
    return str(field)[:_LONGEST_FIELD]


def headers(text: bytes) -> Message:
    """Read the headers of METADATA or WHEEL."""
    return HeaderParser().parsestr(text.decode("utf-8", "replace"))


def record_rows(text: bytes) -> list[list[str]]:
    """Return the rows of a RECORD; raises `csv.Error`."""
    rows = csv.reader(io.StringIO(text.decode("utf-8", "replace"), newline=""))
    return [row for row in rows if row]


def record_paths(text: bytes) -> tuple[str, ...]:
    """Return the paths of a RECORD in their order; none of one that cannot be read."""
    try:
        return tuple(row[0] for row in record_rows(text))
    except csv.Error:
        return ()


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


def read_sdist(path: Path, name: str, jail: Jail) -> SourceFacts:
    """Read the facts of the sdist at `path`; raises `InputMismatchError` for a hostile one."""
    return run_reader(jail, SDIST, [path], FileName(name=name), what=f"source {name}")


def sdist_facts(
    stream: BinaryIO, name: str, scratch: Scratch, limits: ArchiveLimits = LIMITS
) -> SourceFacts:
    """Read an sdist, in the jail; raises `InputMismatchError` for a hostile one."""
    listed = read_members(stream, scratch, what=f"source {name}", limits=limits)
    stream.seek(0)
    read_archive(stream, name, scratch=scratch)  # refuses paths that leave its folder
    files = {}
    for member in filter(_is_own, listed):
        top, *below = _parts(member.path)
        inner, mode = "/".join(below) or top, 0o644 if member.mode is None else member.mode
        files[inner] = replace(member, path=inner, mode=mode & 0o777)
    texts = read_texts(
        stream,
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


def _wheel(files: Sequence[BinaryIO], parameters: FileName, scratch: Scratch) -> WheelFacts:
    return wheel_content(files[0], parameters.name, scratch).facts


def _sdist(files: Sequence[BinaryIO], parameters: FileName, scratch: Scratch) -> SourceFacts:
    return sdist_facts(files[0], parameters.name, scratch)


WHEEL = Reader(
    name="pipelines.infer.wheel.facts:WHEEL",
    read=_wheel,
    parameters=FileName,
    result=TypeAdapter(WheelFacts),
    limits=_JAIL,
    errors=(InputMismatchError,),
)
"""Reads a wheel."""
SDIST = Reader(
    name="pipelines.infer.wheel.facts:SDIST",
    read=_sdist,
    parameters=FileName,
    result=TypeAdapter(SourceFacts),
    limits=_JAIL,
    errors=(InputMismatchError,),
)
"""Reads a source distribution."""
REQUIREMENTS = Reader(
    name="pipelines.infer.wheel.facts:REQUIREMENTS",
    read=_requirements,
    parameters=FileName,
    result=TypeAdapter(tuple[str, ...]),
    limits=_JAIL,
    errors=(InputMismatchError,),
)
"""Reads what a wheel of a tool requires."""
