"""Rules and samples as plain tars, made in the jail, for the container of the engines."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, BinaryIO

from pydantic import Field, TypeAdapter

from builders.archives import ArchiveError
from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Nothing, Reader, Scratch
from pipelines.rules.rule_files import LIMITS, MOST, archived_files, rule_files

_MOST = 1 << 30
"""Bytes of all files of a rule set, and of all samples."""
MOST_SAMPLES = 10_000
_ONE_LEVEL = replace(LIMITS, depth=1)  # archives among samples stay as they are


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
                _add(tar, path.lstrip("/"), data)
                count += 1
    return PackedFiles(files=count, cut=False)


class PackedSamples(FrozenModel):
    """The samples of an archive."""

    paths: Annotated[
        tuple[Annotated[str, Field(max_length=4096)], ...], Field(max_length=MOST_SAMPLES)
    ]
    """Their paths there, in the order of the tar."""
    cut: bool
    """Whether there was more, or more of a file, than fits."""


def sample_name(number: int) -> str:
    """Return the name by which engines see a sample."""
    return f"sample-{number:05}"


def _pack_samples(files: Sequence[BinaryIO], _: Nothing, scratch: Scratch) -> PackedSamples:
    """Write the files of an archive to the second file, as a tar of plain names."""
    archive, out = files
    paths: list[str] = []
    size, cut = 0, False
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, data in archived_files(archive, scratch, _ONE_LEVEL):
            size += len(data)
            cut = len(paths) == MOST_SAMPLES or len(data) > MOST or size > _MOST
            if cut:
                break
            _add(tar, sample_name(len(paths)), data)
            paths.append(path[:4096])
    return PackedSamples(paths=tuple(paths), cut=cut)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


_LIMITS = JailLimits(
    seconds=120,
    answer=1 << 16,
    memory=1 << 30,
    scratch_files=LIMITS.depth + 2,
    scratch=(_MOST << 1),
)
PACK_RULES = Reader(
    name="pipelines.rules.engines.packed_rules:PACK_RULES",
    read=_pack,
    parameters=NamedFiles,
    result=TypeAdapter(PackedFiles),
    limits=_LIMITS,
    errors=(ArchiveError,),
)
"""Packs the files of one rule set."""
PACK_SAMPLES = Reader(
    name="pipelines.rules.engines.packed_rules:PACK_SAMPLES",
    read=_pack_samples,
    parameters=Nothing,
    result=TypeAdapter(PackedSamples),
    limits=replace(_LIMITS, answer=48 << 20),
    errors=(ArchiveError,),
)
"""Packs the samples that an archive has."""
