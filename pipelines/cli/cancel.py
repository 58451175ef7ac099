"""`samebits cancel`: end a run or a night from another terminal, process or host."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.cli import options
from pipelines.cli.terminal import show, wants_json, warn

if TYPE_CHECKING:
    from pipelines.verify.session import Session


@click.command()
@click.argument("name", metavar="RUN|NIGHT")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for its end.",
)
@options.common
def command(session: Session, name: str, wait: float) -> None:
    """Cancel a RUN or a NIGHT of the center, wherever it is, and wait until it has ended.

    The id is what `verify` and `nightly` print; `center status` shows what a center is doing. The
    cancellation is a record in the center's store, which workers on every host read every two
    seconds. Containers are removed. Shards of a cancelled night do not begin, and `center up` does
    not bring them back.

    A run whose seal is in the log already is completed, and has a verdict. Another one gets the
    outcome CANCELLED. Of a cancelled night, runs without a seal in the log leave no record.

    \b
    Examples:
      samebits cancel 20260102T030405Z-0a1b2c3d
      samebits cancel 20260102T010000Z-1f2e3d4c --center europe.yaml

    Exit codes: 0 it is cancelled, or had ended before; 2 it has not ended in time; 64 no run and no
    night has that id.
    """
    from pipelines.services.cancelling import CancelState, cancel_by_id

    found = cancel_by_id(
        session, name, seconds=wait, say=lambda text: None if wants_json() else warn(text)
    )
    show(asdict(found), found.line)
    sys.exit(EXIT_NOT_CHECKED if found.state is CancelState.NO_ANSWER else 0)
