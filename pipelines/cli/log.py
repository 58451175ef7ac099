"""`samebits log` and `samebits heartbeat`: the log of a center, and the logs that it watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import EXIT_NOT_CHECKED, UsageError
from pipelines.cli import options
from pipelines.cli.console import write_text
from pipelines.cli.forks import forks
from pipelines.cli.terminal import counted, screen, show, tell, wants_json, warn

if TYPE_CHECKING:
    from pipelines.audit.log_audit import LogReport
    from pipelines.center.logs import KnownLog
    from pipelines.log.checkpoint import LogIdentity
    from pipelines.log.witness import Witness, WitnessResult
    from pipelines.verify.session import Session


@click.group(cls=options.Group)
def command() -> None:
    """Read, prove, check and witness transparency logs.

    A center logs the seal of every rebuild before it opens a shipped file, and every statement that
    it signs. The log consists of plain files in the store (C2SP tlog-tiles); its checkpoints are
    signed notes.
    """


command.add_command(forks)


@command.command()
@options.common
def checkpoint(session: Session) -> None:
    """Log what waits, publish the newest checkpoint, and print it.

    Cosignatures that peers have written are added to the checkpoint.

    \b
    Examples:
      samebits log checkpoint
      samebits log checkpoint --center europe.yaml --json
    """
    from pipelines.center.keys import log_key
    from pipelines.center.logs import collect_cosignatures

    center, book = session.center, session.logbook()
    book.settle()
    book.log.publish()
    if book.log.checkpoint() is not None:
        collect_cosignatures(center, session.policy(datetime.now(UTC)), book.log)
    signed = book.log.checkpoint()
    text = signed.note.to_bytes().decode() if signed else None
    show(
        {
            "origin": center.origin,
            "key": str(log_key(center)),
            "size": signed.checkpoint.size if signed else 0,
            "root": signed.checkpoint.root.hex() if signed else None,
            "checkpoint": text,
        },
        *(text.splitlines() if text else [f"the log {center.origin} is empty"]),
    )


@command.command()
@click.argument("index", type=click.IntRange(min=0))
@options.file("--out", help="Write the proof to FILE.")
@options.common
def prove(session: Session, index: int, out: Path | None) -> None:
    """Prove that leaf INDEX is in the log, in the format of C2SP tlog-proof.

    \b
    Examples:
      samebits log prove 12
      samebits log prove 12 --out 12.tlog-proof
    """
    from pipelines.bundle.export import write_file

    proof = session.logbook().log.prove(index)
    if out is not None:
        write_file(out, proof.to_bytes())
    if wants_json():
        leaf = _known(session, None).reader().leaf(index)
        show(
            {
                "index": index,
                "leaf": leaf.to_bytes().decode(),
                "hashes": [found.hex() for found in proof.hashes],
                "checkpoint": proof.checkpoint.decode(),
            }
        )
    elif out is None:
        write_text(proof.to_bytes().decode())


@command.command()
@click.option("--peer", metavar="ID", help="Check the log of this peer of the center.")
@options.common
def check(session: Session, peer: str | None) -> None:
    """Read a whole log, and compare it with the store and the newest heartbeat.

    Reports gaps in sequences, statements that only the log or only the store has or that are in the
    folder of another run, runs without a commitment before their statements, and heads older than
    those of the heartbeat. The center's own
    log must also continue the newest checkpoint that its signer has signed, and what its peers have
    cosigned; a peer that does not answer is named in a warning. Evidence that waits for the store
    is sent first. Of a peer no more is read than `time` and `traffic` in the center's file allow.

    \b
    Examples:
      samebits log check
      samebits log check --center europe.yaml --peer asia --json

    Exit codes: 0 whole; 1 gaps, or a log that is not what its checkpoint says, or was rolled back;
    2 the store or the signer does not answer, or the peer has more to read than one round allows;
    64 usage.
    """
    from pipelines.center.logs import check_completeness
    from pipelines.verify.interrupted import interrupted_warnings

    known = _known(session, peer)
    origin = known.identity.origin
    if peer is None:
        for warning in interrupted_warnings(session):
            warn(warning)
        session.logbook().log.recover()  # refuses a log that was rolled back
        if (sent := session.flush()) is not None and (note := sent.note()) is not None:
            warn(note)  # or else it would be missing without a reason
    with screen() as shown:
        found = check_completeness(known, lambda n: shown.detail(origin, f"{n} leaves"))
    show(
        {"center": known.center, "origin": origin, **found.to_dict()},
        *_check_lines(known, found),
    )
    sys.exit(1 if found.gaps else 0)


@command.command()
@click.argument("places", metavar="[STORE]...", nargs=-1)
@click.option("--log-key", "vkey", metavar="VKEY", help="The key of the log in STORE.")
@options.file("--key", help="The witness's private key (PEM).")
@click.option("--name", metavar="NAME", help="The name that the witness signs with, such as a URL.")
@options.file("--home", metavar="FOLDER", help="Where the witness keeps its state.")
@click.option("--out", metavar="STORE", help="Where to write the cosigned checkpoints.")
@options.common
def witness(session: Session, places: tuple[str, ...], **given: Any) -> None:
    """Verify the logs of others, and cosign those that only grew since the last time.

    Without arguments these are the logs of the center's peers. For the log in a STORE, --log-key,
    --key and --name are required. The newest checkpoint of each log is kept in --home, by default
    `witness` below SAMEBITS_HOME; cosigned checkpoints are written to --out, by default `cosigned`
    in that folder.

    \b
    Examples:
      samebits log witness --center europe.yaml
      samebits log witness s3://asia/store --log-key "$VKEY" --key witness.key \\
          --name witness.example/w1 --out /srv/cosigned

    Exit codes: 0 all cosigned; 1 a log was refused; 2 a log did not answer, or there was no log;
    64 usage.
    """
    from pipelines.center.logs import witness_peers
    from pipelines.log.witness import WitnessOutcome
    from pipelines.storage.bounded import PeerBudget
    from pipelines.storage.opening import open_peer_store, store_address

    if places:
        log, one = _witness(**given)
        found = [
            (place, one.cosign(open_peer_store(store_address(place), PeerBudget()), log))
            for place in places
        ]
    else:
        policy = session.policy(datetime.now(UTC))
        found = list(witness_peers(session.center, policy, session.store))
    show(
        {"logs": [{"log": place, **result.to_dict()} for place, result in found]},
        *(line for place, result in found for line in _witness_lines(place, result)),
    )
    if not found and not wants_json():
        tell(f"center {session.center.id} has no peers, and no STORE was given")
    outcomes = {result.outcome for _, result in found}
    if WitnessOutcome.REFUSED in outcomes:
        sys.exit(1)
    sys.exit(EXIT_NOT_CHECKED if WitnessOutcome.SILENT in outcomes or not found else 0)


def _witness(
    *, vkey: str | None, key: Path | None, name: str | None, home: Path | None, out: str | None
) -> tuple[LogIdentity, Witness]:
    """Return whose log it is, and the witness that watches it; raises `UsageError`."""
    from pipelines.center.file import samebits_home
    from pipelines.evidence.errors import EvidenceError
    from pipelines.evidence.privatekey import load_key
    from pipelines.log.checkpoint import LogIdentity
    from pipelines.log.notekey import ED25519, NoteKey
    from pipelines.log.witness import Witness
    from pipelines.storage.opening import open_store

    if vkey is None or key is None or name is None:
        given = {"--log-key": vkey, "--key": key, "--name": name}
        missing = next(option for option, value in given.items() if value is None)
        raise UsageError(
            "an option of the witness is missing",
            got=f"no {missing}",
            expected=", ".join(given),
            todo="See `samebits log witness --help`",
        )
    try:
        log = LogIdentity.of(NoteKey.parse(vkey, ED25519))
    except EvidenceError as error:
        raise UsageError(
            "--log-key is no key of a log", got=error.got, expected=error.expected
        ) from error
    home = home or samebits_home() / "witness"
    return log, Witness(
        home=home,
        store=open_store(out or home / "cosigned"),
        private=load_key(key.parent, key.name.removesuffix(".key")),
        name=name,
        clock=lambda: datetime.now(UTC),
    )


def _known(session: Session, peer: str | None) -> KnownLog:
    """Return the log of a peer, or the center's own; raises `UsageError`, `PolicyError`."""
    from pipelines.center.logs import find_peer, own_log, peer_log

    policy = session.policy(datetime.now(UTC))
    if peer is None:
        session.logbook()  # makes the keys of a center that was never used
        return own_log(session.center, policy)
    return peer_log(policy, find_peer(session.center, peer))


def _check_lines(known: KnownLog, found: LogReport) -> Iterator[str]:
    held = found.statements
    yield (
        f"{known.identity.origin}: {counted(found.leaves, 'leaf', 'leaves')} of "
        f"{counted(found.releases, 'release')}"
        + (f", {counted(held, 'statement')} in the store" if held is not None else "")
    )
    for gap in found.gaps:
        at = "" if gap.index is None else f" at {gap.index}"
        yield f"  {gap.kind:<12} {gap.about}{at}: {gap.message}"
    if found.more:
        yield f"  and {found.more} more"
    if not found.gaps:
        yield "  whole: no gap, nothing missing, every commitment before its statements"


def _witness_lines(place: str, result: WitnessResult) -> Iterator[str]:
    what = f"{result.size} leaves" if result.reason is None else result.reason
    yield f"{result.outcome:<9} {place}  {result.origin}: {what}"
    if result.record:
        yield f"{'':10}{result.record}"


@click.command()
@options.common
def heartbeat(session: Session) -> None:
    """Sign, store and log a heartbeat of the center now; its nights do so by themselves.

    A heartbeat holds the size and root of the log and the newest leaf of every release. Everybody
    who has it can detect that the log was truncated or replaced.

    \b
    Examples:
      samebits heartbeat
      samebits heartbeat --center asia.yaml --json
    """
    from pipelines.nightly.periodic import publish_own_heartbeat

    key, statement = publish_own_heartbeat(session)
    made = statement.predicate
    show(
        {"record": key, **made.to_dict(), "heads": len(made.heads)},
        f"{made.center}: {made.log.size} leaves of {made.releases} releases logged",
        key,
    )
