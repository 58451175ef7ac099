"""Where a rebuilt wheel differs from the shipped one; both are read in the parser jail.

Only names, times, modes and lines of text for people are kept; no byte of the shipped file reaches
a build.
"""

from __future__ import annotations

import difflib
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.archives import Scratch
from builders.core.errors import InputMismatchError
from builders.jail.file_reader import Jail, JailLimits, Reader
from pipelines.infer.archive import LIMITS, run_reader
from pipelines.infer.journal import WheelDifferences
from pipelines.infer.machine_traces import is_reordered, reordered
from pipelines.infer.wheel.facts import FileName, WheelContent, wheel_content

_MAX_TEXT = 4 << 20
_SHOWN_LINES = 40
_COMPARED_LINES = 2000
"""Lines of a text that are compared: what that costs grows with their square."""
_LINE, _WORD = re.compile(rb"\n"), re.compile(rb"[\s,;]+")
_VERSION = re.compile(rb"\d+(?:\.\d+)+[0-9A-Za-z.+-]*|\b(?:g?[0-9a-f]{7,40})\b")


def compare_wheels(shipped: Path, rebuilt: Path, name: str, jail: Jail) -> WheelDifferences:
    """Return where two wheels differ; raises `InputMismatchError` for what is no wheel."""
    return run_reader(jail, COMPARISON, [shipped, rebuilt], FileName(name=name), what=name)


def _compare(files: Sequence[BinaryIO], parameters: FileName, scratch: Scratch) -> WheelDifferences:
    theirs, ours = (wheel_content(file, parameters.name, scratch) for file in files)
    try:
        with zipfile.ZipFile(files[0]) as one, zipfile.ZipFile(files[1]) as other:
            return _differences(theirs, ours, one, other)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise InputMismatchError(
            f"{parameters.name} cannot be read", got=error, expected="a sound archive"
        ) from error


def _differences(
    theirs: WheelContent, ours: WheelContent, one: zipfile.ZipFile, other: zipfile.ZipFile
) -> WheelDifferences:
    shipped, rebuilt = theirs.facts, ours.facts
    before = {m.path: m for m in shipped.files()}
    after = {m.path: m for m in rebuilt.files()}
    both = [path for path in before if path in after]
    record = f"{shipped.dist_info}/RECORD"
    changed = [path for path in both if before[path].sha256 != after[path].sha256]
    content = [path for path in changed if path != record]
    pairs = {p: pair for p in content if (pair := _texts(one, other, p))}
    packing = [
        path
        for path in one.namelist()
        if path in after
        and path in before
        and before[path].sha256 == after[path].sha256
        and (
            one.getinfo(path).compress_size != other.getinfo(path).compress_size
            or before[path].packing != after[path].packing
        )
    ]
    order = is_reordered(before, after)
    rows = [facts.record for facts in (shipped, rebuilt)]
    return WheelDifferences(
        only_shipped=tuple(p for p in before if p not in after),
        only_rebuilt=tuple(p for p in after if p not in before),
        content=tuple(content),
        line_endings=_equal_as(lambda data: data.replace(b"\r\n", b"\n"), pairs),
        version_strings=_equal_as(lambda data: _VERSION.sub(b"V", data), pairs),
        shuffled={p: moved for p, pair in pairs.items() if (moved := _moved(*pair))},
        lost_packages=tuple(sorted(_packages(theirs) - _packages(ours))),
        times={
            p: (before[p].mtime, after[p].mtime) for p in both if before[p].mtime != after[p].mtime
        },
        modes={p: (before[p].mode, after[p].mode) for p in both if before[p].mode != after[p].mode},
        metadata=_changed_lines(theirs, ours, "METADATA"),
        wheel=_changed_lines(theirs, ours, "WHEEL"),
        record_order=is_reordered(*rows),
        order=order,
        reordered=reordered(before, after) if order else reordered(*rows),
        packing=tuple(packing),
    )


def _texts(one: zipfile.ZipFile, other: zipfile.ZipFile, path: str) -> tuple[bytes, bytes] | None:
    """Return both contents of a member; None when one is too large to be compared as text."""
    if max(archive.getinfo(path).file_size for archive in (one, other)) > _MAX_TEXT:
        return None
    return one.read(path), other.read(path)


def _equal_as(
    form: Callable[[bytes], bytes], pairs: dict[str, tuple[bytes, bytes]]
) -> tuple[str, ...]:
    return tuple(p for p, (left, right) in pairs.items() if form(left) == form(right))


def _moved(shipped: bytes, rebuilt: bytes) -> int:
    """Return how many lines, else words, moved; 0 where they are not the same ones."""
    for end in _LINE, _WORD:
        left, right = end.split(shipped), end.split(rebuilt)
        if sorted(left) == sorted(right):
            return sum(a != b for a, b in zip(left, right, strict=True))
    return 0


def _changed_lines(theirs: WheelContent, ours: WheelContent, name: str) -> tuple[str, ...]:
    left, right = (
        content.texts[name].decode("utf-8", "replace").splitlines()[:_COMPARED_LINES]
        for content in (theirs, ours)
    )
    changed = difflib.unified_diff(left, right, lineterm="", n=0)
    found = [line for line in changed if not line.startswith(("---", "+++", "@@"))]
    return tuple(line[:200] for line in found[:_SHOWN_LINES])


def _packages(content: WheelContent) -> set[str]:
    text = content.texts.get("top_level.txt", b"").decode("utf-8", "replace")
    return {line.strip()[:100] for line in text.splitlines() if line.strip()}


COMPARISON = Reader(
    name="pipelines.infer.wheel.comparison:COMPARISON",
    read=_compare,
    parameters=FileName,
    result=TypeAdapter(WheelDifferences),
    limits=JailLimits(seconds=LIMITS.seconds + 5, answer=64 << 20, scratch_files=LIMITS.depth),
    errors=(InputMismatchError,),
)
"""Compares a shipped and a rebuilt wheel."""
