"""Remove what killed runs have left: containers, mounts, folders."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from builders.engine import Engine
from builders.rebuild.workspace import abandoned_folders, is_alive, remove_folder

_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class ReapReport:
    """What was removed: ids of containers, names of run folders and of other files."""

    containers: tuple[str, ...]
    folders: tuple[str, ...]
    files: tuple[str, ...]


def reap(
    engine: Engine,
    runs: Path,
    workdir: Path,
    *,
    center: str,
    now: datetime | None = None,
    keep: Collection[str] = (),
) -> ReapReport:
    """Remove what belongs to `center` and to no living run.

    A container is removed if its deadline has passed, or if its run's folder is here and is held by
    no process. A folder is removed if no process holds it, and incomplete files below `workdir`
    after a day. Living runs are never touched, nor the folders of runs in `keep`.
    """
    moment = now or datetime.now(UTC)
    containers, folders = [], []
    for leftover in engine.containers(center=center):
        late = leftover.deadline is not None and leftover.deadline < moment
        if late and not is_alive(runs, leftover.run):
            engine.sweep(leftover.run)
            containers.append(leftover.id)
    for folder in abandoned_folders(runs):
        if folder.name in keep:
            continue
        containers += [c.id for c in engine.containers(run=folder.name)]
        engine.sweep(folder.name)
        with contextlib.suppress(FileNotFoundError):  # its owner is removing it, too
            remove_folder(folder)
        folders.append(folder.name)
    return ReapReport(
        containers=tuple(containers),
        folders=tuple(folders),
        files=tuple(_remove_stale(workdir, moment)),
    )


def _remove_stale(workdir: Path, now: datetime) -> Iterator[str]:
    """Delete what killed fetches and image builds have left, and yield the names."""
    for path in sorted(workdir.iterdir()) if workdir.is_dir() else []:
        try:
            age = now.timestamp() - path.stat().st_mtime
        except FileNotFoundError:  # its owner has just removed it
            continue
        if age > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
            yield path.name
