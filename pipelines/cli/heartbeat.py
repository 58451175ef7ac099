"""`samebits heartbeat`: a center says that it is alive, and how long its log is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from pipelines.evidence.statements.heartbeat import Heartbeat


@click.command()
@json_option
@center_option
def command(as_json: bool, center_file: Path | None) -> None:
    """Sign, store and log a heartbeat of the center now; its nights do so by themselves.

    It holds the size and root of the log and the newest leaf of every release, so that a log which
    lost its end, or was replaced, is detected by anybody who has the heartbeat.

    \b
    Examples:
      samebits heartbeat
      samebits heartbeat --center asia.yaml --json
    """
    from datetime import UTC, datetime

    from pipelines.center.logbook import publish_heartbeat
    from pipelines.signer.center_signer import status_signer

    session = open_session(center_file)
    key, statement = publish_heartbeat(
        center=session.center.id,
        book=session.logbook(),
        store=session.store,
        sign=status_signer(session.signer),
        now=datetime.now(UTC),
    )
    heartbeat = statement.predicate
    if as_json:
        print_json({"record": key, **_shown(heartbeat)})
        return
    click.echo(
        f"{heartbeat.center}: {heartbeat.log.size} leaves of {heartbeat.releases} releases logged"
    )
    click.echo(key)


def _shown(heartbeat: Heartbeat) -> dict[str, object]:
    """Return what it says, without the list of heads."""
    return {**heartbeat.to_dict(), "heads": len(heartbeat.heads)}
