"""What a file shows of the build that made it: its members, and the texts inside them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.archives import ArchiveError, Scratch, members
from builders.core.digest import Digest, digest_file, digest_stream
from builders.jail import Jail, JailFailedError, JailLimits, Nothing, Reader
from pipelines.infer.archive import LIMITS

# Bytes of one member whose texts are read.
_MOST = 8 << 20
# Texts that are kept: of one member, and of a whole file with their characters.
_TEXTS = 20_000
_ALL_TEXTS, _ALL_CHARACTERS = 200_000, 16 << 20
_TEXT = re.compile(rb"[\x20-\x7e\t]{4,1024}")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A member of a file that is an archive, else the file itself, with an empty path."""

    path: str
    digest: Digest | None
    mode: int | None = None
    mtime: int | None = None
    owner: str | None = None
    target: str | None = None
    folder: bool = False
    texts: frozenset[str] = frozenset()


Parts = Mapping[str, Part]
"""By path, in the order of the archive."""


def read_parts(path: Path, jail: Jail) -> Parts:
    """Return the parts of a file, read in the jail; what cannot be read there is one part."""
    try:
        with path.open("rb") as stream:
            return jail.run(PARTS, [stream], Nothing())
    except JailFailedError:
        return {"": Part(path="", digest=digest_file(path))}


def parts_of(stream: BinaryIO, scratch: Scratch = tempfile.TemporaryFile) -> dict[str, Part]:
    """Return the parts of a file; one that is no sound archive is one part."""
    copies: dict[str, _Capped] = {}
    left, characters = _ALL_TEXTS, _ALL_CHARACTERS

    def copier(name: str, _inside: str) -> _Capped:
        return copies.setdefault(name, _Capped())

    found: dict[str, Part] = {}
    try:
        listed = members(stream, LIMITS, copier=copier, scratch=scratch)
        for member in listed:
            copy = copies.pop(member.path, None)
            if member.container:
                continue
            texts = texts_of(bytes(copy.kept), left) if copy else frozenset()
            left, characters = left - len(texts), characters - sum(map(len, texts))
            if characters < 0:
                texts, left = frozenset(), 0
            found[member.path] = Part(
                path=member.path,
                digest=member.sha256,
                mode=member.mode,
                mtime=member.mtime,
                owner=member.owner,
                target=member.target,
                folder=member.kind == "directory",
                texts=texts,
            )
    except ArchiveError:
        found = {}
    if found:
        return found
    stream.seek(0)
    texts = texts_of(stream.read(_MOST))
    stream.seek(0)
    return {"": Part(path="", digest=digest_stream(stream), texts=texts)}


def texts_of(data: bytes, most: int = _TEXTS) -> frozenset[str]:
    """Return the printable texts of four characters and more, `most` of them."""
    found = islice(_TEXT.finditer(data), max(0, min(most, _TEXTS)))
    return frozenset(match[0].decode("ascii") for match in found)


class _Capped:
    """Keeps the first bytes that are written to it."""

    def __init__(self) -> None:
        self.kept = bytearray()

    def write(self, data: bytes, /) -> None:
        self.kept += data[: max(0, _MOST - len(self.kept))]


def _read(files: Sequence[BinaryIO], _: Nothing, scratch: Scratch) -> dict[str, Part]:
    return parts_of(files[0], scratch)


PARTS = Reader(
    name="pipelines.infer.script.parts:PARTS",
    read=_read,
    parameters=Nothing,
    result=TypeAdapter(dict[str, Part]),
    limits=JailLimits(
        seconds=LIMITS.seconds + 5,
        answer=64 << 20,
        scratch_files=LIMITS.depth,
    ),
)
"""Reads the parts of a file."""
