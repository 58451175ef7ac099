"""Which steps of a verification are tried again after a failure: with a scheduler and without.

Only what the center itself broke is worth another try. What a release did is its outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from builders.core.errors import InfrastructureError
from pipelines.evidence.errors import SignerError
from pipelines.verify.session import Job, Session

DELAYS = (2, 10)
"""Seconds before the second and the third try."""
_ONCE = frozenset({"seal", "judge", "explain"})
"""Steps that reach no service of the center, or whose failure is part of their answer."""


def delays_of(step: str) -> tuple[int, ...]:
    """Return the seconds before each further try of a step; empty where there is none."""
    return () if step in _ONCE else DELAYS


def is_retried(error: object) -> bool:
    """Say whether a failure is worth another try."""
    return isinstance(error, InfrastructureError | SignerError)


def retrying(session: Session) -> Callable[[str, Callable[..., Any]], Callable[..., Any]]:
    """Return what wraps each step in its further tries; a cancelled session makes none."""

    def wrap(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def tried(job: Job, *args: Any, **kwargs: Any) -> Any:
            for delay in () if session.offline else delays_of(name):
                try:
                    return step(job, *args, **kwargs)
                except Exception as error:
                    if not is_retried(error):
                        raise
                    session.progress.step(job.release, f"again in {delay} s, since {name}: {error}")
                    if session.cancelled.wait(delay) or session.cancellation(job.run).is_set():
                        raise
            return step(job, *args, **kwargs)

        return tried

    return wrap
