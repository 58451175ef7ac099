"""`samebits request`: ask a center to verify one release now, and wait for its answer."""

from __future__ import annotations

import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builders.core.errors import EXIT_INTERRUPTED, EXIT_NOT_CHECKED, SamebitsError, UsageError
from pipelines.cli import options
from pipelines.cli.terminal import screen, show, wants_json, warn

if TYPE_CHECKING:
    from pipelines.evidence.publickey import PublicKey
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.requests.client import RequestStatus
    from pipelines.requests.messages import SignedRequest
    from pipelines.storage.opening import StoreAddress
    from pipelines.storage.store import Store

_AN_HOUR = 3600.0


@click.command()
@click.argument("release", type=options.RELEASE)
@click.option("--center", required=True, metavar="ID", help="The center that is asked.")
@click.option(
    "--store",
    metavar="ADDRESS",
    help="That center's store: a folder, or s3://bucket/prefix; by default SAMEBITS_STORE.",
)
@options.key("requester")
@click.option("--requester", required=True, metavar="NAME", help="The name in the center's policy.")
@click.option(
    "--nonce", metavar="TEXT", help="8 to 64 letters, digits, - and _; by default 128 random bits."
)
@options.duration(
    "--valid", default="24h", show_default=True, help="How long the request can be served."
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    is_flag=False,
    flag_value=_AN_HOUR,
    metavar="[SECONDS]",
    help="Wait for the answer, by default for an hour.",
)
@options.file(
    "--center-key",
    "key_files",
    multiple=True,
    help="The center's public key for statements, required to verify an answer.",
)
@options.json
def command(
    *,
    release: ReleaseName,
    center: str,
    store: str | None,
    key_file: Path,
    requester: str,
    nonce: str | None,
    valid: timedelta,
    wait: float | None,
    key_files: tuple[Path, ...],
) -> None:
    """Ask a center to verify RELEASE (vendor/product@version) now, before its next night.

    The signed request is a record in the center's store; nothing is sent to its machines. It names
    a release, and no path, command or address. The center answers with signed receipts beside the
    record: accepted or refused, and then done, with the nonce, the verdict and the digest of its
    report.

    \b
    Examples:
      samebits request debian/netbase@6.5 --center asia --store s3://bucket/asia \\
          --key alice.key --requester alice
      samebits request debian/netbase@6.5 --center asia --store /mnt/asia --key alice.key \\
          --requester alice --wait 600 --center-key asia.pub

    Exit codes: 0 requested, or everything reproduced; with --wait: 1 something was not reproduced,
    2 refused, no answer in time, not checked, or no key of the center to verify the answer with;
    130 interrupted while it waits: the request stays, and its receipts come beside its record.
    """
    from pipelines.evidence.dsse import sign_envelope
    from pipelines.evidence.publickey import load_public_key
    from pipelines.evidence.statements.people import request as make_request
    from pipelines.evidence.statements.statement import show_time
    from pipelines.requests.client import request_errors
    from pipelines.requests.messages import request_key, store_request
    from pipelines.storage.opening import open_store

    keys = [load_public_key(path) for path in key_files]
    place, private = open_store(_address(center, store)), options.open_key(key_file)
    with request_errors(valid):
        statement = make_request(
            center=center,
            release=str(release),
            nonce=nonce or secrets.token_hex(16),
            requester=requester,
            now=datetime.now(UTC),
            valid=valid,
        )
    request = store_request(place, sign_envelope(statement.to_bytes(), private))
    content, record = request.content, request_key(center, request.digest)
    end = show_time(content.expires)
    if not wants_json():
        click.echo(f"asked {center} for {release}, nonce {content.nonce}, until {end}")
        click.echo(record)
    status, code = None, 0
    if wait is not None:
        try:
            status, code = _wait(place, request, keys, seconds=wait)
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
            warn(
                f"stopped waiting; the request stays and can be served until {end}; "
                f"its receipts come into the store beside {record}"
            )
    document = {"request": str(request.digest), "record": record, **content.to_dict()}
    show(
        {**document, "answer": status.to_dict() if status else None},
        *([status.word] if status else []),
    )
    sys.exit(code)


def _wait(
    store: Store, request: SignedRequest, keys: list[PublicKey], *, seconds: float
) -> tuple[RequestStatus, int]:
    """Wait and show progress; returns the status of the request and the exit code."""
    from pipelines.requests.client import exit_code, wait_for

    with screen() as sink:
        name = request.content.release
        sink.step(name, f"asked {request.content.center}")
        status = wait_for(
            store,
            request,
            keys,
            seconds=seconds,
            on_change=lambda now: None if now.over else sink.step(name, now.word),
        )
        sink.done(name, "answered" if status.over else f"no answer in {seconds:g} s")
    if not status.over:
        warn("no answer in time; the request stays where it is")
    elif not status.verified and status.fault is None:
        warn("the answer is UNVERIFIED; give --center-key FILE")
    try:
        return status, exit_code(store, request, status)
    except SamebitsError as error:
        warn(error)
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
