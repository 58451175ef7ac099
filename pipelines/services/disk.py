"""The disk that a center uses, and what is left of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.center.center import Center

_BLOCK = 512
"""Bytes of a block in `st_blocks` (stat(2))."""
_TIGHT = 5 << 30
"""Free bytes below which rebuilds run out of scratch space soon."""
_PARTS = (
    *("apt", "cache", "infer", "log", "outbox", "reports", "runs", "standing", "vault", "work"),
)


@dataclass(frozen=True, kw_only=True)
class DiskUse:
    """Bytes on the disk of a center's home."""

    total: int
    free: int
    used: dict[str, int]
    """By part of the center: the vault, other evidence, caches, logs and so on; none is empty."""

    @property
    def tight(self) -> bool:
        """Whether little is left."""
        return self.free < _TIGHT


def disk_use(center: Center) -> DiskUse:
    """Return what the parts of a center use; a store on S3 is none of them. Raises `OSError`."""
    home = center.home
    while not home.exists():  # a center that never ran
        home = home.parent
    whole = shutil.disk_usage(home)
    places = {name: [center.home / name] for name in _PARTS}
    if isinstance(store := center.store, Path):
        vault = store / "private" / "vault"
        evidence = [part for part in _below(store) if part != store / "private"]
        evidence += [part for part in _below(store / "private") if part != vault]
        places |= {"vault": [vault], "evidence": evidence}
    sizes = {name: sum(map(_size, paths)) for name, paths in places.items()}
    used = {name: size for name, size in sorted(sizes.items()) if size}
    return DiskUse(total=whole.total, free=whole.free, used=used)


def _below(folder: Path) -> Iterator[Path]:
    yield from folder.iterdir() if folder.is_dir() else ()


def _size(path: Path) -> int:
    """Return the bytes that the files of a folder have on the disk."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # it has just gone
                total += os.lstat(f"{folder}/{name}").st_blocks * _BLOCK
    return total
