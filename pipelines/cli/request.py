"""`samebits request`: ask a center to verify one release now, and wait for its answer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_INTERRUPTED, EXIT_NOT_CHECKED, SamebitsError, UsageError
from pipelines.cli.keyfile import open_key
from pipelines.cli.options import PATH, json_option, print_json

if TYPE_CHECKING:
    from pipelines.evidence.publickey import PublicKey
    from pipelines.requests.client import RequestStatus
    from pipelines.requests.messages import SignedRequest
    from pipelines.storage.opening import StoreAddress
    from pipelines.storage.store import Store

_AN_HOUR = 3600.0


@click.command()
@click.argument("release")
@click.option("--center", required=True, metavar="ID", help="The center that is asked.")
@click.option(
    "--store",
    metavar="ADDRESS",
    help="That center's store: a folder, or s3://bucket/prefix; by default SAMEBITS_STORE.",
)
@click.option(
    "--key", "key_file", type=PATH, required=True, metavar="FILE", help="The requester's key."
)
@click.option("--requester", required=True, metavar="NAME", help="As the center's policy has it.")
@click.option("--nonce", metavar="TEXT", help="8 to 64 letters, digits, - and _; else 128 bits.")
@click.option("--valid", default="24h", show_default=True, help="For how long it is wanted.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    is_flag=False,
    flag_value=_AN_HOUR,
    metavar="[SECONDS]",
    help="Wait for the answer, by default for an hour.",
)
@click.option(
    "--center-key",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="The center's public key for statements; without it no answer is believed.",
)
@json_option
def command(
    *,
    release: str,
    center: str,
    store: str | None,
    key_file: Path,
    requester: str,
    nonce: str | None,
    valid: str,
    wait: float | None,
    center_key: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Ask a center to verify RELEASE (vendor/product@version) now, ahead of its night.

    The signed request is a record in the center's store; nothing is sent to its machines, and it
    names a release, no path, command or address. The center answers with signed receipts beside it:
    accepted or refused, and then done, with the nonce, the verdict and the digest of its report.

    \b
    Examples:
      samebits request debian/netbase@6.5 --center asia --store s3://bucket/asia \\
          --key alice.key --requester alice
      samebits request debian/netbase@6.5 --center asia --store /mnt/asia --key alice.key \\
          --requester alice --wait 600 --center-key asia.pub

    Exit codes: 0 asked, or everything reproduced; with --wait: 1 something was not reproduced, 2
    refused, no answer in time, not checked, or no key of the center to verify the answer with; 130
    interrupted while it waits: the request stays, and its receipts come beside its record.
    """
    import secrets
    from datetime import UTC, datetime, timedelta

    from builders.core.units import parse_duration
    from pipelines.evidence.release import ReleaseName
    from pipelines.requests import store_request
    from pipelines.requests.client import sign_request
    from pipelines.requests.messages import request_key
    from pipelines.storage.opening import open_store

    name = ReleaseName.parse(release)
    keys = [_public(path) for path in center_key]
    try:
        seconds = parse_duration(valid)
    except ValueError as error:
        raise UsageError("--valid is no time", got=valid, expected="such as 24h") from error
    place = open_store(_address(center, store))
    envelope = sign_request(
        center=center,
        release=name,
        nonce=nonce or secrets.token_hex(16),
        requester=requester,
        key=open_key(key_file),
        now=datetime.now(UTC),
        valid=timedelta(seconds=seconds),
    )
    asked = store_request(place, envelope)
    if not as_json:
        click.echo(f"asked {center} for {name}, nonce {asked.content.nonce}, until {_end(asked)}")
        click.echo(request_key(center, asked.digest))
    status, code = None, 0
    if wait is not None:
        try:
            status, code = _waited(place, asked, keys, seconds=wait)
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
            record = request_key(center, asked.digest)
            click.echo(
                f"samebits: stopped waiting; the request stays and can be served until "
                f"{_end(asked)}; its receipts come into the store beside {record}",
                err=True,
            )
    if as_json:
        print_json(
            {
                "request": str(asked.digest),
                "record": request_key(center, asked.digest),
                **asked.content.to_dict(),
                "answer": status.to_dict() if status else None,
            }
        )
    elif status is not None:
        click.echo(status.word)
    sys.exit(code)


def _waited(
    store: Store, asked: SignedRequest, keys: list[PublicKey], *, seconds: float
) -> tuple[RequestStatus, int]:
    """Wait and show progress; returns the status of the request and the exit code."""
    from pipelines.cli.terminal import screen
    from pipelines.requests.client import exit_code, wait_for

    with screen() as sink:
        name = asked.content.release
        sink.step(name, f"asked {asked.content.center}")
        status = wait_for(
            store,
            asked,
            keys,
            seconds=seconds,
            on_change=lambda now: None if now.over else sink.step(name, now.word),
        )
        sink.done(name, "answered" if status.over else f"no answer in {seconds:g} s")
    if not status.over:
        click.echo("samebits: no answer in time; the request stays where it is", err=True)
    elif not status.verified and status.fault is None:
        click.echo("samebits: the answer is UNVERIFIED; give --center-key FILE", err=True)
    try:
        return status, exit_code(store, asked, status)
    except SamebitsError as error:
        click.echo(f"samebits: {error}", err=True)
        return status, EXIT_NOT_CHECKED


def _address(center: str, store: str | None) -> StoreAddress:
    """Return where the center looks for requests."""
    from pipelines.center.center import LOCAL, load_center
    from pipelines.storage.opening import store_address

    named = store or os.environ.get("SAMEBITS_STORE")
    if named:
        return store_address(named)
    if center == LOCAL:
        return load_center(None).store
    raise UsageError(
        f"the store of {center} is not known",
        expected="--store ADDRESS, or SAMEBITS_STORE",
        todo="Ask the center for the address that its requesters may write to",
    )


def _public(path: Path) -> PublicKey:
    from builders.core.smallfile import read_small_file
    from pipelines.evidence.publickey import MAX_KEY_FILE, read_public_key

    return read_public_key(read_small_file(path, limit=MAX_KEY_FILE, file=str(path)))


def _end(asked: SignedRequest) -> str:
    from pipelines.evidence.statements.statement import show_time

    return show_time(asked.content.expires)
