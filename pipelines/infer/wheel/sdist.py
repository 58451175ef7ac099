"""What a source distribution tells of how it is built: its files, and its build requirements.

The archive is read with our own bounded reader first, which refuses paths that leave it; nothing is
unpacked on this machine.
"""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builders.archives import ArchiveError, ArchiveLimits, Member, members
from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.errors import InputMismatchError
from builders.inputs.file import InputFile
from builders.inputs.sourcedigest import source_tree

_LIMITS = ArchiveLimits(members=100_000, unpacked=4 << 30, seconds=60)
_MAX_TEXT = 1 << 20
_TEXTS = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "PKG-INFO"})
# What the two libraries raise for archives that only looked sound, or are none.
_UNREADABLE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, KeyError, NotImplementedError, OSError, RuntimeError, UnicodeError, ValueError),
)
LEGACY = "setuptools.build_meta:__legacy__"


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of the source; `mtime` in seconds since 1970."""

    path: str
    mode: int
    mtime: int | None
    sha256: Digest


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """A source distribution."""

    name: str
    files: Mapping[str, SourceFile]
    """By path below the single top folder."""
    backend: str
    requires: tuple[str, ...]
    """`build-system.requires`; empty when there is no `pyproject.toml`."""
    texts: Mapping[str, str]
    """`pyproject.toml`, `setup.py`, `setup.cfg`, `PKG-INFO` at the top, where they are there."""

    def by_digest(self) -> dict[Digest, list[SourceFile]]:
        """Return the files by what they hold."""
        found: dict[Digest, list[SourceFile]] = {}
        for file in self.files.values():
            found.setdefault(file.sha256, []).append(file)
        return found


def read_sdist(path: Path, name: str, limits: ArchiveLimits = _LIMITS) -> SourceFacts:
    """Read the facts of the sdist at `path`; raises `InputMismatchError` for a hostile one."""
    try:
        with path.open("rb") as stream:
            found = [m for m in members(stream, limits) if _outermost(m)]
    except ArchiveError as error:
        raise InputMismatchError(
            f"source {name} cannot be read", got=error, expected="a sound archive"
        ) from error
    listed = InputFile(role=Role.SOURCE, name=name, sha256=Digest("0" * 64))
    source_tree([listed], lambda _: path.open("rb"))  # refuses what leaves its folder
    files = {}
    for member in found:
        if member.kind == "file" and member.sha256 is not None:
            inner = _inner(member.path)
            files[inner] = SourceFile(
                path=inner,
                mode=(member.mode if member.mode is not None else 0o644) & 0o777,
                mtime=member.mtime,
                sha256=member.sha256,
            )
    try:
        texts = _texts(path, name)
    except _UNREADABLE as error:
        raise InputMismatchError(
            f"source {name} cannot be read",
            got=str(error).partition("\n")[0].rstrip(":"),
            expected="a sound archive",
        ) from error
    backend, requires = _build_system(texts.get("pyproject.toml"), name)
    return SourceFacts(name=name, files=files, backend=backend, requires=requires, texts=texts)


def _outermost(member: Member) -> bool:
    return member.inside in {"", "(unpacked)"} and member.path != "(unpacked)"


def _inner(path: str) -> str:
    parts = [part for part in path.split("/") if part not in {"", "."}]
    return "/".join(parts[1:]) or parts[0]


def _texts(path: Path, name: str) -> dict[str, str]:
    """Return the build files at the top of an archive that was found sound."""
    found: dict[str, str] = {}
    if name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if _is_text(info.filename) and info.file_size <= _MAX_TEXT:
                    found[_inner(info.filename)] = _decode(archive.read(info))
        return found
    with tarfile.open(path) as archive:
        for item in archive:
            if item.isfile() and _is_text(item.name) and item.size <= _MAX_TEXT:
                stream = archive.extractfile(item) or io.BytesIO()
                found[_inner(item.name)] = _decode(stream.read())
    return found


def _is_text(path: str) -> bool:
    parts = [part for part in path.split("/") if part not in {"", "."}]
    return len(parts) == 2 and parts[1] in _TEXTS


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _build_system(text: str | None, name: str) -> tuple[str, tuple[str, ...]]:
    """Read `[build-system]` (PEP 517, PEP 518)."""
    if text is None:
        return LEGACY, ()
    try:
        table = tomllib.loads(re.sub("\r\n?", "\n", text)).get("build-system", {})
    except tomllib.TOMLDecodeError as error:
        raise InputMismatchError(
            f"source {name} has a broken pyproject.toml", got=error, expected="TOML"
        ) from error
    requires = table.get("requires", [])
    backend = table.get("build-backend", LEGACY)
    if not isinstance(requires, list) or not isinstance(backend, str):
        raise InputMismatchError(
            f"source {name} has a broken build-system", got=table, expected="PEP 518"
        )
    return backend, tuple(str(item) for item in requires)
