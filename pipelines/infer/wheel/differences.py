"""Where a rebuilt wheel differs from the shipped one, in the terms in which builds go astray.

This runs on the judge's side, after the digests were found unequal. What leaves is names, times,
modes and lines of text for people; no byte of it ever reaches a build.
"""

from __future__ import annotations

import difflib
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builders.archives import Member
from pipelines.infer.wheel.folderorder import record_paths, reordered
from pipelines.infer.wheel.shipped import WheelFacts

_MAX_TEXT = 4 << 20
_SHOWN_LINES = 40
_LINE, _WORD = re.compile(rb"\n"), re.compile(rb"[\s,;]+")
_VERSION = re.compile(rb"\d+(?:\.\d+)+[0-9A-Za-z.+-]*|\b(?:g?[0-9a-f]{7,40})\b")


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What differs; `(shipped, rebuilt)` where there are pairs. Paths are those of the wheel."""

    only_shipped: tuple[str, ...] = ()
    only_rebuilt: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    """Files with other content; not RECORD, where it only follows the others."""
    line_endings: tuple[str, ...] = ()
    """Those of `content` that differ in nothing but line endings."""
    version_strings: tuple[str, ...] = ()
    """Those of `content` that differ in nothing but version numbers and commit names."""
    shuffled: Mapping[str, int] = field(default_factory=dict)
    """Those of `content` that hold the same lines or words in another order: how many moved."""
    lost_packages: tuple[str, ...] = ()
    """Packages that the shipped top_level.txt names and the rebuilt one does not."""
    times: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    modes: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    metadata: tuple[str, ...] = ()
    """The lines of METADATA that differ, with `-` for shipped and `+` for rebuilt."""
    wheel: tuple[str, ...] = ()
    """The lines of WHEEL that differ."""
    record_order: bool = False
    order: bool = False
    """Whether the members that both have stand in another order."""
    reordered: tuple[str, ...] = ()
    """Folders whose own files do: as members, else in RECORD."""
    packing: tuple[str, ...] = ()
    """Files with equal content that are packed to another size or in another way."""

    @property
    def weight(self) -> int:
        """Return a figure for how far apart they are: content counts most."""
        return (
            1000 * (len(self.only_shipped) + len(self.only_rebuilt) + len(self.content))
            - 500 * len(self.shuffled)
            + 10 * len(self.packing)
            + len(self.modes)
            + len(self.times)
            + self.order
            + self.record_order
        )


def compare_wheels(
    shipped: WheelFacts, shipped_file: Path, rebuilt: WheelFacts, rebuilt_file: Path
) -> Differences:
    """Return where two wheels differ."""
    before = {m.path: m for m in shipped.files()}
    after = {m.path: m for m in rebuilt.files()}
    both = [path for path in before if path in after]
    record = f"{shipped.dist_info}/RECORD"
    content = [p for p in both if before[p].sha256 != after[p].sha256 and p != record]
    with zipfile.ZipFile(shipped_file) as one, zipfile.ZipFile(rebuilt_file) as other:
        texts = {p: _both(one, other, before[p]) for p in content}
        endings = tuple(p for p, pair in texts.items() if pair and _same(pair, _plain_lines))
        versions = tuple(p for p, pair in texts.items() if pair and _same(pair, _without_versions))
        shuffled = {p: moved for p, pair in texts.items() if pair and (moved := _moved(*pair))}
        sizes = {i.filename: i.compress_size for i in other.infolist()}
        packing = tuple(
            i.filename
            for i in one.infolist()
            if i.filename in after
            and i.filename in before
            and before[i.filename].sha256 == after[i.filename].sha256
            and (
                i.compress_size != sizes[i.filename]
                or before[i.filename].packing != after[i.filename].packing
            )
        )
    order = [p for p in before if p in after] != [p for p in after if p in before]
    rows = [record_paths(facts.texts["RECORD"]) for facts in (shipped, rebuilt)]
    return Differences(
        only_shipped=tuple(p for p in before if p not in after),
        only_rebuilt=tuple(p for p in after if p not in before),
        content=tuple(content),
        line_endings=endings,
        version_strings=versions,
        shuffled=shuffled,
        lost_packages=tuple(sorted(_packages(shipped) - _packages(rebuilt))),
        times={
            p: (before[p].mtime, after[p].mtime) for p in both if before[p].mtime != after[p].mtime
        },
        modes={p: (before[p].mode, after[p].mode) for p in both if before[p].mode != after[p].mode},
        metadata=_lines(shipped, rebuilt, "METADATA"),
        wheel=_lines(shipped, rebuilt, "WHEEL"),
        record_order=_other_order(*rows),
        order=order,
        reordered=reordered(before, after) if order else reordered(*rows),
        packing=packing,
    )


def _both(
    one: zipfile.ZipFile, other: zipfile.ZipFile, member: Member
) -> tuple[bytes, bytes] | None:
    """Return both sides of a member; None when it is too large to be read for this."""
    if max(archive.getinfo(member.path).file_size for archive in (one, other)) > _MAX_TEXT:
        return None
    left, right = (archive.read(member.path) for archive in (one, other))
    return left, right


def _same(pair: tuple[bytes, bytes], form: Callable[[bytes], bytes]) -> bool:
    return form(pair[0]) == form(pair[1])


def _plain_lines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def _without_versions(data: bytes) -> bytes:
    return _VERSION.sub(b"V", data)


def _moved(shipped: bytes, rebuilt: bytes) -> int:
    """Return how many lines, else words, stand elsewhere; 0 where they are not the same ones."""
    for end in _LINE, _WORD:
        left, right = end.split(shipped), end.split(rebuilt)
        if sorted(left) == sorted(right):
            return sum(a != b for a, b in zip(left, right, strict=True))
    return 0


def _lines(shipped: WheelFacts, rebuilt: WheelFacts, name: str) -> tuple[str, ...]:
    left, right = (
        facts.texts[name].decode("utf-8", "replace").splitlines() for facts in (shipped, rebuilt)
    )
    changed = difflib.unified_diff(left, right, lineterm="", n=0)
    found = [line for line in changed if not line.startswith(("---", "+++", "@@"))]
    return tuple(line[:200] for line in found[:_SHOWN_LINES])


def _packages(facts: WheelFacts) -> set[str]:
    text = facts.texts.get("top_level.txt", b"").decode("utf-8", "replace")
    return {line.strip()[:100] for line in text.splitlines() if line.strip()}


def _other_order(left: Sequence[str], right: Sequence[str]) -> bool:
    """Say whether the paths that both RECORDs have stand in another order."""
    common = set(left) & set(right)
    return [p for p in left if p in common] != [p for p in right if p in common]
