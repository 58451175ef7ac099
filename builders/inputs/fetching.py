"""Stocking the vault: what it lacks is fetched once, checked, and read from there ever after."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from builders.inputs.vault import Vault
from builders.locators.fetcher import Fetcher, FetchRequest

FetchProgress = Callable[[int, int, str], None]
"""Called with files done, files in all, and the name of the last one."""

_BATCH = 50  # files between two signs of life


def no_progress(done: int, total: int, name: str) -> None:
    """Show no progress."""


def fetch_missing(
    vault: Vault,
    fetcher: Fetcher,
    wants: Sequence[FetchRequest],
    workdir: Path,
    progress: FetchProgress = no_progress,
) -> int:
    """Fetch into `vault` whatever of `wants` it lacks, and return how many files that were.

    Raises `InputUnavailableError` or `InputMismatchError` for the first file that nobody serves or
    that has other bytes; files fetched before it stay in the vault, nothing stays in `workdir`.
    """
    lacking = list({want.sha256: want for want in wants if not vault.has(want.sha256)}.values())
    workdir.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(lacking), _BATCH):
        batch = lacking[start : start + _BATCH]
        with tempfile.TemporaryDirectory(dir=workdir, prefix="fetch-") as folder:
            paths = fetcher.fetch(batch, Path(folder))
            for offset, (want, path) in enumerate(zip(batch, paths, strict=True), start=1):
                vault.add(path, want.sha256, what=f"{want.name} ({want.locator})")
                progress(start + offset, len(lacking), want.name)
    return len(lacking)
