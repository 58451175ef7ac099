"""Progress: lines that move on a terminal, one plain line a step elsewhere. All on stderr."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Protocol, Self

import click

from pipelines.verify import progress


class Screen(progress.Sink, Protocol):
    """A sink that owns the terminal while its block lasts."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing."""


class PlainLines:
    """One line a step, with the seconds since the start."""

    def __init__(self) -> None:
        """Start the clock."""
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing."""

    def step(self, release: str, step: str) -> None:
        """Print the step."""
        with self._lock:
            click.echo(f"{time.monotonic() - self._start:7.1f} s  {release}  {step}", err=True)

    def detail(self, release: str, text: str) -> None:
        """Leave details out: a log wants one line a step."""

    def done(self, release: str, text: str) -> None:
        """Print the end."""
        self.step(release, text)


class LiveLines:
    """One moving line a release, and its last word when it is done."""

    def __init__(self) -> None:
        """Prepare the lines; nothing is drawn yet."""
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            TextColumn("{task.fields[step]} [dim]{task.fields[detail]}", markup=True),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, object] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing, and leave the terminal as it was."""
        self._progress.stop()

    def step(self, release: str, step: str) -> None:
        """Show the step on the line of the release."""
        self._update(release, step=step, detail="")

    def detail(self, release: str, text: str) -> None:
        """Show the detail beside the step."""
        self._update(release, detail=text)

    def done(self, release: str, text: str) -> None:
        """Show the end, and stop the clock of the line."""
        self._update(release, step=text, detail="")
        with self._lock:
            self._progress.update(self._tasks[release], total=1, completed=1)  # type: ignore[arg-type]

    def _update(self, release: str, **fields: str) -> None:
        with self._lock:
            if release not in self._tasks:
                self._tasks[release] = self._progress.add_task(
                    release, total=None, step="", detail=""
                )
            self._progress.update(self._tasks[release], **fields)  # type: ignore[arg-type]


def screen() -> Screen:
    """Return the right screen for where stderr goes."""
    return LiveLines() if sys.stderr.isatty() else PlainLines()
