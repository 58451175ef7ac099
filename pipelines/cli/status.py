"""`samebits center status`: the state of a center, once or again and again.

`pipelines.cli.center` adds this command to its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from pipelines.cli import options
from pipelines.cli.console import clear_screen, styled, write
from pipelines.cli.layout import fitted, table
from pipelines.cli.terminal import counted, show, wants_json

if TYPE_CHECKING:
    from pipelines.services.disk import DiskUse
    from pipelines.services.status import CenterStatus, RunningJob
    from pipelines.verify.session import Session

_MISSING = 1
_EVERY, _SLOW_EVERY = 2.0, 60.0
"""Seconds from one look to the next; disk and alarms are looked at less often."""


@click.command()
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until Ctrl-C.")
@options.common
def status(session: Session, *, watch: bool) -> None:
    """Show services, the night and its rate, what runs where, alarms, disk and policy.

    \b
    Examples:
      samebits center status --center infra/centers/europe.yaml
      samebits center status --watch --center infra/centers/europe.yaml
      samebits center status --json --center infra/centers/europe.yaml

    Exit codes: 0 everything that should run does, 1 a service does not, 2 something could not be
    read.
    """
    if watch and wants_json():
        raise UsageError(
            "--watch does not go with --json",
            got="both",
            expected="one of them",
            todo="`samebits center status --json` prints one document each time it is called",
        )
    found, measured = _look(session), time.monotonic()
    try:
        while watch:
            _draw(found, datetime.now(UTC))
            time.sleep(_EVERY)
            recent = time.monotonic() - measured < _SLOW_EVERY
            measured = measured if recent else time.monotonic()
            found = _look(session, found if recent else None)
    except KeyboardInterrupt:
        sys.exit(_exit_code(found))
    show(asdict(found), *status_lines(found, datetime.now(UTC)))
    sys.exit(_exit_code(found))


def _look(session: Session, before: CenterStatus | None = None) -> CenterStatus:
    """Return the status, with the parts that take a while as they were `before`."""
    from pipelines.services.status import status as read_status

    now = datetime.now(UTC)
    if before is None:
        return read_status(session, now=now)
    return read_status(session, now=now, disk=before.disk, night=before.last_night)


def _exit_code(found: CenterStatus) -> int:
    if found.missing:
        return _MISSING
    return EXIT_NOT_CHECKED if found.faults else 0


def _draw(found: CenterStatus, now: datetime) -> None:
    """Print the status in place of the last one on a terminal, else below it."""
    moment = f"{now:%Y-%m-%d %H:%M:%S} UTC, until Ctrl-C"
    clear_screen()
    write(*fitted([moment, *status_lines(found, now)]))


def status_lines(found: CenterStatus, now: datetime) -> Iterator[str]:
    """Yield the status as text for people."""
    running = len(found.services) - len(found.missing)
    words = f"{running} of {counted(len(found.services), 'service')} running"
    yield f"center {found.center}: {words if found.services else 'no services of its own'}"
    rows = [
        (s.name, _state(runs=s.runs), "" if s.pid is None else str(s.pid), s.detail)
        for s in found.services
    ]
    yield from table(("SERVICE", "STATE", "PID", "DETAIL"), rows)
    if found.missing:
        yield "`samebits center up` starts what is stopped"
    if (night := found.night) is not None:
        share = 100 * night["done"] // max(night["releases"], 1)
        left = night["seconds_left"]
        rate = f"{night['per_hour']:g} an hour, " if left is not None else ""
        rest = "time left unknown" if left is None else f"about {_span(left)} left"
        yield f"night {night['night']}: {night['done']} of {night['releases']} releases ({share}%)"
        yield f"  {rate}{rest}"
    yield from _work("FLOW RUN", "WORKER", found.flow_runs, now)
    yield from _work("REBUILD HERE", "RUN", found.rebuilds, now)
    if found.queued:
        yield f"waiting for a worker: {', '.join(found.queued)}"
    yield f"next night: {_next_night(found, now)}"
    yield from _last_night(found)
    beat = (found.last_heartbeat or "none").replace("+00:00", "Z")
    yield f"last heartbeat: {beat}"
    if (policy := found.policy) is not None:
        yield f"policy: {policy['file']}, version {policy['version']}, until {policy['expires']}"
    yield from (f"key for {use}: {place}" for use, place in found.keys.items())
    yield from _disk(found.disk)
    if found.waiting_evidence:
        yield f"evidence that waits to be sent: {found.waiting_evidence}"
    for word, texts in (("WARNING", found.warnings), ("FAULT", found.faults)):
        yield from (f"{styled(word, 'yellow')} {text}" for text in texts)


def _state(*, runs: bool) -> str:
    return "running" if runs else styled("STOPPED", "red")


def _work(what: str, where: str, works: tuple[RunningJob, ...], now: datetime) -> Iterator[str]:
    rows = [(w.what, w.where, _since(w.since, now)) for w in works]
    yield from table((what, where, "SINCE"), rows, flexible=0)


def _since(moment: str | None, now: datetime) -> str:
    if moment is None:
        return ""
    return _span(max((now - datetime.fromisoformat(moment)).total_seconds(), 0))


def _next_night(found: CenterStatus, now: datetime) -> str:
    if found.url is None:
        return "not scheduled, since the center's file has no section `prefect`"
    if found.next_night is None or found.next_night_local is None:
        return "not scheduled" if found.answers else "unknown, Prefect does not answer"
    utc = datetime.fromisoformat(found.next_night).astimezone(UTC)
    local = datetime.fromisoformat(found.next_night_local)
    left = _span(max((utc - now).total_seconds(), 0))
    also = "" if found.timezone == "UTC" else f" ({utc:%Y-%m-%d %H:%M} UTC)"
    return f"{local:%a %Y-%m-%d %H:%M} {found.timezone}{also}, in {left}"


def _last_night(found: CenterStatus) -> Iterator[str]:
    if (night := found.last_night) is None:
        yield "last night: none"
        return
    verdicts = ", ".join(f"{n} {v}" for v, n in night["verdicts"].items())
    yield f"last night: {night['night']}: {verdicts or 'nothing'}"
    for alarm in night["alarms"]:
        text = f"{alarm['kind']}: {alarm['about']}: {alarm['text']}"
        if "acknowledged" in alarm:
            yield f"acknowledged by {alarm['acknowledged']}: {text}"
        else:
            yield f"{styled('ALARM', 'red')} {text}"
    known = len(night["alarms"]) - found.open_alarms
    yield f"open alarms: {found.open_alarms}, {known} acknowledged; see `samebits alarm list`"


def _disk(disk: DiskUse) -> Iterator[str]:
    parts = ", ".join(f"{name} {_size(size)}" for name, size in disk.used.items())
    yield f"disk: {_size(disk.free)} of {_size(disk.total)} free; {parts or 'nothing used yet'}"
    if disk.tight:
        yield f"{styled('WARNING', 'yellow')} the disk is nearly full"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _span(seconds: float) -> str:
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if seconds < 60:
        return f"{int(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days < 2 else f"{days} days"
