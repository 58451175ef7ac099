"""The reader of the jail that compares two rule sets, and how it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import Jail, JailLimits, Reader, Scratch
from pipelines.rules.change import RuleChanges
from pipelines.rules.compare_rules import compare_rules
from pipelines.rules.rule_files import LIMITS, rule_files
from pipelines.rules.rule_set import ReadFiles, read_rule_set

NamedFile = tuple[str, BinaryIO]
"""The name of a file and its content, which is seekable; "" for a folder that was packed."""


class Sides(FrozenModel):
    """The names of the files on both sides, in their order."""

    old: tuple[str, ...]
    new: tuple[str, ...]


def rule_changes(
    jail: Jail,
    old: Sequence[NamedFile],
    new: Sequence[NamedFile],
    *,
    seconds: float | None = None,
) -> RuleChanges:
    """Compare the rules in files and archives; raises as `Jail.run` does."""
    sides = Sides(old=tuple(name for name, _ in old), new=tuple(name for name, _ in new))
    streams = [stream for _, stream in chain(old, new)]
    return jail.run(CHANGES, streams, sides, seconds=seconds)


def _read(files: Sequence[BinaryIO], sides: Sides, scratch: Scratch) -> RuleChanges:
    known: ReadFiles = {}
    count = len(sides.old)
    old = read_rule_set(_all(sides.old, files[:count], scratch), known)
    new = read_rule_set(_all(sides.new, files[count:], scratch), known)
    return compare_rules(old, new)


def _all(
    names: Sequence[str], streams: Sequence[BinaryIO], scratch: Scratch
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of one side; those of one of several archives below its name."""
    for name, stream in zip(names, streams, strict=True):
        for path, data in rule_files(stream, name, scratch):
            inside = len(names) > 1 and path != name
            yield (f"{name}/{path}" if inside else path), data


CHANGES = Reader(
    name="pipelines.rules.reading:CHANGES",
    read=_read,
    parameters=Sides,
    result=TypeAdapter(RuleChanges),
    limits=JailLimits(seconds=120, answer=32 << 20, memory=1 << 30, scratch_files=LIMITS.depth + 2),
)
"""Compares the rules of old and new files."""
