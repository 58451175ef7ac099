"""Where a rebuilt wheel differs from the shipped one.

This runs on the judge's side, after the digests were found unequal. Only names, times, modes and
lines of text for people are kept; no byte of the shipped file reaches a build.
"""

from __future__ import annotations

import difflib
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from pipelines.infer.journal import WheelDifferences
from pipelines.infer.wheel.folderorder import is_reordered, record_paths, reordered
from pipelines.infer.wheel.wheelfile import WheelFacts

_MAX_TEXT = 4 << 20
_SHOWN_LINES = 40
_LINE, _WORD = re.compile(rb"\n"), re.compile(rb"[\s,;]+")
_VERSION = re.compile(rb"\d+(?:\.\d+)+[0-9A-Za-z.+-]*|\b(?:g?[0-9a-f]{7,40})\b")


def compare_wheels(
    shipped: WheelFacts, shipped_file: Path, rebuilt: WheelFacts, rebuilt_file: Path
) -> WheelDifferences:
    """Return where two wheels differ."""
    before = {m.path: m for m in shipped.files()}
    after = {m.path: m for m in rebuilt.files()}
    both = [path for path in before if path in after]
    record = f"{shipped.dist_info}/RECORD"
    changed = [path for path in both if before[path].sha256 != after[path].sha256]
    content = [path for path in changed if path != record]
    with zipfile.ZipFile(shipped_file) as one, zipfile.ZipFile(rebuilt_file) as other:
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
    rows = [record_paths(facts.texts["RECORD"]) for facts in (shipped, rebuilt)]
    return WheelDifferences(
        only_shipped=tuple(p for p in before if p not in after),
        only_rebuilt=tuple(p for p in after if p not in before),
        content=tuple(content),
        line_endings=_equal_as(_plain_lines, pairs),
        version_strings=_equal_as(_without_versions, pairs),
        shuffled={p: moved for p, pair in pairs.items() if (moved := _moved(*pair))},
        lost_packages=tuple(sorted(_packages(shipped) - _packages(rebuilt))),
        times={
            p: (before[p].mtime, after[p].mtime) for p in both if before[p].mtime != after[p].mtime
        },
        modes={p: (before[p].mode, after[p].mode) for p in both if before[p].mode != after[p].mode},
        metadata=_changed_lines(shipped, rebuilt, "METADATA"),
        wheel=_changed_lines(shipped, rebuilt, "WHEEL"),
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


def _plain_lines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def _without_versions(data: bytes) -> bytes:
    return _VERSION.sub(b"V", data)


def _moved(shipped: bytes, rebuilt: bytes) -> int:
    """Return how many lines, else words, moved; 0 where they are not the same ones."""
    for end in _LINE, _WORD:
        left, right = end.split(shipped), end.split(rebuilt)
        if sorted(left) == sorted(right):
            return sum(a != b for a, b in zip(left, right, strict=True))
    return 0


def _changed_lines(shipped: WheelFacts, rebuilt: WheelFacts, name: str) -> tuple[str, ...]:
    left, right = (
        facts.texts[name].decode("utf-8", "replace").splitlines() for facts in (shipped, rebuilt)
    )
    changed = difflib.unified_diff(left, right, lineterm="", n=0)
    found = [line for line in changed if not line.startswith(("---", "+++", "@@"))]
    return tuple(line[:200] for line in found[:_SHOWN_LINES])


def _packages(facts: WheelFacts) -> set[str]:
    text = facts.texts.get("top_level.txt", b"").decode("utf-8", "replace")
    return {line.strip()[:100] for line in text.splitlines() if line.strip()}
