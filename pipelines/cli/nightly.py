"""`samebits nightly`: the whole night, now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from pipelines.center.center import Center
    from pipelines.verify.session import Session


@click.command()
@json_option
@center_option
def command(as_json: bool, center_file: Path | None) -> None:
    """Verify everything that is shipped, as the center does every night.

    Where the center is up, its workers do it; else it runs here, with an embedded Prefect server.
    Of unchanged releases the shipped files are fetched and hashed again; every few nights they are
    rebuilt.

    \b
    Examples:
      samebits nightly
      samebits nightly --center center.yaml --json

    Exit codes: 0 everything reproduced; 1 something did not; 2 something was not checked; 3 there
    is an open alarm; 64 usage.
    """
    from pipelines.nightly.overview import summarise
    from pipelines.nightly.record import last_night, read_night
    from pipelines.services.prefect_api import PrefectApi

    session = open_session(center_file)
    center = session.center
    up = center.prefect is not None and PrefectApi(center).answers()
    night = _there(center) if up else _here(session)
    store = session.store
    record = read_night(store, center.id, night)
    summary = summarise(record, last_night(store, center.id, before=night))
    if as_json:
        print_json(summary.to_dict())
    else:
        for line in summary.lines():
            click.echo(line)
    sys.exit(record.exit_code())


def _there(center: Center) -> str:
    """Let the center's workers do it, and wait."""
    from builders.core.errors import InfrastructureError
    from pipelines.cli.terminal import screen
    from pipelines.services.remote_night import ask_for_night, follow, night_of

    api, flow_run = ask_for_night(center)
    with screen() as sink:
        last = ""
        for run in follow(api, flow_run):
            if run["state_name"] != last:
                last = run["state_name"]
                sink.step("nightly", f"{last} (flow run {flow_run})")
    if run["state_type"] != "COMPLETED":
        raise InfrastructureError(
            "the night did not come to its end",
            got=f"{run['state_name']}: {run['state'].get('message')}"[:300],
            todo="Look at its flow run in Prefect",
        )
    return night_of(run)


def _here(session: Session) -> str:
    """Do it in this process."""
    from builders.container.scratch import require_root
    from pipelines.cli.terminal import screen
    from pipelines.flows.server import EmbeddedServer

    require_root()
    session.engine.info()
    session.prepare()
    with screen() as sink, EmbeddedServer(session.center.home / "prefect") as server:
        session.progress = sink
        sink.step("samebits", "starting Prefect for a night")
        from pipelines.flows.nightly import night_in
        from pipelines.flows.verify_release import heartbeat

        server.wait()
        sink.done("samebits", "Prefect answers")
        try:
            with heartbeat(wanted=not server.embedded):
                return night_in(session)()
        except KeyboardInterrupt:
            session.cancelled.set()
            raise
