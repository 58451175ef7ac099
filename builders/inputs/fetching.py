"""Fetch inputs that the vault lacks; they are checked, kept there, and never fetched again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from builders.inputs.vault import Vault
from builders.locators.fetcher import Fetcher, FetchRequest

FetchProgress = Callable[[int, int, str], None]
"""Called with the number of files done, the number of all files, and the name of the last one."""

_BATCH = 50  # files between two reports of progress


def no_progress(done: int, total: int, name: str) -> None:
    """Report no progress."""


def fetch_missing(
    vault: Vault,
    fetcher: Fetcher,
    requests: Sequence[FetchRequest],
    workdir: Path,
    progress: FetchProgress = no_progress,
) -> int:
    """Fetch into `vault` the files that it lacks, and return their number.

    Raises `InputUnavailableError` or `InputMismatchError` for the first file that cannot be fetched
    or has another digest. Files fetched before it stay in the vault; nothing stays in `workdir`.
    """
    lacking = list({r.sha256: r for r in requests if not vault.has(r.sha256)}.values())
    workdir.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(lacking), _BATCH):
        batch = lacking[start : start + _BATCH]
        with tempfile.TemporaryDirectory(dir=workdir, prefix="fetch-") as folder:
            paths = fetcher.fetch(batch, Path(folder))
            for offset, (request, path) in enumerate(zip(batch, paths, strict=True), start=1):
                vault.add(path, request.sha256, what=f"{request.name} ({request.locator})")
                progress(start + offset, len(lacking), request.name)
    return len(lacking)
