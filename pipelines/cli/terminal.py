"""What people and programs see: results, questions, the progress of a run, and its report."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from builders.core.enums import Outcome, Verdict
from builders.core.escaping import escaped
from pipelines.cli.console import styled, write, write_json
from pipelines.cli.differences import (
    beside_lines,
    confirmation_lines,
    field_lines,
    told_of,
)
from pipelines.cli.layout import fitted, short, shortened
from pipelines.cli.options import noted

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

    from pipelines.evidence.report import Report
    from pipelines.evidence.run_explanation import RunExplanation
    from pipelines.evidence.statements.rebuilds import RobustnessTest
    from pipelines.infer.journal import RemainingCause
    from pipelines.judge.finding import Finding
    from pipelines.verify.session import Session, Sink

VERDICT_COLORS: dict[str, str] = {
    Verdict.IDENTICAL: "green",
    Verdict.IDENTICAL_SIGNED: "green",
    Verdict.EQUIVALENT: "yellow",
    Verdict.NOT_CHECKED: "yellow",
}
_SHOWN_CAUSES = 8
_ROBUSTNESS = {
    "same": "the same bytes in a varied environment",
    "differs": "other bytes in a varied environment",
    "failed": "nothing was left to compare",
}


def wants_json() -> bool:
    """Return whether the command was called with `--json`."""
    return bool(noted("json"))


def show(document: Any, *lines: object) -> None:
    """Print `document` with `--json`, else the lines, wrapped where stdout is a terminal."""
    if wants_json():
        write_json(document)
    elif lines:
        write(*fitted(lines))


def tell(*lines: object) -> None:
    """Print lines on stderr, wrapped where that is a terminal."""
    if lines:
        write(*fitted(lines, sys.stderr), err=True)


def warn(message: object) -> None:
    """Print a message or an error on stderr."""
    tell(f"samebits: {message}")


def counted(number: float, one: str, more: str | None = None) -> str:
    """Return a number with its noun; `more` is the plural, by default with an s."""
    return f"{number:.15g} {one if number == 1 else more or one + 's'}"


class PlainLines:
    """One line a step, with the seconds since the start."""

    def __init__(self) -> None:
        """Start the clock."""
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def step(self, release: str, step: str) -> None:
        """Print the step."""
        with self._lock:
            seconds = time.monotonic() - self._start
            write(f"{seconds:7.1f} s  {release}  {step}", err=True)

    def detail(self, release: str, text: str) -> None:
        """Print nothing: a log has one line a step."""

    def done(self, release: str, text: str) -> None:
        """Print the end."""
        self.step(release, text)


class LiveLines:
    """One moving line a release, which stays as its result when the release is done."""

    def __init__(self, progress: Progress) -> None:
        """Draw in `progress`, whose columns show the fields `step` and `detail`."""
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def step(self, release: str, step: str) -> None:
        """Show the step on the line of the release."""
        self._update(release, step=escaped(step), detail="")

    def detail(self, release: str, text: str) -> None:
        """Show the detail beside the step."""
        self._update(release, detail=escaped(text))

    def done(self, release: str, text: str) -> None:
        """Show the end, and stop the clock of the line."""
        self._update(release, step=escaped(text), detail="", total=1, completed=1)

    def _update(self, release: str, **fields: Any) -> None:
        with self._lock:
            if release not in self._tasks:
                self._tasks[release] = self._progress.add_task(
                    escaped(release), total=None, step="", detail=""
                )
            self._progress.update(self._tasks[release], **fields)


@contextmanager
def screen(session: Session | None = None) -> Iterator[Sink]:
    """Show progress while the block lasts: moving lines on a terminal, else plain ones.

    The progress of `session` is shown too.
    """
    with _live_lines() if sys.stderr.isatty() else nullcontext(PlainLines()) as sink:
        if session is not None:
            session.progress = sink
        yield sink


@contextmanager
def _live_lines() -> Iterator[Sink]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*columns(), console=Console(stderr=True)) as progress:
        yield LiveLines(progress)


def columns() -> tuple[ProgressColumn, ...]:
    """Return the columns in which `LiveLines` draws; no text of a step is read as markup."""
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    return (
        SpinnerColumn(),
        TextColumn("{task.description}", style="bold", markup=False),
        TextColumn("{task.fields[step]}", markup=False),
        TextColumn("{task.fields[detail]}", style="dim", markup=False),
        TimeElapsedColumn(),
    )


def styled_verdict(verdict: str, *, width: int = 16) -> str:
    """Return a verdict, or an outcome without one, in its color and padded to `width`."""
    return styled(f"{verdict:<{width}}", VERDICT_COLORS.get(verdict, "red"))


def report_lines(
    report: Report,
    causes: Iterable[RemainingCause] = (),
    *,
    explanation: RunExplanation | None = None,
    evidence: bool = True,
) -> Iterator[str]:
    """Yield a line for each artefact, and below it the reason of a verdict that is no pass.

    `causes` are those that the readers of its formats have named for the run, `explanation` is what
    is stored beside its report. Without `evidence` there is nothing in the store that the run could
    be looked up by.
    """
    seconds = report.timings.get("total", 0.0)
    built = "" if report.outcome is Outcome.BUILT else f", outcome {report.outcome}"
    yield f"{styled(report.release, bold=True)}  {seconds:.1f} s{built}"
    for finding in report.artefacts:
        yield f"  {styled_verdict(finding.verdict)} {finding.name}"
        if finding.verdict not in {Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED}:
            yield from (f"{'':19}{shortened(line)}" for line in _reason_lines(finding, explanation))
        yield from (f"{'':19}{shortened(line)}" for line in beside_lines(finding))
    yield from (f"  cause {cause.name}: {cause.detail}" for cause in causes)
    yield from _copy_lines(report)
    if report.claim:
        yield f"  claim {short(report.claim)}  digest of inputs, image, scripts, environment"
    if report.seal:
        yield f"  seal  {short(report.seal)}  digest of the outputs, logged before comparing"
    if not evidence:
        return
    yield f"  run   {report.run}"
    show = f"samebits evidence show {report.release} --run {report.run}"
    if built and any(attempt.rebuild.log for attempt in report.attempts):
        yield f"  log   {show} --log"
    if any(told_of(f, explanation).explanation.html_diff for f in report.artefacts):
        yield f"  see   {show} --open"


def _copy_lines(report: Report) -> Iterator[str]:
    copies = [f.shipped for f in report.artefacts if f.shipped and f.shipped.from_vault]
    if copies:
        times = [copy.fetched_on for copy in copies if copy.fetched_on]
        since = f", fetched {min(times):%Y-%m-%dT%H:%M:%SZ}" if times else ""
        many = counted(len(copies), "shipped file")
        yield f"  from the vault: {many}{since}; --fresh fetches again"


def _reason_lines(finding: Finding, explanation: RunExplanation | None) -> Iterator[str]:
    yield finding.reason
    told = told_of(finding, explanation)
    found = told.explanation
    yield from field_lines(found.first_look)
    for cause in told.causes[:_SHOWN_CAUSES]:
        yield f"- {cause.name}: {cause.detail}"
    yield from confirmation_lines(finding.name, explanation)
    if found.tool:
        kept = f", report sha256 {found.html_diff}" if found.html_diff else ""
        yield f"- {found.tool}: {found.status}{kept}"
    elif found.status != "none":
        yield f"- explanation {found.status}: {found.note or 'no reason is published'}"


def robustness_lines(test: RobustnessTest) -> list[str]:
    """Return a robustness test as lines of text; none of them is a verdict."""
    changed = [artefact.name for artefact in test.artefacts if not artefact.same]
    lines = [f"robustness rebuild: {_ROBUSTNESS[test.result]}; this changes no verdict"]
    if test.outcome is not Outcome.BUILT:
        lines.append(f"outcome {test.outcome}")
    elif changed:
        lines.append(f"changed: {', '.join(changed)}")
    lines += [f"varied {m.factor}: {m.before} -> {m.after}" for m in test.moved]
    lines += [f"kept {k.factor}: {k.why}" for k in test.kept]
    return [lines[0], *(f"  {line}" for line in lines[1:])]
