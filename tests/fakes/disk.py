"""Small real file systems to fill and to break."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk_at(mount: Path) -> Iterator[Path]:
    """Mount a file system of 1 MiB at the new folder `mount`; needs root."""
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def make_deep(folder: Path, levels: int) -> None:
    """Make a tree whose paths are longer than any path may be."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 60, dir_fd=at)  # by descriptor
        below = os.open("d" * 60, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
