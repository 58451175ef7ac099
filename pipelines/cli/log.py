"""`samebits log`: a center's transparency log, and the witnessing of others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.options import PATH, center_option, json_option, open_session, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.center.logs import KnownLog
    from pipelines.log.completeness import LogReport
    from pipelines.log.witness import WitnessResult
    from pipelines.policy import Policy
    from pipelines.verify.session import Session


@click.group()
def command() -> None:
    """Read, prove, check and witness transparency logs.

    A center logs the seal of every rebuild before it opens a shipped file, and every statement that
    it signs. The log is plain files in the store (C2SP tlog-tiles), its checkpoints are signed
    notes.
    """


@command.command()
@json_option
@center_option
def checkpoint(as_json: bool, center_file: Path | None) -> None:
    """Finish what is unfinished, publish the newest checkpoint, and print it.

    Statements that wait are logged first, and the cosignatures that peers have written are joined
    to the checkpoint.

    \b
    Examples:
      samebits log checkpoint
      samebits log checkpoint --center europe.yaml --json
    """
    from pipelines.center.keys import log_key
    from pipelines.center.logs import collect_cosignatures

    session = open_session(center_file)
    center = session.center
    book = session.logbook()
    book.settle()
    book.log.publish()
    if book.log.checkpoint() is not None:
        collect_cosignatures(center, _policy(session), book.log)
    signed = book.log.checkpoint()
    if as_json:
        print_json(
            {
                "origin": center.origin,
                "key": str(log_key(center)),
                "size": signed.checkpoint.size if signed else 0,
                "root": signed.checkpoint.root.hex() if signed else None,
                "checkpoint": signed.note.to_bytes().decode() if signed else None,
            }
        )
        return
    if signed is None:
        click.echo(f"the log {center.origin} is empty")
        return
    click.echo(signed.note.to_bytes().decode(), nl=False)


@command.command()
@click.argument("index", type=click.IntRange(min=0))
@click.option("--out", type=PATH, metavar="FILE", help="Write the proof to FILE.")
@json_option
@center_option
def prove(index: int, out: Path | None, as_json: bool, center_file: Path | None) -> None:
    """Prove that leaf INDEX is in the log, in the format of C2SP tlog-proof.

    \b
    Examples:
      samebits log prove 12
      samebits log prove 12 --out 12.tlog-proof
    """
    from pipelines.bundle.export import write_file

    session = open_session(center_file)
    book = session.logbook()
    proof = book.log.prove(index)
    if out is not None:
        write_file(out, proof.to_bytes())
    if as_json:
        leaf = _known(session, None, _policy(session)).reader().leaf(index)
        print_json(
            {
                "index": index,
                "leaf": leaf.to_bytes().decode(),
                "hashes": [found.hex() for found in proof.hashes],
                "checkpoint": proof.checkpoint.decode(),
            }
        )
    elif out is None:
        click.echo(proof.to_bytes().decode(), nl=False)


@command.command()
@click.option("--peer", metavar="ID", help="Check the log of this peer of the center.")
@json_option
@center_option
def check(peer: str | None, as_json: bool, center_file: Path | None) -> None:
    """Read a whole log, and hold the store and the newest heartbeat against it.

    Names sequences that skip, statements that the log has and the store has not or the other way
    round, statements without a commitment before them, and heads older than the heartbeat's.

    \b
    Examples:
      samebits log check
      samebits log check --center europe.yaml --peer asia --json

    Exit codes: 0 whole; 1 gaps, or a log that is not what its checkpoint says; 64 usage.
    """
    from pipelines.center.logs import check_completeness
    from pipelines.cli.terminal import screen

    session = open_session(center_file)
    known = _known(session, peer, _policy(session))
    with screen() as shown:
        found = check_completeness(known, lambda n: shown.detail(known.origin, f"{n} leaves"))
    if as_json:
        print_json({"center": known.center, "origin": known.origin, **found.to_dict()})
    else:
        _show_check(known, found)
    sys.exit(1 if found.gaps else 0)


@command.command()
@click.argument("places", metavar="[STORE]...", nargs=-1)
@click.option("--log-key", "vkey", metavar="VKEY", help="The key of the log in STORE.")
@click.option("--key", type=PATH, metavar="FILE", help="The witness's private key (PEM).")
@click.option("--name", metavar="NAME", help="The name under which to cosign, such as a URL.")
@click.option("--home", type=PATH, metavar="FOLDER", help="Where this witness remembers.")
@click.option("--out", metavar="STORE", help="Where the cosigned checkpoints go.")
@json_option
@center_option
def witness(
    places: tuple[str, ...],
    vkey: str | None,
    key: Path | None,
    name: str | None,
    home: Path | None,
    out: str | None,
    as_json: bool,
    center_file: Path | None,
) -> None:
    """Look at the logs of others, and cosign what only grew since the last look.

    Without arguments the logs of the center's peers are verified and cosigned. Anybody
    else needs a key and a name. What was seen is remembered in --home, by default `witness` below
    SAMEBITS_HOME, and cosigned checkpoints go to --out, by default `cosigned` in that folder.

    \b
    Examples:
      samebits log witness --center europe.yaml
      samebits log witness s3://asia/store --log-key "$VKEY" --key witness.key \\
          --name witness.example/w1 --out /srv/cosigned

    Exit codes: 0 all cosigned; 1 a log was refused; 2 one did not answer, or there was none to look
    at; 64 usage.
    """
    session = open_session(center_file)
    center = session.center
    if places:
        found = list(_witness_alone(places, vkey, key, name, home, out))
    else:
        from pipelines.center.logs import witness_peers

        found = list(witness_peers(center, _policy(session), session.store))
    if as_json:
        print_json({"logs": [{"log": place, **seen.to_dict()} for place, seen in found]})
    else:
        for place, seen in found:
            _show_seen(place, seen)
        if not found:
            click.echo(f"center {center.id} has no peers, and no store was named", err=True)
    sys.exit(_witness_exit([seen for _, seen in found]))


def _witness_alone(
    places: tuple[str, ...],
    vkey: str | None,
    key: Path | None,
    name: str | None,
    home: Path | None,
    out: str | None,
) -> Iterator[tuple[str, WitnessResult]]:
    from datetime import UTC, datetime

    from builders.core.errors import UsageError
    from pipelines.center.center import samebits_home
    from pipelines.evidence.errors import EvidenceError
    from pipelines.evidence.privatekey import load_key
    from pipelines.log.notekey import ED25519, NoteKey
    from pipelines.log.witness import Witness
    from pipelines.storage.opening import open_store

    if vkey is None or key is None or name is None:
        given = {"--log-key": vkey, "--key": key, "--name": name}
        missing = next(option for option, value in given.items() if value is None)
        raise UsageError("a witness needs more", got=f"no {missing}", todo="See --help")
    home = home or samebits_home() / "witness"
    try:
        known = NoteKey.parse(vkey, ED25519)
    except EvidenceError as error:
        raise UsageError(
            "--log-key is no key of a log", got=error.got, expected=error.expected
        ) from error
    witness = Witness(
        home=home,
        store=open_store(out or home / "cosigned"),
        private=load_key(key.parent, key.name.removesuffix(".key")),
        name=name,
        clock=lambda: datetime.now(UTC),
    )
    for place in places:
        yield place, witness.cosign(open_store(place), origin=known.name, keys=[known])


def _policy(session: Session) -> Policy:
    from datetime import UTC, datetime

    return session.policy(datetime.now(UTC))


def _known(session: Session, peer: str | None, policy: Policy) -> KnownLog:
    from pipelines.center.logs import find_peer, own_log, peer_log

    if peer is None:
        session.logbook()  # makes the keys of a center that was never used
        return own_log(session.center, policy)
    return peer_log(policy, find_peer(session.center, peer))


def _show_check(known: KnownLog, found: LogReport) -> None:
    click.echo(
        f"{known.origin}: {found.leaves} leaves of {found.releases} releases, "
        f"{found.statements} statements in the store"
    )
    for gap in found.gaps:
        at = "" if gap.index is None else f" at {gap.index}"
        click.echo(f"  {gap.kind:<12} {gap.about}{at}: {gap.message}")
    if found.more:
        click.echo(f"  and {found.more} more")
    if not found.gaps:
        click.echo("  whole: nothing skipped, nothing missing, every seal before its look")


def _show_seen(place: str, seen: WitnessResult) -> None:
    what = f"{seen.size} leaves" if seen.reason is None else seen.reason
    click.echo(f"{seen.outcome:<9} {place}  {seen.origin}: {what}")
    if seen.record:
        click.echo(f"          {seen.record}")


def _witness_exit(found: list[WitnessResult]) -> int:
    from builders.core.errors import EXIT_NOT_CHECKED
    from pipelines.log.witness import WitnessOutcome

    sights = {seen.outcome for seen in found}
    if WitnessOutcome.REFUSED in sights:
        return 1
    return EXIT_NOT_CHECKED if WitnessOutcome.SILENT in sights or not found else 0
