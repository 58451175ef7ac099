"""`samebits verify` and `samebits nightly`: what is verified now, by runs of Prefect's flows."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_INTERRUPTED, InfrastructureError, SamebitsError
from pipelines.cli import options
from pipelines.cli.terminal import report_lines, screen, show, warn

if TYPE_CHECKING:
    from pipelines.center.center import Center
    from pipelines.evidence.report import Report
    from pipelines.verify.session import Session

_SIDE_BY_SIDE = 8  # runs; how many of them build at once is a matter of cores and memory


@click.command()
@click.argument("recipes", nargs=-1, required=True, type=options.PATH, metavar="RECIPE...")
@click.option("--fresh", is_flag=True, help="Fetch shipped files again, even those in the vault.")
@options.common
def verify(session: Session, recipes: tuple[Path, ...], *, fresh: bool) -> None:
    """Rebuild releases from source, in containers without network, and judge them bit for bit.

    Each RECIPE is verified by a run of the Prefect flow `verify-release`: at PREFECT_API_URL if
    that is set, otherwise with an embedded server that ends with this command.

    \b
    Examples:
      samebits verify recipes/releases/debian/netbase/6.5.yaml
      samebits verify --json recipes/releases/*/*/*.yaml > reports.json

    Exit codes: 0 everything reproduced; 1 something SHIPPED_MISMATCH, DIFFERENT, UNEXPECTED,
    MISSING or EQUIVALENT; 2 something not checked; 64 usage or bad recipe.
    """
    from builders.container.scratch import require_root
    from builders.rebuild.lint import check_recipes
    from pipelines.judge.finding import verdicts_exit_code
    from pipelines.policy import expiry_warnings

    check_recipes(recipes, session.images)
    now = datetime.now(UTC)
    require_root()  # like a missing engine: one message, before anything starts
    for warning in expiry_warnings(session.policy(now), now):
        warn(warning)
    session.engine.info()
    session.check_store()
    reports, faults = _run_all(session, recipes, fresh=fresh)
    documents = [r.model_dump(mode="json", by_alias=True) for r in reports]
    documents += [{"error": fault.to_dict()} for fault in faults]
    show(
        documents[0] if len(recipes) == 1 else {"reports": documents},
        *(line for report in reports for line in report_lines(report)),
    )
    for fault in faults:
        warn(fault)
    if any(f.exit_code == EXIT_INTERRUPTED for f in faults):
        raise KeyboardInterrupt
    code = verdicts_exit_code(finding.verdict for report in reports for finding in report.artefacts)
    sys.exit(max([code, *(f.exit_code for f in faults)]) if faults and code != 1 else code)


@contextmanager
def _prefect_ready(
    session: Session, what: str
) -> Iterator[Callable[[], AbstractContextManager[object]]]:
    """Start Prefect, or use that at PREFECT_API_URL, and show the progress of what runs in it.

    Yields a function that returns a context manager, to be entered while a flow runs.
    """
    from pipelines.flows.server import EmbeddedServer

    session.prepare()
    with screen(session) as sink, EmbeddedServer(session.center.home / "prefect") as server:
        sink.step("samebits", f"starting Prefect for {what}")
        from pipelines.flows.verify_release import heartbeat  # for seconds, as the server starts

        server.wait()
        sink.done("samebits", "Prefect answers")
        yield partial(heartbeat, wanted=not server.embedded)


def _run_all(
    session: Session, recipes: tuple[Path, ...], *, fresh: bool
) -> tuple[list[Report], list[SamebitsError]]:
    """Run the flow for every recipe, and return reports and errors in the order of the recipes."""
    reports: list[Report] = []
    faults: list[SamebitsError] = []
    with _prefect_ready(session, f"{len(recipes)} release(s)") as heartbeats:
        from pipelines.flows.verify_release import flow_in

        verify_release = flow_in(session)

        def run(recipe: Path) -> Report:
            try:
                with heartbeats():
                    return verify_release(str(recipe), fresh=fresh)
            except SamebitsError:
                raise
            except Exception as error:  # the scheduler's own faults come in many classes
                raise InfrastructureError(
                    f"the run of {recipe} failed",
                    got=f"{type(error).__name__}: {error}"[:300],
                    todo="Check PREFECT_API_URL, free disk space and the scheduler's log",
                ) from error

        pool = ThreadPoolExecutor(max_workers=min(_SIDE_BY_SIDE, len(recipes)))
        try:
            for future in [pool.submit(run, recipe) for recipe in recipes]:
                try:
                    reports.append(future.result())
                except SamebitsError as error:
                    faults.append(error)
        except KeyboardInterrupt:
            session.cancelled.set()  # every run ends at its next step, and removes what it made
            for number in (signal.SIGINT, signal.SIGTERM):  # a second signal must not stop that
                signal.signal(number, signal.SIG_IGN)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return reports, faults


@click.command()
@options.common
def nightly(session: Session) -> None:
    """Verify every shipped release that is due, as the center does every night.

    Where the services of the center run, its workers do it; otherwise it runs here, with an
    embedded Prefect server. The shipped files of unchanged releases are fetched and hashed again;
    these releases are rebuilt every few nights.

    \b
    Examples:
      samebits nightly
      samebits nightly --center center.yaml --json

    Exit codes: 0 everything reproduced; 1 something did not; 2 something was not checked; 3 there
    is an open alarm; 64 usage.
    """
    from pipelines.nightly.night import summarise
    from pipelines.nightly.record import last_night, read_night
    from pipelines.services.prefect_api import PrefectApi

    center, store = session.center, session.store
    remote = center.prefect is not None and PrefectApi(center).answers()
    night = _remote_night(center) if remote else _local_night(session)
    record = read_night(store, center.id, night)
    summary = summarise(record, last_night(store, center.id, before=night))
    show(summary.to_dict(), *summary.lines())
    sys.exit(record.exit_code())


def _remote_night(center: Center) -> str:
    """Start a night on the center's workers, and wait for it; returns its id."""
    from pipelines.services.prefect_api import ask_for_night, follow, night_of

    api, flow_run = ask_for_night(center)
    with screen() as sink:
        last = ""
        for run in follow(api, flow_run):
            if run["state_name"] != last:
                last = run["state_name"]
                sink.step("nightly", f"{last} (flow run {flow_run})")
    if run["state_type"] != "COMPLETED":
        raise InfrastructureError(
            "the night was not completed",
            got=f"{run['state_name']}: {run['state'].get('message')}"[:300],
            todo="Look at its flow run in Prefect",
        )
    return night_of(run)


def _local_night(session: Session) -> str:
    """Run a night in this process; returns its id."""
    from builders.container.scratch import require_root

    require_root()
    session.engine.info()
    with _prefect_ready(session, "a night") as heartbeats:
        from pipelines.flows.nightly import night_in

        try:
            with heartbeats():
                return night_in(session)()
        except KeyboardInterrupt:
            session.cancelled.set()
            raise
