"""Runs that were cut off after their commitment: each is completed from its folder.

A commitment without a result looks as if the center had not liked what it found, so an honest
center always completes what it has committed to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from builders.core.errors import SamebitsError
from builders.core.runid import RunId
from builders.rebuild.workspace import abandoned_folders, remove_folder
from pipelines.evidence.report import Report
from pipelines.verify.kept_seal import publish_seal_lines
from pipelines.verify.sealed_run import SealedRun, is_sealed, read_sealed
from pipelines.verify.session import Job, Session
from pipelines.verify.steps import LostOutputsError
from pipelines.verify.verify import complete

_LOG = logging.getLogger("samebits")


def interrupted_runs(session: Session) -> Iterator[str]:
    """Yield the ids of the runs of this machine that were cut off after their commitment."""
    for folder in abandoned_folders(session.center.runs):
        if is_sealed(folder):
            yield folder.name


def interrupted_warnings(session: Session) -> Iterator[str]:
    """Yield a sentence for each of `interrupted_runs`."""
    for run in interrupted_runs(session):
        yield f"the run {run} was cut off after its commitment: `samebits reap` completes it"


def complete_interrupted(session: Session) -> Iterator[Report | str]:
    """Complete every run of this machine that was cut off, and remove its folder.

    Yields the reports, and the ids of runs that could not be completed: their folders stay. Of one
    whose outputs are lost the lines of its seal are published. Runs that had not committed are left
    for `reap`.
    """
    for folder in abandoned_folders(session.center.runs):
        try:
            sealed = read_sealed(folder)
            if sealed is None:
                continue
            job = Job(
                loaded=sealed.loaded(folder),
                center=session.center.id,
                run=RunId(folder.name),
                folder=folder,
            )
            session.sweep(job.run)
            report = _complete(session, job, sealed)
            session.sweep(job.run)
            remove_folder(folder)
        except Exception as error:  # noqa: BLE001  # one run must not keep the others from completion
            unknown = not isinstance(error, SamebitsError | OSError)
            _LOG.warning(
                "the run %s could not be completed: %s", folder.name, error, exc_info=unknown
            )
            yield folder.name
        else:
            yield report


def _complete(session: Session, job: Job, sealed: SealedRun) -> Report:
    try:
        return complete(session, job, sealed)
    except LostOutputsError:
        publish_seal_lines(session, job.release, job.run)
        raise
