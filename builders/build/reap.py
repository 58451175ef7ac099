"""Clearing away what killed runs left: containers, mounts, folders."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from builders.build import workspace
from builders.engine import Engine

_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Reaped:
    """What was removed: ids of containers, names of run folders."""

    containers: tuple[str, ...]
    folders: tuple[str, ...]
    files: tuple[str, ...]


def reap(
    engine: Engine, runs: Path, workdir: Path, *, center: str, now: datetime | None = None
) -> Reaped:
    """Remove what belongs to `center` and to no living run.

    A container goes when its deadline has passed or its run's folder is here and nobody holds it; a
    folder goes when nobody holds it; half-made files below `workdir` go after a day. Living runs
    are never touched.
    """
    moment = now or datetime.now(UTC)
    containers, folders = [], []
    for leftover in engine.containers(center=center):
        late = leftover.deadline is not None and leftover.deadline < moment
        if late and not workspace.alive(runs, leftover.run):
            engine.sweep(leftover.run)
            containers.append(leftover.id)
    for folder in workspace.dead(runs):
        containers += [c.id for c in engine.containers(run=folder.name)]
        engine.sweep(folder.name)
        with contextlib.suppress(FileNotFoundError):  # its owner was at it too
            workspace.clear(folder)
        folders.append(folder.name)
    return Reaped(
        containers=tuple(containers),
        folders=tuple(folders),
        files=tuple(_old_files(workdir, moment)),
    )


def _old_files(workdir: Path, now: datetime) -> Iterator[str]:
    """Delete what fetches and image builds that were killed long ago left half-made."""
    for path in sorted(workdir.iterdir()) if workdir.is_dir() else []:
        try:
            age = now.timestamp() - path.stat().st_mtime
        except FileNotFoundError:  # its owner has just removed it
            continue
        if age > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
            yield path.name
