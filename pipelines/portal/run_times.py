"""When runs began, as their ids say; an id that a center has made up may say nothing."""

from __future__ import annotations

from datetime import datetime

from builders.core.runid import is_run_id, run_started


def began(run: str) -> datetime | None:
    """Return when a run began, UTC; None for an id that is no time, such as of month 13."""
    if not is_run_id(run):
        return None
    try:
        return run_started(run)
    except ValueError:
        return None
