"""`samebits request new`: ask a center to verify one release now, and wait for its answer."""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from builders.core.errors import EXIT_INTERRUPTED, EXIT_NOT_CHECKED, SamebitsError, UsageError
from builders.core.similar import did_you_mean
from pipelines.cli import options
from pipelines.cli.console import confirm
from pipelines.cli.requested import (
    AskedCenter,
    asked_center,
    cancel_request,
    list_requests,
    show_request,
    the_center,
)
from pipelines.cli.terminal import screen, show, tell, wants_json, warn

if TYPE_CHECKING:
    from pipelines.evidence.privatekey import PrivateKey
    from pipelines.evidence.publickey import PublicKey
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.evidence.statements.people import Request
    from pipelines.requests.client import RequestStatus
    from pipelines.requests.messages import SignedRequest
    from pipelines.storage.store import Store

_AN_HOUR = 3600


_wait_option = click.option(
    "--wait",
    type=click.IntRange(min=0),
    is_flag=False,
    flag_value=_AN_HOUR,
    metavar="[SECONDS]",
    help="Wait for the answer, by default for an hour.",
)
_unchecked_option = click.option(
    "--unchecked",
    is_flag=True,
    help="Ask even if the center says that it does not know the key or the release.",
)


class _Requests(options.Group):
    """Takes `samebits request RELEASE` for `samebits request new RELEASE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `new` in front of what is no subcommand, nor like one."""
        first = args[0] if args else "--help"
        if first not in {*self.commands, "-h", "--help"} and not did_you_mean(first, self.commands):
            args = ["new", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Requests)
def command() -> None:
    """Ask a center to verify a release now, see what became of it, and take it back.

    `new` can be left out: `samebits request RELEASE ...`.
    """


for _command in (list_requests, show_request, cancel_request):
    command.add_command(_command)


@command.command()
@click.argument("release", type=options.RELEASE)
@asked_center
@options.key("requester")
@click.option("--requester", required=True, metavar="NAME", help="The name in the center's policy.")
@click.option(
    "--nonce", metavar="TEXT", help="8 to 64 letters, digits, - and _; by default 128 random bits."
)
@options.duration(
    "--valid", default="24h", show_default=True, help="How long the request can be served."
)
@_wait_option
@_unchecked_option
@options.json
def new(
    *,
    release: ReleaseName,
    asked: AskedCenter,
    key_file: Path,
    requester: str,
    nonce: str | None,
    valid: timedelta,
    wait: int | None,
    unchecked: bool,
) -> None:
    """Ask a center to verify RELEASE (vendor/product@version) now, before its next night.

    The signed request is a record in the center's store; nothing is sent to its machines. It names
    a release, and no path, command or address. The center answers with signed receipts beside the
    record: accepted or refused, and then done, with the nonce, the verdict and the digest of its
    report. A center that is up says what it can be asked, and by whom: an unknown key, name,
    release or center is an error at once.

    \b
    Examples:
      samebits request new debian/netbase@6.5 --center asia \\
          --store s3://bucket/asia --key alice.key --requester alice
      samebits request new debian/netbase@6.5 --center asia --store /mnt/asia \\
          --key alice.key --requester alice --wait 600 --center-key asia.pub

    Exit codes: 0 requested, or everything reproduced; with --wait: 1 something was not reproduced,
    2 refused, no answer in time, not checked, or no key of the center to verify the answer with;
    130 interrupted while it waits: the request stays, and its receipts come beside its record.
    """
    _ask(
        asked,
        options.open_key(key_file),
        release=str(release),
        requester=requester,
        nonce=nonce,
        valid=valid,
        wait=wait,
        unchecked=unchecked,
    )


@command.command()
@click.argument("prepared", type=options.PATH)
@click.option("--store", metavar="ADDRESS", help="The center's store; by default SAMEBITS_STORE.")
@options.file(
    "--center", "own", help="For the operator of the center: its file, in place of --store."
)
@options.file(
    "--center-key",
    "key_files",
    multiple=True,
    help="The center's public key for statements, required to verify an answer.",
)
@options.key("requester")
@_wait_option
@_unchecked_option
@click.option("--yes", is_flag=True, help="Sign without a question.")
@options.json
def sign(
    *,
    prepared: Path,
    store: str | None,
    own: Path | None,
    key_files: tuple[Path, ...],
    key_file: Path,
    wait: int | None,
    unchecked: bool,
    yes: bool,
) -> None:
    """Sign a request that a page of a portal has prepared, and ask its center.

    PREPARED is the file that the page has saved. It is not believed: what it asks for is shown, the
    center's own offer is read, and you are asked before anything is signed. Nonce and times are
    made here.

    \b
    Example:
      samebits request sign netbase.json --key alice.key --store s3://asia/store

    Exit codes: as `samebits request new`.
    """
    from builders.core.units import format_duration
    from pipelines.requests.prepared_request import read_prepared

    wanted, private = read_prepared(prepared), options.open_key(key_file)
    asked = the_center(str(own) if own else wanted.center, store, key_files)
    if asked.id != wanted.center:
        raise UsageError("the request is for another center", got=wanted.center, expected=asked.id)
    tell(
        f"This asks {asked.id} to rebuild {wanted.release} now, and is signed by",
        f"  {wanted.requester}, with the key {private.public.keyid[:16]}",
        f"  it can be served for {format_duration(wanted.valid)}",
    )
    if not (yes or confirm("Sign it?")):
        raise UsageError("not signed, and nothing was asked", todo="Answer y to sign it")
    _ask(
        asked,
        private,
        release=wanted.release,
        requester=wanted.requester,
        nonce=None,
        valid=wanted.validity,
        wait=wait,
        unchecked=unchecked,
    )


def _ask(
    asked: AskedCenter,
    private: PrivateKey,
    *,
    release: str,
    requester: str,
    nonce: str | None,
    valid: timedelta,
    wait: int | None,
    unchecked: bool,
) -> NoReturn:
    """Sign and store a request, and wait for its answer; ends with the exit code."""
    from pipelines.evidence.dsse import sign_envelope
    from pipelines.evidence.statements.people import request as make_request
    from pipelines.evidence.statements.statement import show_time
    from pipelines.requests.client import request_errors
    from pipelines.requests.messages import request_key, store_request

    with request_errors(valid):
        statement = make_request(
            center=asked.id,
            release=release,
            nonce=nonce or secrets.token_hex(16),
            requester=requester,
            now=datetime.now(UTC),
            valid=valid,
        )
    if not unchecked:
        _check(asked, statement.predicate, private.public.keyid)
    request = store_request(asked.store, sign_envelope(statement.to_bytes(), private))
    content, record = request.content, request_key(asked.id, request.digest)
    end = show_time(content.expires)
    if not wants_json():
        asked_for = f"asked {asked.id} for {release}, nonce {content.nonce}, until {end}"
        show(content.to_dict(), asked_for, record)
    status, code = None, 0
    if wait is not None:
        try:
            status, code = _wait(asked.store, request, list(asked.keys), seconds=wait)
        except KeyboardInterrupt:
            code = EXIT_INTERRUPTED
            warn(
                f"stopped waiting; the request stays and can be served until {end}; "
                f"its receipts come into the store beside {record}"
            )
    document = {"request": str(request.digest), "record": record}
    document |= content.model_dump(mode="json", by_alias=False)
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


def _check(at: AskedCenter, asked: Request, keyid: str) -> None:
    """Raise `UsageError` for what the center would not answer, as far as that is known."""
    from pipelines.requests.offer import check_asked, offer_of
    from pipelines.verify.session import Session

    if at.own is not None:
        policy = Session(at.own).policy(datetime.now(UTC))
        offer = offer_of(at.id, policy, at.own.recipes / "releases")
        offer.check(release=asked.release, requester=asked.requester, keyid=keyid)
    elif not check_asked(
        at.store,
        center=at.id,
        release=asked.release,
        requester=asked.requester,
        keyid=keyid,
    ):
        warn(f"{at.id} has not said in this store what it can be asked; it may never answer")
