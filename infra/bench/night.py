"""A night on a standing center: how much of the cores its builds get, and what all else uses.

Everything is made in a temporary folder, and the center is taken down at the end. What a center
does once, starting up and building images, is told apart from the night; and of the night the part
from the first shard's start to the end of the last build, which is that in which cores can build.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from builders.core.enums import Outcome
from builders.core.errors import InfrastructureError, RebuildError, UsageError
from builders.images.provide import ensure_image
from builders.recipe.recipe import load_recipe
from infra.bench.nightcenter import FIXTURES, make_center, write_recipes
from infra.bench.usage import Usage
from pipelines.center.center import Center
from pipelines.center.file import AUTO
from pipelines.nightly.record import NightRecord, read_night
from pipelines.services import supervisor
from pipelines.services.database import choose
from pipelines.services.prefect_api import PrefectApi, ask_for_night, follow, night_of
from pipelines.verify.session import Session

_LOOK, _POLL = 0.5, 2.0
"""Seconds; every question costs the server some CPU, and looking at processes costs it none."""
_PATIENCE = 4 * 3600
_PAGE = 200
_LATE = 30.0
"""Seconds after which Prefect has written down how a task ended."""
_SHARDS = {"name": {"any_": ["verify-shard"]}}


def measure(
    *,
    count: int,
    real: bool,
    seconds: int,
    workers: int,
    shard: int | None = None,
    then: int | None = None,
    database: str = AUTO,
) -> dict[str, Any]:
    """Run one night over `count` fixtures whose builds take `seconds` of CPU, and `real` recipes.

    With `then`, another center has a night of that many fixtures that build in no time, and the
    peaks of memory of both nights are told side by side.
    """
    how: dict[str, Any] = {"workers": workers, "shard": shard, "database": database}
    figures = _measured(count=count, real=real, seconds=seconds, **how)
    if then is None:
        return figures
    more = _measured(count=then, real=False, seconds=0, **how)
    peaks = {f"{one['releases']} releases": one["peak_mib"] for one in (figures, more)}
    return {"night": figures, "then": more, "peak_mib": peaks}


def _measured(
    *, count: int, real: bool, seconds: int, workers: int, shard: int | None, database: str
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        center = make_center(Path(name), workers=workers, shard=shard, database=database)
        write_recipes(Path(name) / "recipes", count=count, real=real, seconds=seconds)
        images, usage = _provide_images(center, Path(name) / "recipes"), Usage(center)
        begin = time.monotonic()
        with _up(center):
            startup = {
                "wall_seconds": round(time.monotonic() - begin, 1),
                "cpu_seconds": round(usage.look().center, 1),
            }
            night = _night(center, usage, seconds=seconds)
            return {**night, "startup": startup, "images": images}


@contextmanager
def _up(center: Center) -> Iterator[None]:
    try:
        supervisor.up(center)
        yield
    finally:
        supervisor.down(center)


def _provide_images(center: Center, recipes: Path) -> dict[str, Any]:
    """Build the images of all recipes, as a center does once; returns what that took."""
    session, names, failed = Session(center), set[str](), 0
    begin, busy = time.monotonic(), _own_cpu()
    for path in (recipes / "releases").rglob("*.yaml"):
        try:
            names.add(load_recipe(path).recipe.build.image)
        except UsageError:
            continue  # the night says so
    for name in sorted(names):
        try:
            ensure_image(name, session.images, session.engine, session.workdir)
        except RebuildError:
            failed += 1
    return {
        "images": len(names),
        "failed": failed,
        "wall_seconds": round(time.monotonic() - begin, 1),
        "cpu_seconds": round(_own_cpu() - busy, 1),
    }


def _night(center: Center, usage: Usage, *, seconds: int) -> dict[str, Any]:
    """Ask for a night, watch it to its end, and return the figures of it."""
    begin = time.time()
    api, usage.night = ask_for_night(center)
    with usage.watching(every=_LOOK):
        for run in follow(api, usage.night, pause=_POLL):
            if time.time() - begin > _PATIENCE:
                raise InfrastructureError(
                    "the night of the benchmark does not end", got=run["state_name"]
                )
    if run["state_type"] != "COMPLETED":
        raise InfrastructureError("the night of the benchmark failed", got=run["state_name"])
    end, store = time.time(), Session(center).store
    record = read_night(store, center.id, night_of(run))
    if not record.releases:
        raise UsageError(
            "the night of the benchmark had no releases",
            got=f"{len(record.unusable)} recipes that cannot be used",
            expected="at least one that can",
            todo="Give it fixtures: `samebits bench night --count 34`",
        )
    built = [entry.release for entry in record.releases if entry.outcome is Outcome.BUILT]
    work = seconds * sum(release.startswith(FIXTURES) for release in built)
    spans = {"from_first_shard_to_last_build": _building(api, len(built)), "whole": (begin, end)}
    return {
        **_facts(center, record, seconds=seconds),
        **{name: _span(usage, *span, work=work) for name, span in spans.items()},
        "cpu_seconds_per_release": round(
            usage.between(begin, end).center / len(record.releases), 2
        ),
        "cpu_limit_per_release": 3.0,
        "cpu_seconds_since_start": usage.seconds(),
        "database_is_locked": _locked(center),
        "peak_mib": usage.mebibytes(),
    }


def _locked(center: Center) -> int:
    """Return how often the logs of the center's services say what SQLite says when it gives up."""
    logs = supervisor.service_folder(center).glob("*.log*")
    return sum(log.read_bytes().count(b"database is locked") for log in logs)


def _facts(center: Center, record: NightRecord, *, seconds: int) -> dict[str, Any]:
    return {
        "releases": len(record.releases),
        "unusable": len(record.unusable),
        "verdicts": dict(sorted(Counter(str(e.verdict) for e in record.releases).items())),
        "shard": center.night.shard,
        "workers": center.workers,
        "database": str(choose(center)),
        "build_cpu_seconds": seconds,
    }


def _span(usage: Usage, start: float, end: float, *, work: int) -> dict[str, float | None]:
    """Return whose the cores were in a span of time: shares of all that they had to give.

    What neither builds nor our processes took is the container engine's, and that of anybody else
    who is on the machine.
    """
    wall, used = end - start, usage.between(start, end)
    builds = work / ((os.cpu_count() or 1) * wall)
    ours, idle = used.center / used.machine, used.idle / used.machine
    return {
        "wall_seconds": round(wall, 1),
        "builds_share": round(builds, 3) if work else None,
        "samebits_and_prefect_share": round(ours, 3),
        "idle_share": round(idle, 3),
        "engine_and_others_share": round(1 - builds - ours - idle, 3) if work else None,
    }


def _building(api: PrefectApi, rebuilt: int) -> tuple[float, float]:
    """Return when the first shard started, and when the last of so many rebuilds ended."""
    shards = _all(api, "/flow_runs/filter")
    started = [_moment(shard["start_time"]) for shard in shards if shard["start_time"]]
    until = time.monotonic() + _LATE
    while True:
        tasks = _all(api, "/task_runs/filter", task_runs={"name": {"like_": "rebuild"}})
        ended = [_moment(task["end_time"]) for task in tasks if task["end_time"]]
        if len(ended) >= rebuilt:
            return min(started), max(ended)
        if time.monotonic() > until:
            raise InfrastructureError(
                "Prefect does not say how all rebuilds ended", got=len(ended), expected=rebuilt
            )
        time.sleep(_LOOK)


def _all(api: PrefectApi, path: str, **which: Any) -> list[dict[str, Any]]:
    """Return everything of the shards that Prefect has there."""
    found: list[dict[str, Any]] = []
    while page := api.post(path, flows=_SHARDS, limit=_PAGE, offset=len(found), **which):
        found += page
    return found


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _own_cpu() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
