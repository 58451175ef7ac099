"""The files of a rule set as one plain tar, made in the jail, for the container of the engines."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.archives import ArchiveError
from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Reader, Scratch
from pipelines.rules.rule_files import LIMITS, rule_files

_MOST = 1 << 30
"""Bytes of all files of a rule set."""


class NamedFiles(FrozenModel):
    """The names of the files that are read."""

    names: tuple[str, ...]


class PackedFiles(FrozenModel):
    """What was packed."""

    files: int
    cut: bool
    """Whether there was more than fits."""


def _pack(files: Sequence[BinaryIO], given: NamedFiles, scratch: Scratch) -> PackedFiles:
    """Write the files inside of all but the last of `files` to that one, as a tar."""
    count = size = 0
    with tarfile.open(fileobj=files[-1], mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, stream in zip(given.names, files[:-1], strict=True):
            for path, data in rule_files(stream, name, scratch):
                size += len(data)
                if size > _MOST:
                    return PackedFiles(files=count, cut=True)
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
                count += 1
    return PackedFiles(files=count, cut=False)


PACK_RULES = Reader(
    name="pipelines.rules.engines.packed_rules:PACK_RULES",
    read=_pack,
    parameters=NamedFiles,
    result=TypeAdapter(PackedFiles),
    limits=JailLimits(
        seconds=120,
        answer=1 << 16,
        memory=1 << 30,
        scratch_files=LIMITS.depth + 2,
        scratch=(_MOST << 1),
    ),
    errors=(ArchiveError,),
)
"""Packs the files of one rule set."""
