"""`samebits alarm`: what was once found wrong, and who knows of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from builders.core.similar import did_you_mean
from pipelines.alarms.cause import ALARM_EXIT, AlarmCause
from pipelines.cli import options
from pipelines.cli.console import confirm, styled
from pipelines.cli.layout import shortened, started
from pipelines.cli.terminal import counted, screen, show, tell

if TYPE_CHECKING:
    from pipelines.alarms.alarm import ListedAlarm
    from pipelines.alarms.listing import AlarmList
    from pipelines.consensus.release_consensus import ConsensusView
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.statements.acknowledgement import LeafRange
    from pipelines.verify.session import Session

_CAUSES = ", ".join(AlarmCause)
_RANGE = re.compile(r"(?P<log>[a-z0-9][a-z0-9-]*):(?P<first>\d{1,15})(-(?P<last>\d{1,15}))?")


@click.group(cls=options.Group)
def command() -> None:
    """List alarms, and acknowledge them."""


def _cause(*, required: bool) -> options.Function:
    text = f"{'Of' if required else 'Only those of'} this cause: {_CAUSES}."
    choice = click.Choice([str(cause) for cause in AlarmCause])
    return click.option("--cause", type=choice, metavar="CAUSE", required=required, help=text)


@command.command("list")
@click.argument("release", type=options.RELEASE, required=False)
@_cause(required=False)
@click.option("--all", "everything", is_flag=True, help="List acknowledged alarms too.")
@options.wide
@options.common
def list_(
    session: Session, release: ReleaseName | None, cause: str | None, *, everything: bool
) -> None:
    """List the open alarms: of RELEASE, or of all releases of the center's recipes and log.

    An alarm is open until an operator acknowledges it, whatever later runs find. Alarms come from
    every run of every center of the policy, and from what is on record against their logs. Each is
    listed with the leaves of the logs in which it began.

    \b
    Examples:
      samebits alarm list
      samebits alarm list debian/hostname@3.25 --all
      samebits alarm list --cause withheld --center europe.yaml --json

    Exit codes: 0 no alarm is open; 2 a release or center could not be looked at; 3 an alarm is
    open; 64 usage.
    """
    from pipelines.alarms.listing import AlarmList

    found = _list(session, session.consensus_view(datetime.now(UTC)), release)
    chosen = AlarmList(
        alarms=tuple(one for one in found.alarms if cause in {None, one.alarm.cause}),
        excluded=found.excluded,
        faults=found.faults,
    )
    shown = chosen.alarms if everything else chosen.open
    show(
        {**chosen.to_dict(), "alarms": [one.to_dict() for one in shown]},
        *(line for one in shown for line in _lines(one)),
        *(f"NOT LOOKED AT  {fault}" for fault in found.faults),
        *(f"not counted: acknowledgement of {one}" for one in found.excluded),
        *_summary(chosen, everything=everything),
    )
    if chosen.open:
        sys.exit(ALARM_EXIT)
    sys.exit(EXIT_NOT_CHECKED if found.faults else 0)


@command.command()
@click.argument("about", metavar="RELEASE|CENTER")
@_cause(required=True)
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="LOG:FIRST[-LAST]",
    help="Only those that began in these leaves of the log of a center.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why that is enough; it is public.")
@options.file("--key", "key_file", help="The private key of the center's operator in the policy.")
@click.option("--yes", is_flag=True, help="Sign without asking.")
@options.wide
@options.common
def acknowledge(
    session: Session,
    about: str,
    cause: str,
    *,
    ranges: tuple[str, ...],
    reason: str,
    key_file: Path | None,
    yes: bool,
) -> None:
    """Sign and log that the operator knows of open alarms of a RELEASE, or about a CENTER.

    The statement names the leaves in which they began, so that a later alarm of the same cause is
    open again. It changes no verdict and no consensus. Where several operators run centers, it
    needs the operator's key; an alarm about a center is acknowledged by another operator than its
    own, and each operator acknowledges alarms about releases for itself. It counts as any other
    statement of the center does: once the witnesses of the policy have cosigned its log.

    \b
    Examples:
      samebits alarm acknowledge debian/hostname@3.25 --cause suspect \\
          --reason "the vendor's toolchain is older"
      samebits alarm acknowledge asia --cause fork --range asia:120 \\
          --reason "restored from an old disk" --key operator.key

    Exit codes: 0 acknowledged; 3 acknowledged, and open until its log is cosigned; 64 usage, and no
    such open alarm.
    """
    from pipelines.alarms.acknowledge import (
        publish_acknowledgements,
        require_operator,
        require_reason,
    )

    require_reason(reason)
    now = datetime.now(UTC)
    view, key = session.consensus_view(now), options.open_key(key_file) if key_file else None
    release = _release(about, view)
    given = [_range(text) for text in ranges]
    found = _list(session, view, release, of_releases=release is not None)
    meant = [one for one in found.open if (one.alarm.about, one.alarm.cause) == (about, cause)]
    listed = [part for one in meant if (part := _within(one, given)).alarm.leaves]
    if not listed:
        known = sorted({f"{one.alarm.cause} of {one.alarm.about}" for one in found.open})
        lasts = meant and not given
        raise UsageError(
            f"{cause} of {about} ends with its cause, and is not acknowledged before"
            if lasts
            else f"no open alarm {cause} of {about}{' in that range' if given else ''}",
            got=meant[0].alarm.text if lasts else f"open: {', '.join(known) or 'none'}",
            todo="`samebits alarm list` shows the open alarms and their leaves",
        )
    operator = require_operator(view.policy.policy, view.center, key, listed)
    tell(
        *(line for one in listed for line in _lines(one)),
        f"  operator  {operator}",
        f"  reason    {reason} (it is public)",
    )
    if not yes and not confirm("acknowledge this?"):
        raise UsageError("nothing was signed", got="another answer", expected="y, or --yes")
    made = publish_acknowledgements(
        session, listed, operator=operator, key=key, reason=reason, now=now
    )
    again = session.consensus_view(datetime.now(UTC))
    after = _list(session, again, release, of_releases=release is not None)
    waiting = [one.reason for one in after.excluded if one.record in made]
    show(
        {"operator": operator, "records": made, "waiting": waiting},
        *made,
        *(f"it does not count yet: {why}" for why in waiting),
    )
    sys.exit(ALARM_EXIT if waiting else 0)


def _list(
    session: Session, view: ConsensusView, release: ReleaseName | None, *, of_releases: bool = True
) -> AlarmList:
    from pipelines.alarms.listing import list_alarms
    from pipelines.nightly.record import last_night

    night = last_night(session.store, session.center.id)
    names = [release] if release else None if of_releases else []
    with screen(session) as sink:
        return list_alarms(
            view,
            names,
            told=[one.alarm() for one in night.lasting] if night else (),
            count=lambda done, total: sink.detail("alarms", f"{done} of {total} releases"),
        )


def _release(about: str, view: ConsensusView) -> ReleaseName | None:
    """Return the release that alarms are about; None for a center of the policy."""
    from pipelines.evidence.release_name import ReleaseName

    if "@" in about:
        return ReleaseName.parse(about)
    known = [center.id for center in view.policy.policy.centers]
    if about not in known:
        raise UsageError(
            "neither a release nor a center of the policy",
            got=ascii(about[:80]),
            expected=f"vendor/product@version, or one of {', '.join(known)}",
            todo=did_you_mean(about, known),
        )
    return None


def _range(text: str) -> LeafRange:
    from pydantic import ValidationError

    from pipelines.evidence.statements.acknowledgement import LeafRange

    if match := _RANGE.fullmatch(text):
        try:
            first, last = int(match["first"]), int(match["last"] or match["first"])
            return LeafRange(log=match["log"], first=first, last=last)
        except ValidationError:
            pass
    raise UsageError(
        "--range names no leaves",
        got=ascii(text[:80]),
        expected="the log of a center and indexes, as in europe:120 or europe:120-130",
    )


def _within(one: ListedAlarm, ranges: list[LeafRange]) -> ListedAlarm:
    """Return an alarm with its leaves in `ranges` alone, if there are any."""
    leaves = tuple(
        leaf
        for leaf in one.alarm.leaves
        if not ranges or any(leaf.in_range(leaves) for leaves in ranges)
    )
    return replace(one, alarm=replace(one.alarm, leaves=leaves))


def _lines(one: ListedAlarm) -> Iterator[str]:
    alarm = one.alarm
    state = styled("ALARM", "red") if one.is_open else "acknowledged"
    yield shortened(f"{state} {alarm.cause}: {alarm.about}: {alarm.text}")
    leaves = ", ".join(f"{leaf.log}:{leaf.index}" for leaf in alarm.leaves)
    since = f"since {started(alarm.since)} UTC, " if alarm.since else ""
    yield f"  {since}leaves {leaves}" if leaves else "  as long as that is so"
    if alarm.record:
        yield f"  record {alarm.record}"
    for by in one.by:
        on = by.content.to_dict()["acknowledgedOn"]
        yield f"  acknowledged by {by.content.operator} on {on}: {by.content.reason}"
    for objection in one.objections:
        yield f"  an acknowledgement does not count: {objection}"


def _summary(found: AlarmList, *, everything: bool) -> Iterator[str]:
    rest = len(found.alarms) - len(found.open)
    hint = "" if everything or not rest else "; --all lists them"
    yield f"{counted(len(found.open), 'open alarm')}, {rest} acknowledged{hint}"
    if first := next((one.alarm for one in found.open if one.alarm.leaves), None):
        about = f"{first.about} --cause {first.cause}"
        yield f"to acknowledge: samebits alarm acknowledge {about} --reason TEXT"
