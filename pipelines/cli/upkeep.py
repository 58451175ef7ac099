"""`samebits nightly`, `heartbeat` and `reap`: what a center does regularly, done now."""

from __future__ import annotations

import sys

import click

from builders.container.scratch import require_root
from builders.core.errors import InfrastructureError
from builders.rebuild.reap import reap as remove_leftovers
from pipelines.center.center import Center
from pipelines.cli.options import common_options, show
from pipelines.cli.terminal import screen
from pipelines.cli.verify import prefect_ready
from pipelines.nightly.night import summarise
from pipelines.nightly.periodic import publish_own_heartbeat
from pipelines.nightly.record import last_night, read_night
from pipelines.services.prefect_api import PrefectApi
from pipelines.services.remote_night import ask_for_night, follow, night_of
from pipelines.verify.session import Session


@click.command()
@common_options
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
    center, store = session.center, session.store
    remote = center.prefect is not None and PrefectApi(center).answers()
    night = _remote_night(center) if remote else _local_night(session)
    record = read_night(store, center.id, night)
    summary = summarise(record, last_night(store, center.id, before=night))
    show(summary.to_dict(), *summary.lines())
    sys.exit(record.exit_code())


def _remote_night(center: Center) -> str:
    """Start a night on the center's workers, and wait for it; returns its id."""
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
    require_root()
    session.engine.info()
    with prefect_ready(session, "a night") as heartbeats:
        from pipelines.flows.nightly import night_in

        try:
            with heartbeats():
                return night_in(session)()
        except KeyboardInterrupt:
            session.cancelled.set()
            raise


@click.command()
@common_options
def heartbeat(session: Session) -> None:
    """Sign, store and log a heartbeat of the center now; its nights do so by themselves.

    A heartbeat holds the size and root of the log and the newest leaf of every release. Everybody
    who has it can detect that the log was truncated or replaced.

    \b
    Examples:
      samebits heartbeat
      samebits heartbeat --center asia.yaml --json
    """
    key, statement = publish_own_heartbeat(session)
    made = statement.predicate
    show(
        {"record": key, **made.to_dict(), "heads": len(made.heads)},
        f"{made.center}: {made.log.size} leaves of {made.releases} releases logged",
        key,
    )


@click.command()
@common_options
def reap(session: Session) -> None:
    """Remove containers, mounts and folders of runs that are no longer alive.

    Living runs are never touched, so it can run at any time, also from a timer.

    \b
    Example:
      samebits reap
    """
    center = session.center
    gone = remove_leftovers(session.engine, center.runs, session.workdir, center=center.id)
    spooled = session.store.sweep()
    show(
        {
            "containers": list(gone.containers),
            "folders": list(gone.folders),
            "files": list(gone.files),
            "half_written": spooled,
        },
        f"removed {len(gone.containers)} containers, {len(gone.folders)} folders of runs, "
        f"{len(gone.files)} half-made files, {spooled} half-written objects",
    )
