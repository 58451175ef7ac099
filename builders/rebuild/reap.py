"""Remove what killed runs have left: containers, mounts, folders.

What was left may be hostile or broken. It is not read, and what cannot be removed is reported and
keeps nothing else from being removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from builders.container.scratch import detach_deleted
from builders.core.errors import EngineError
from builders.core.runid import is_run_id
from builders.engine import Engine
from builders.rebuild.workspace import discard_scratch, is_alive, remove_folder, try_lock

_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class NotRemoved:
    """Something that could not be removed, by its id or name, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ReapReport:
    """What was removed, and what was not: ids of containers, names of run folders and files."""

    containers: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    failed: list[NotRemoved] = field(default_factory=list)

    @contextmanager
    def noting(self, name: str, removed: list[str] | None = None) -> Iterator[None]:
        """Add `name` to `removed` after the block, or to what failed if the block does."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # no leftover may keep the others
            reason = str(error) or type(error).__name__
            self.failed.append(NotRemoved(name=name, reason=reason))
        else:
            if removed is not None:
                removed.append(name)


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
    no process. A folder is removed if no process holds it; one without a lock, and incomplete files
    below `workdir`, after a day. Living runs are never touched; of the runs in `keep` only scratch
    spaces are removed. Raises `EngineError` if the engine does not list its containers.
    """
    moment, report = now or datetime.now(UTC), ReapReport()
    for leftover in engine.containers(center=center):
        with report.noting(leftover.id):
            if is_alive(runs, leftover.run):
                continue
            if leftover.deadline is None:
                raise EngineError("its deadline cannot be read", todo="Remove it with docker")
            if leftover.deadline < moment:
                engine.remove(leftover.id)
                report.containers.append(leftover.id)
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        with report.noting(folder.name), try_lock(folder) as locked:
            if locked:
                _remove_run(engine, folder, report, kept=folder.name in keep)
            elif locked is None and is_run_id(folder.name) and _is_stale(folder, moment):
                _remove_run(engine, folder, report, kept=False)  # killed before it had its lock
    with report.noting("loop devices"):
        detach_deleted()
    for path in sorted(workdir.iterdir()) if workdir.is_dir() else []:
        with report.noting(path.name):
            _remove_stale(path, moment, report)
    return report


def _remove_run(engine: Engine, folder: Path, report: ReapReport, *, kept: bool) -> None:
    """Remove a run that no process holds; of one that is kept its scratch spaces alone."""
    if kept:
        discard_scratch(folder)
        return
    for leftover in engine.containers(run=folder.name):
        with report.noting(leftover.id, report.containers):
            engine.remove(leftover.id)
    remove_folder(folder)
    report.folders.append(folder.name)


def _remove_stale(path: Path, now: datetime, report: ReapReport) -> None:
    """Delete what a killed fetch or image build has left."""
    if _is_stale(path, now):
        remove_folder(path)
        report.files.append(path.name)


def _is_stale(path: Path, now: datetime) -> bool:
    try:
        return now.timestamp() - path.lstat().st_mtime > _STALE_SECONDS
    except FileNotFoundError:  # its owner has just removed it
        return False
