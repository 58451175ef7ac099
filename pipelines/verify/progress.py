"""Progress of a run, one line a step, wherever it is shown."""

from __future__ import annotations

import logging
from typing import Protocol

_LOG = logging.getLogger("samebits")


class Sink(Protocol):
    """Takes what is to be shown."""

    def step(self, release: str, step: str) -> None:
        """Show that a release has come to `step`."""

    def detail(self, release: str, text: str) -> None:
        """Show that something moves within the current step."""

    def done(self, release: str, text: str) -> None:
        """Show that a release is finished."""


class LogSink:
    """The default: the log of the process, as a scheduler's worker keeps it."""

    def step(self, release: str, step: str) -> None:
        """Log the step."""
        _LOG.info("%s: %s", release, step)

    def detail(self, release: str, text: str) -> None:
        """Log the detail, for those who want to know."""
        _LOG.debug("%s: %s", release, text)

    def done(self, release: str, text: str) -> None:
        """Log the end."""
        _LOG.info("%s: %s", release, text)
