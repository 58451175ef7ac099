"""`samebits verify` and `samebits nightly`: what is verified now."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import CancelledError, InfrastructureError, SamebitsError
from pipelines.cli import options
from pipelines.cli.terminal import report_lines, screen, show, warn

if TYPE_CHECKING:
    from pipelines.evidence.report import Report
    from pipelines.verify.session import Session

    Run = Callable[[Path], Report]

_SIDE_BY_SIDE = 8  # runs; how many of them build at once is a matter of cores and memory


@click.command()
@click.argument("recipes", nargs=-1, required=True, type=options.PATH, metavar="RECIPE...")
@click.option("--fresh", is_flag=True, help="Fetch shipped files again, even those in the vault.")
@click.option("--flow", is_flag=True, help="Verify in runs of the Prefect flow `verify-release`.")
@options.wide
@options.common
def verify(session: Session, recipes: tuple[Path, ...], *, fresh: bool, flow: bool) -> None:
    """Rebuild releases from source, in containers without network, and judge them bit for bit.

    Several releases are verified side by side. All of it happens in this process, unless --flow is
    given or PREFECT_API_URL is set: then each RECIPE is verified by a flow run of Prefect, at that
    URL or on a server that ends with this command. The reports are the same.

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
    from pipelines.verify.lanes import cancelled_by_signals, in_lanes

    check_recipes(recipes, session.images)
    now = datetime.now(UTC)
    require_root()  # like a missing engine: one message, before anything starts
    for warning in expiry_warnings(session.policy(now), now):
        warn(warning)
    session.engine.info()
    session.check_store()
    session.prepare()
    runner = _as_flows if flow or os.environ.get("PREFECT_API_URL") else _in_process
    lanes = min(_SIDE_BY_SIDE, len(recipes))
    with cancelled_by_signals(session), runner(session, fresh=fresh) as run:
        ended = in_lanes(session, partial(_try, run), recipes, lanes=lanes)
    reports = [one for one in ended if not isinstance(one, SamebitsError)]
    faults = [one for one in ended if isinstance(one, SamebitsError)]
    documents = [r.model_dump(mode="json", by_alias=True) for r in reports]
    documents += [{"error": fault.to_dict()} for fault in faults]
    show({"reports": documents}, *(line for report in reports for line in report_lines(report)))
    for fault in faults:
        warn(fault)
    code = verdicts_exit_code(finding.verdict for report in reports for finding in report.artefacts)
    sys.exit(max([code, *(f.exit_code for f in faults)]) if faults and code != 1 else code)


def _try(run: Run, recipe: Path) -> Report | SamebitsError:
    """Return the report of a recipe, or what went wrong: one costs no other its turn."""
    try:
        return run(recipe)
    except CancelledError:
        raise
    except SamebitsError as error:
        return error
    except Exception as error:  # noqa: BLE001  # a scheduler's faults come in many classes
        return InfrastructureError(
            f"the run of {recipe} failed",
            got=f"{type(error).__name__}: {error}"[:300],
            todo="Check free disk space; with Prefect, also PREFECT_API_URL and Prefect's log",
        )


@contextmanager
def _in_process(session: Session, *, fresh: bool) -> Iterator[Run]:
    """Yield what verifies a recipe in this process."""
    from pipelines.verify.verify import verify_recipe

    with screen(session):
        yield lambda recipe: verify_recipe(session, recipe, fresh=fresh)


@contextmanager
def _as_flows(session: Session, *, fresh: bool) -> Iterator[Run]:
    """Yield what verifies a recipe in a flow run of Prefect."""
    with _prefect_ready(session):
        from pipelines.flows.verify_release import flow_in

        verify_release = flow_in(session)
        yield lambda recipe: verify_release(str(recipe), fresh=fresh)


@contextmanager
def _prefect_ready(session: Session) -> Iterator[None]:
    """Start Prefect, or use that at PREFECT_API_URL, and show the progress of what runs in it."""
    from pipelines.flows.server import EmbeddedServer

    with screen(session) as sink, EmbeddedServer(session.center.home / "prefect") as server:
        sink.step("samebits", "starting Prefect")
        import pipelines.flows.verify_release  # noqa: F401  # for seconds, as the server starts

        server.wait()
        sink.done("samebits", "Prefect answers")
        yield


@click.command()
@options.common
def nightly(session: Session) -> None:
    """Verify every shipped release that is due, as the center does every night.

    Where the services of the center run, its workers do it; otherwise it runs here, with an
    embedded Prefect server. The shipped files of unchanged releases are fetched and hashed again;
    these releases are rebuilt every few nights. Ctrl-C cancels the night, on workers too.

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
    night = _remote_night(session) if remote else _local_night(session)
    record = read_night(store, center.id, night)
    summary = summarise(record, last_night(store, center.id, before=night))
    show(summary.to_dict(), *summary.lines())
    sys.exit(record.exit_code())


def _remote_night(session: Session) -> str:
    """Start a night on the center's workers, and wait for it; returns its id."""
    from pipelines.services.prefect_api import ask_for_night, cancel_night, follow, night_of
    from pipelines.verify.lanes import cancelled_by_signals

    api, flow_run = ask_for_night(session.center)
    with cancelled_by_signals(session), screen() as sink:
        last = ""
        try:
            for run in follow(api, flow_run):
                if run["state_name"] != last:
                    last = run["state_name"]
                    sink.step("nightly", f"{last} (flow run {flow_run})")
        except KeyboardInterrupt:
            cancel_night(api, flow_run)
            raise
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
    from pipelines.verify.lanes import cancelled_by_signals

    require_root()
    session.engine.info()
    session.prepare()
    with cancelled_by_signals(session), _prefect_ready(session):
        from pipelines.flows.nightly import night_in

        return night_in(session)()
