"""Clearing away what killed runs of a center left on this machine."""

from __future__ import annotations

from builders.build.reap import ReapReport, reap
from pipelines.verify.session import Session


def reap_center(session: Session) -> ReapReport:
    """Remove containers, mounts and folders of no living run, and half-written objects."""
    center = session.center
    gone = reap(session.engine, center.runs, session.workdir, center=center.id)
    session.store.sweep()
    return gone
