"""What a source distribution states of its build: its files and its build requirements.

The archive is read with our own bounded reader, and paths that leave it are refused; nothing is
unpacked on this machine.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builders.archives import ArchiveError, ArchiveLimits, Member, members
from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.errors import InputMismatchError
from builders.inputs.input_file import InputFile
from builders.inputs.source_digest import source_tree
from pipelines.infer.archive import LIMITS, read_texts, unreadable

_MAX_TEXT = 1 << 20
_PYPROJECT = "pyproject.toml"
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
    """A source distribution.

    - `files`: by path below the single top folder.
    - `requires`: `build-system.requires`; empty without a `pyproject.toml`.
    """

    name: str
    files: Mapping[str, SourceFile]
    backend: str
    requires: tuple[str, ...]

    def by_digest(self) -> dict[Digest, list[SourceFile]]:
        """Return the files by the digest of their content."""
        found: dict[Digest, list[SourceFile]] = {}
        for file in self.files.values():
            found.setdefault(file.sha256, []).append(file)
        return found


def read_sdist(path: Path, name: str, limits: ArchiveLimits = LIMITS) -> SourceFacts:
    """Read the facts of the sdist at `path`; raises `InputMismatchError` for a hostile one."""
    try:
        with path.open("rb") as stream:
            found = [m for m in members(stream, limits) if _is_outermost(m)]
    except ArchiveError as error:
        raise unreadable(f"source {name}", error) from error
    listed = InputFile(role=Role.SOURCE, name=name, sha256=Digest("0" * 64))
    source_tree([listed], lambda _: path.open("rb"))  # refuses paths that leave its folder
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
    texts = read_texts(path, _is_pyproject, most=_MAX_TEXT, what=f"source {name}")
    backend, requires = _build_system(next(reversed(texts.values()), None), name)
    return SourceFacts(name=name, files=files, backend=backend, requires=requires)


def _is_outermost(member: Member) -> bool:
    return member.inside in {"", "(unpacked)"} and member.path != "(unpacked)"


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _inner(path: str) -> str:
    parts = _parts(path)
    return "/".join(parts[1:]) or parts[0]


def _is_pyproject(path: str) -> bool:
    return len(_parts(path)) == 2 and _inner(path) == _PYPROJECT


def _build_system(text: bytes | None, name: str) -> tuple[str, tuple[str, ...]]:
    """Read `[build-system]` (PEP 517, PEP 518)."""
    if text is None:
        return LEGACY, ()
    plain = re.sub("\r\n?", "\n", text.decode("utf-8", "replace"))
    try:
        table = tomllib.loads(plain).get("build-system", {})
    except tomllib.TOMLDecodeError as error:
        raise InputMismatchError(
            f"source {name} has a broken {_PYPROJECT}", got=error, expected="TOML"
        ) from error
    requires = table.get("requires", [])
    backend = table.get("build-backend", LEGACY)
    if not isinstance(requires, list) or not isinstance(backend, str):
        raise InputMismatchError(
            f"source {name} has a broken build-system", got=table, expected="PEP 518"
        )
    return backend, tuple(str(item) for item in requires)
