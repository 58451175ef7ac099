"""`samebits verify`: releases side by side, each a run of the flow `verify-release`."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_INTERRUPTED, InfrastructureError, SamebitsError
from pipelines.cli.options import PATH, center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from pipelines.evidence.report import Report
    from pipelines.verify.session import Session

_SIDE_BY_SIDE = 8  # runs; how many of them build at once is a matter of cores and memory


@click.command()
@click.argument("recipes", nargs=-1, required=True, type=PATH, metavar="RECIPE...")
@click.option("--fresh", is_flag=True, help="Fetch shipped files again, even those in the vault.")
@json_option
@center_option
def command(
    recipes: tuple[Path, ...], fresh: bool, as_json: bool, center_file: Path | None
) -> None:
    """Rebuild releases from source, in containers without network, and judge them bit for bit.

    Each RECIPE is verified by a run of the Prefect flow `verify-release`: against PREFECT_API_URL
    when that is set, else with an embedded server that lives as long as this command.

    \b
    Examples:
      samebits verify recipes/releases/debian/netbase/6.5.yaml
      samebits verify --json recipes/releases/*/*/*.yaml > reports.json

    Exit codes: 0 everything reproduced; 1 something SHIPPED_MISMATCH, DIFFERENT, UNEXPECTED,
    MISSING or EQUIVALENT; 2 something not checked; 64 usage or bad recipe.
    """
    from builders.container.scratch import require_root
    from pipelines.cli.lint import check_recipes
    from pipelines.judge.finding import exit_code
    from pipelines.policy import expiry_warnings

    session = open_session(center_file)
    check_recipes(recipes, session.images)
    now = datetime.now(UTC)
    for warning in expiry_warnings(session.policy(now), now):
        click.echo(f"samebits: {warning}", err=True)
    require_root()  # like a missing engine: one message, before anything starts
    session.engine.info()
    session.check_store()
    reports, faults = _run_all(session, recipes, fresh=fresh)
    if as_json:
        shown = [r.model_dump(mode="json", by_alias=True) for r in reports]
        shown += [{"error": fault.to_dict()} for fault in faults]
        print_json(shown[0] if len(recipes) == 1 else {"reports": shown})
    else:
        from pipelines.cli.table import show_report

        for report in reports:
            show_report(report)
    for fault in faults:
        click.echo(f"samebits: {fault}", err=True)
    if any(f.exit_code == EXIT_INTERRUPTED for f in faults):
        raise KeyboardInterrupt
    code = exit_code(finding for report in reports for finding in report.artefacts)
    sys.exit(max([code, *(f.exit_code for f in faults)]) if faults and code != 1 else code)


def _run_all(
    session: Session, recipes: tuple[Path, ...], *, fresh: bool
) -> tuple[list[Report], list[SamebitsError]]:
    """Run the flow for every recipe, and return reports and errors in the order of the recipes."""
    from pipelines.cli.terminal import screen
    from pipelines.flows.server import EmbeddedServer

    session.prepare()
    with screen() as sink, EmbeddedServer(session.center.home / "prefect") as server:
        session.progress = sink
        sink.step("samebits", f"starting Prefect for {len(recipes)} release(s)")
        from pipelines.flows.verify_release import flow_in, heartbeat

        server.wait()
        verify_release = flow_in(session)
        sink.done("samebits", "Prefect answers")

        def run(recipe: Path) -> Report:
            try:
                with heartbeat(wanted=not server.embedded):
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
            return _collect([pool.submit(run, recipe) for recipe in recipes])
        except KeyboardInterrupt:
            session.cancelled.set()  # every run ends at its next step, removing what it made
            for number in (signal.SIGINT, signal.SIGTERM):  # and is not kept from doing so
                signal.signal(number, signal.SIG_IGN)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _collect(futures: list[Future[Report]]) -> tuple[list[Report], list[SamebitsError]]:
    reports: list[Report] = []
    faults: list[SamebitsError] = []
    for future in futures:
        try:
            reports.append(future.result())
        except SamebitsError as error:
            faults.append(error)
    return reports, faults
