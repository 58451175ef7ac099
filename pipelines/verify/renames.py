"""Which removed and added files of a diff are one file that was renamed.

Files with equal contents are, and text files that share most of their lines. Only names and lines
are compared: nothing in a source can declare a rename.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pipelines.verify.source_diff import SourceChange, SourceFile, is_binary

_ALIKE = 0.6
"""Share of all lines that two versions of a renamed file have in common."""
_MAX_SIZE = 64 << 10
"""Bytes of a file whose lines are compared."""
_MAX_FILES = 100
"""Files on either side whose lines are compared; with more of them only equal ones are paired."""


def with_renames(changes: Iterable[SourceChange]) -> list[SourceChange]:
    """Return changes, where a removed and an added file that are one are one change, by path."""
    found = list(changes)
    gone = {c.path: c.before for c in found if c.after is None and c.before}
    made = {c.path: c.after for c in found if c.before is None and c.after}
    pairs = _equal(gone, made)
    taken = {*pairs.values()}
    pairs |= _alike(
        {path: file for path, file in gone.items() if path not in taken},
        {path: file for path, file in made.items() if path not in pairs},
    )
    removed = {*pairs.values()}
    return [
        replace(c, was=pairs[c.path], before=gone[pairs[c.path]]) if c.path in pairs else c
        for c in found
        if not (c.after is None and c.path in removed)
    ]


def _equal(gone: dict[str, SourceFile], made: dict[str, SourceFile]) -> dict[str, str]:
    """Return the old path of each added file that has the content of a removed one."""
    by_digest: dict[str, list[str]] = {}
    for path, file in gone.items():
        if file.size:
            by_digest.setdefault(str(file.digest), []).append(path)
    pairs = {}
    for path, file in made.items():
        if olds := by_digest.get(str(file.digest)):
            named = _name(path)
            olds.sort(key=lambda old: (_name(old) != named, old), reverse=True)
            pairs[path] = olds.pop()
    return pairs


def _alike(gone: dict[str, SourceFile], made: dict[str, SourceFile]) -> dict[str, str]:
    """Return the old path of each added file that shares most lines with a removed one."""
    if max(len(gone), len(made)) > _MAX_FILES:
        return {}
    olds, news = (
        {path: lines for path, file in side.items() if (lines := _lines(file))}
        for side in (gone, made)
    )
    rated = sorted(
        (
            (share, new, old)
            for new, lines in news.items()
            for old, others in olds.items()
            if (share := len(lines & others) / len(lines | others)) >= _ALIKE
        ),
        key=lambda row: (-row[0], row[1], row[2]),
    )
    pairs: dict[str, str] = {}
    taken: set[str] = set()
    for _, new, old in rated:
        if new not in pairs and old not in taken:
            pairs[new] = old
            taken.add(old)
    return pairs


def _lines(file: SourceFile) -> frozenset[bytes]:
    """Return the distinct lines of a text file; none of one that is binary or too large."""
    if file.size > _MAX_SIZE or is_binary(file):
        return frozenset()
    return frozenset(line for line in file.path.read_bytes().split(b"\n") if line.strip())


def _name(path: str) -> str:
    return path.rpartition("/")[2]
