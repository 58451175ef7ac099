"""`samebits request list|show|cancel`: what became of requests, and taking one back."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import UsageError
from builders.core.similar import similar_path
from pipelines.cli import options
from pipelines.cli.layout import short, table
from pipelines.cli.terminal import show

if TYPE_CHECKING:
    from pipelines.center.center import Center
    from pipelines.evidence.privatekey import PrivateKey
    from pipelines.evidence.publickey import PublicKey
    from pipelines.requests.messages import SignedRequest
    from pipelines.requests.overview import RequestOverview
    from pipelines.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class AskedCenter:
    """The center that is asked: its id, where it looks for requests, and keys to verify it with."""

    id: str
    store: Store
    keys: tuple[PublicKey, ...]
    own: Center | None = None
    """The center itself, where it is one of this machine."""


def asked_center(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--center`, `--store` and `--center-key`, and call the command with an `AskedCenter`."""

    @functools.wraps(function)
    def run(*, center: str, store: str | None, key_files: tuple[Path, ...], **given: Any) -> Any:
        return function(asked=the_center(center, store, key_files), **given)

    keyed = options.file(
        "--center-key",
        "key_files",
        multiple=True,
        help="The center's public key for statements, required to verify an answer.",
    )(run)
    stored = click.option(
        "--store",
        metavar="ADDRESS",
        help="That center's store: a folder, or s3://bucket/prefix; by default SAMEBITS_STORE.",
    )(keyed)
    text = "The center that is asked: its id, or for its operator its file."
    return click.option("--center", required=True, metavar="ID|FILE", help=text)(stored)


def the_center(center: str, store: str | None, key_files: tuple[Path, ...]) -> AskedCenter:
    """Return the center of that id or file; raises `UsageError` where its store is not known."""
    from pipelines.center.center import LOCAL, load_center
    from pipelines.center.keys import public_keys
    from pipelines.evidence.publickey import load_public_key
    from pipelines.storage.opening import open_store, store_address

    keys = tuple(load_public_key(path) for path in key_files)
    named = store or os.environ.get("SAMEBITS_STORE")
    if center.endswith((".yaml", ".yml")):
        own = load_center(Path(center), store=store)
        keys = keys or (public_keys(own)["statements"],)
        return AskedCenter(id=own.id, store=open_store(own.store), keys=keys, own=own)
    if not named and center != LOCAL:
        raise UsageError(
            f"the store of {center} is not known",
            expected="--store ADDRESS, or SAMEBITS_STORE",
            todo="Ask the center for the address that its requesters may write to",
        )
    if named and "://" not in named and not Path(named).is_dir():
        raise UsageError(
            f"there is no store {named}",
            got="no such folder",
            expected="the folder of the center's store, or s3://bucket/prefix",
            todo=similar_path(Path(named)),
        )
    if named:
        return AskedCenter(id=center, store=open_store(store_address(named)), keys=keys)
    own = load_center(None)
    return AskedCenter(id=center, store=open_store(own.store), keys=keys, own=own)


@click.command("list")
@click.option("--requester", metavar="NAME", help="Only those of this name.")
@click.option("--open", "only_open", is_flag=True, help="Only those that are not over.")
@asked_center
@options.wide
@options.json
def list_requests(asked: AskedCenter, requester: str | None, *, only_open: bool) -> None:
    """List the requests to a center: state, age and answer of each, newest first.

    \b
    Examples:
      samebits request list --center asia --store s3://bucket/asia
      samebits request list --center europe.yaml --open
    """
    from pipelines.requests.overview import is_over, requests_of, show_age

    found = [
        one
        for one in requests_of(asked.store, asked.id, asked.keys, datetime.now(UTC))
        if requester in {None, one.signed.content.requester}
        and not (only_open and is_over(one.state))
    ]
    header = ("REQUEST", "STATE", "AGE", "RELEASE", "REQUESTER", "ANSWER")
    rows = [
        (
            short(one.signed.digest),
            str(one.state),
            show_age(one.age),
            one.signed.content.release,
            one.signed.content.requester,
            one.answer,
        )
        for one in found
    ]
    notes = [] if rows else [f"no requests to {asked.id}"]
    if not asked.keys and any(one.answer for one in found):
        notes.append("answers are UNVERIFIED: no key of the center was given; see --center-key")
    show({"requests": [one.to_dict() for one in found]}, *table(header, rows), *notes)


@click.command("show")
@click.argument("request", metavar="REQUEST|NONCE")
@asked_center
@options.json
def show_request(asked: AskedCenter, request: str) -> None:
    """Show one request: its state, the runs for it, and the center's receipts.

    REQUEST is its digest, or the first 8 digits of that or more.

    \b
    Example:
      samebits request show 3f2a9c81d004 --center asia --store s3://bucket/asia \\
          --center-key asia.pub
    """
    found = _overview(asked, _found(asked, request))
    show(found.to_dict(), *found.lines())


@click.command("cancel")
@click.argument("request", metavar="REQUEST|NONCE")
@asked_center
@options.key("requester")
@options.json
def cancel_request(asked: AskedCenter, request: str, key_file: Path) -> None:
    """Cancel a request of yours: you sign that you want no answer any more.

    The center says so in a receipt. A run for the request is cancelled with it, unless its seal is
    in the log already: then it is completed, and its verdict is the answer. A request that is over
    stays as it is.

    \b
    Example:
      samebits request cancel 3f2a9c81d004 --center asia \\
          --store s3://bucket/asia --key alice.key
    """
    from pipelines.evidence.dsse import sign_envelope
    from pipelines.requests.messages import cancellation_of, store_cancellation
    from pipelines.requests.overview import is_over

    private = options.open_key(key_file)
    signed = _found(asked, request)
    _require_requester(signed, private)
    before = _overview(asked, signed)
    record = None
    if not is_over(before.state):
        statement = cancellation_of(signed, datetime.now(UTC))
        record = store_cancellation(
            asked.store, signed, sign_envelope(statement.to_bytes(), private)
        )
    found = _overview(asked, signed) if record else before
    lines = found.lines() if record else [f"it was over before: {found.state}", *found.lines()]
    show({"record": record, **found.to_dict()}, *lines)


def _found(place: AskedCenter, request: str) -> SignedRequest:
    from pipelines.requests.overview import find_request

    return find_request(place.store, place.id, request)


def _overview(place: AskedCenter, signed: SignedRequest) -> RequestOverview:
    from pipelines.requests.overview import overview

    return overview(place.store, signed, place.keys, datetime.now(UTC))


def _require_requester(signed: SignedRequest, private: PrivateKey) -> None:
    """Raise `UsageError` unless a key is the one that signed the request."""
    from pipelines.evidence.dsse import verify_envelope
    from pipelines.evidence.errors import SignatureError

    try:
        verify_envelope(signed.envelope, [private.public])
    except SignatureError as error:
        raise UsageError(
            "only its requester cancels a request",
            got=f"key {private.public.keyid[:16]}",
            expected=f"the key of {signed.content.requester} that signed it",
        ) from error
