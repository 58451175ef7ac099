"""The files in which rules may be: of a plain file, an archive, or archives within archives.

Runs in the jail. ClamAV's databases (.cvd, .cld, .cud) are a header of 512 bytes before an archive.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from builders.archives import ArchiveLimits, Member, Scratch, members

MOST = 32 << 20
"""Bytes of a file that is read for rules."""
LIMITS = ArchiveLimits(members=100_000, unpacked=2 << 30, text=16 << 20, set_aside=64 << 20)
_CVD, _CVD_HEADER = b"ClamAV-VDB:", 512
_SUFFIXES = frozenset(
    """cbc cdb cf cld conf conf-recommended config crb cud cvd data db example fp ftm gdb hdb
    hdu hsb hsu idb ign ign2 imp inc json ldb ldu mdb mdu meta msb msu ndb ndu pack pdb pre pwdb
    rule rules sdb sfp txt wdb yaml yar yara yarax yml""".split()  # noqa: SIM905
)
"""How the names of files end that may have rules; which do, their languages say."""
_READ = _SUFFIXES - {"txt"} | {"rmd", "zmd"}
"""How the names of files end that languages know as theirs; in any other one they know YARA's."""
HEAD = 1 << 16
"""Bytes by which rules are known in files of other names."""
_YARA = re.compile(rb"^[ \t]*+(?:global|private|rule)\s", re.MULTILINE)
"""How a line with a rule of YARA begins."""


def may_hold_rules(path: str) -> bool:
    """Say by the name of a file whether it is worth reading for rules."""
    lower = path.lower()
    return ("." in path and lower.rpartition(".")[2] in _SUFFIXES) or "rule" in lower


def may_be_rules(path: str, head: bytes) -> bool:
    """Say by the name and the first `HEAD` bytes of a file whether a language may read it.

    All files with rules pass, and some others.
    """
    name = PurePosixPath(path).name.lower()
    named = "." in name and name.rpartition(".")[2] in _READ
    shown = b"condition" in head and _YARA.search(head) is not None
    return named or shown or head.startswith((_CVD, b"YARA"))


def rule_files(stream: BinaryIO, name: str, scratch: Scratch) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every file in `stream`, of an archive those inside.

    A file that is longer than `MOST` is cut after as much, and one byte more. Raises
    `ArchiveError` for an archive that cannot be read to its end.
    """
    stream.seek(0)
    if stream.read(len(_CVD)) == _CVD:
        stream.seek(_CVD_HEADER)
        with scratch() as body:
            shutil.copyfileobj(stream, body)
            yield from _archived(cast("BinaryIO", body), "", scratch)
        return
    count = 0
    for path, data in _archived(stream, "", scratch):
        count += 1
        yield path, data
    if not count:
        stream.seek(0)
        yield name, stream.read(MOST + 1)


def _archived(stream: BinaryIO, prefix: str, scratch: Scratch) -> Iterator[tuple[str, bytes]]:
    for path, data in archived_files(stream, scratch):
        if data.startswith(_CVD) and not prefix:
            yield from _archived(io.BytesIO(data[_CVD_HEADER:]), f"{path}/", scratch)
        else:
            yield f"{prefix}{path}", data


def archived_files(
    stream: BinaryIO, scratch: Scratch, limits: ArchiveLimits = LIMITS
) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of the files of an archive, and of archives inside it.

    A file that is longer than `MOST` is cut after as much, and one byte more. Yields nothing of
    what is no archive; raises `ArchiveError` for one that cannot be read to its end.
    """
    copies: dict[str, _Copy] = {}

    def copied(path: str, _container: str) -> _Copy:
        copies[path] = copy = _Copy()
        return copy

    stream.seek(0)
    for member in members(stream, limits, copier=copied, scratch=scratch):
        copy = copies.pop(member.path, None)
        if copy is None or member.container or member.kind != "file":
            continue
        yield _plain(member), copy.data.getvalue()


def _plain(member: Member) -> str:
    return member.path.replace("/./", "/").removeprefix("./")


class _Copy:
    """Keeps what is written, up to one byte more than is read of a file."""

    def __init__(self) -> None:
        self.data = io.BytesIO()

    def write(self, piece: bytes, /) -> None:
        self.data.write(piece[: MOST + 1 - self.data.tell()])
