"""Requests and receipts as records in the store of the center that is asked.

`public/requests/<center>/<digest>/request.dsse.json`, and beside it `receipt-1.dsse.json` (accepted
or refused) and `receipt-2.dsse.json` (done, or refused after all). The digest is the SHA-256 of the
request's record, so that nobody can take a name by bringing other bytes for it first. A request
has one signature and one spelling, so that a copy of it makes no second record. Below it are also
`cancel/<digest>.dsse.json`, a cancellation by its own digest, and `runs/<run>.json`, which the
center leaves when it begins a run for the request: that is a note, and no statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from builders.core.runid import parse_run_id
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.people import (
    Answer,
    Cancellation,
    CancellationStatement,
    Receipt,
    ReceiptStatement,
    Request,
    RequestStatement,
)
from pipelines.evidence.statements.reader import SUFFIX, read_statement
from pipelines.evidence.statements.statement import subject
from pipelines.evidence.strictjson import check_canonical, malformed
from pipelines.storage.names import check_key, check_prefix, encode
from pipelines.storage.store import DamagedError, Store, TooLargeError

MAX_RECORD = 16 << 10
"""Bytes of a request or a receipt."""
MAX_CANCELLATIONS = 64
"""Those of one request that are read; whoever floods it keeps it from being cancelled."""
REQUEST, FIRST, LAST, CANCEL, RUNS = range(5)
"""Numbers of the records in one folder: the request, its receipts, cancellations and runs."""
_ROOT = "public/requests/"
_REQUEST = f"request{SUFFIX}"
_CANCEL, _RUNS = "cancel/", "runs/"
UNREADABLE = (EvidenceError, DamagedError, TooLargeError, NotFoundError)
"""What is raised for a record that is not what its name says, or not there."""
_ANSWERS = {FIRST: {Answer.ACCEPTED, Answer.REFUSED}, LAST: {Answer.DONE, Answer.REFUSED}}
_WHAT, _RECEIPT = "the request", "the receipt"


@dataclass(frozen=True, kw_only=True)
class SignedRequest:
    """A request in its form; who signed it is not verified yet."""

    envelope: Envelope
    statement: RequestStatement
    digest: Digest
    """Of the record."""

    @property
    def content(self) -> Request:
        """What it asks."""
        return self.statement.predicate


def request_from(data: bytes) -> SignedRequest:
    """Read the record of a request, its form checked and no signature; raises `MalformedError`."""
    if len(data) > MAX_RECORD:
        raise malformed(_WHAT, got=f"{len(data)} bytes", expected=f"at most {MAX_RECORD} bytes")
    envelope = Envelope.from_bytes(data)
    if len(envelope.signatures) != 1:
        raise malformed(
            _WHAT, got=f"{len(envelope.signatures)} signatures", expected="one: the requester's"
        )
    check_canonical(data, envelope.to_bytes(), what=_WHAT)
    statement = RequestStatement.from_bytes(envelope.payload)
    return SignedRequest(envelope=envelope, statement=statement, digest=Digest.of(data))


def receipt_from(
    data: bytes,
    signed: SignedRequest,
    number: int,
    *,
    center: str,
    keys: Sequence[PublicKey] | None,
) -> ReceiptStatement:
    """Read the receipt of that number by `center` about exactly this request.

    One of its `keys` must have signed it; None reads what is said to be unverified. Raises
    `MalformedError`, and `SignatureError` when none of `keys` has signed.
    """
    if len(data) > MAX_RECORD:
        raise malformed(_RECEIPT, got=f"{len(data)} bytes", expected=f"at most {MAX_RECORD} bytes")
    envelope = Envelope.from_bytes(data)
    if keys is not None:
        verify_envelope(envelope, keys)
    statement = read_statement(envelope.payload)
    if not isinstance(statement, ReceiptStatement):
        raise malformed(_RECEIPT, got=statement.predicate_type, expected="a receipt")
    receipt = statement.predicate
    if receipt.center != center:
        raise malformed(_RECEIPT, got=f"one of the center {receipt.center}", expected=center)
    if statement.subject != (subject("request", signed.digest),):
        raise malformed(_RECEIPT, got="one of another request", expected=signed.digest)
    if (receipt.release, receipt.nonce) != (signed.content.release, signed.content.nonce):
        raise malformed(
            _RECEIPT,
            got=f"{receipt.release} and the nonce {receipt.nonce}",
            expected=f"{signed.content.release} and the nonce {signed.content.nonce}",
        )
    if receipt.answer not in _ANSWERS[number]:
        raise malformed(
            _RECEIPT,
            got=f"{receipt.answer} as number {number}",
            expected=" or ".join(sorted(_ANSWERS[number])),
        )
    return statement


def store_request(store: Store, envelope: Envelope) -> SignedRequest:
    """Store a request; one that is there is success. Raises `MalformedError`, `StoreError`."""
    data = envelope.to_bytes()
    signed = request_from(data)
    store.put_record(request_key(signed.content.center, signed.digest), data)
    return signed


def cancellation_of(signed: SignedRequest, now: datetime) -> CancellationStatement:
    """Return the cancellation of a request at `now` (UTC), for its requester to sign."""
    asked = signed.content
    cancellation = Cancellation(
        center=asked.center,
        release=asked.release,
        nonce=asked.nonce,
        requester=asked.requester,
        cancelled_on=now,
    )
    return CancellationStatement.of(cancellation, request=signed.digest)


def store_cancellation(store: Store, signed: SignedRequest, envelope: Envelope) -> str:
    """Store a cancellation of a request; returns the name of its record. Raises `StoreError`."""
    data = envelope.to_bytes()
    place = f"{request_prefix(signed.content.center)}{signed.digest}/{_CANCEL}"
    key = check_key(f"{place}{Digest.of(data)}{SUFFIX}")
    store.put_record(key, data)
    return key


def cancellations(
    store: Store, center: str, signed: SignedRequest
) -> Iterator[tuple[Envelope, Cancellation]]:
    """Yield what is said to cancel a request, with its envelope: no signature is verified.

    Records that are no cancellation of exactly this request are left out. Raises `StoreError`.
    """
    prefix, asked = f"{request_prefix(center)}{signed.digest}/{_CANCEL}", signed.content
    for key in islice(store.list(check_prefix(prefix)), MAX_CANCELLATIONS):
        try:
            envelope = Envelope.from_bytes(store.get(key, MAX_RECORD))
            statement = CancellationStatement.from_bytes(envelope.payload)
        except UNREADABLE:
            continue
        told = statement.predicate
        names = (told.center, told.release, told.nonce, told.requester)
        if statement.subject == (subject("request", signed.digest),) and names == (
            asked.center,
            asked.release,
            asked.nonce,
            asked.requester,
        ):
            yield envelope, told


def note_run(store: Store, center: str, digest: Digest, run: str) -> None:
    """Note that a run begins for a request, for its requester to see; raises `StoreError`."""
    store.put_record(
        check_key(f"{request_prefix(center)}{digest}/{_RUNS}{encode(run)}.json"), b"{}\n"
    )


def noted_runs(store: Store, center: str, digest: Digest) -> list[str]:
    """Return the runs that are said to have begun for a request, oldest first."""
    prefix = check_prefix(f"{request_prefix(center)}{digest}/{_RUNS}")
    names = [key.removeprefix(prefix).removesuffix(".json") for key in store.list(prefix)]
    return sorted(name for name in names if _is_run(name))


def final_receipt(first: Receipt | None, last: Receipt | None) -> Receipt | None:
    """Return the receipt of a request after which nothing comes, None while it is open."""
    return first if last is None and first and first.answer is Answer.REFUSED else last


def request_key(center: str, digest: Digest) -> str:
    """Return the name of a request's record."""
    return f"{request_prefix(center)}{digest}/{_REQUEST}"


def receipt_key(center: str, digest: Digest, number: int) -> str:
    """Return the name of a receipt's record; `center` is the one in whose folder it stands."""
    return f"{request_prefix(center)}{digest}/receipt-{number}{SUFFIX}"


def folders(store: Store, center: str) -> tuple[dict[Digest, set[int]], int]:
    """Return what stands in the folder of each request to a center, by names alone.

    That is `REQUEST`, the numbers of receipts, `CANCEL` and `RUNS`, by digest; with how many names
    are none of these.
    """
    found: dict[Digest, set[int]] = {}
    others = 0
    prefix = request_prefix(center)
    names = {_REQUEST: REQUEST, _CANCEL: CANCEL, _RUNS: RUNS}
    names |= {f"receipt-{n}{SUFFIX}": n for n in (FIRST, LAST)}
    for key in store.list(prefix):
        name, _, file = key.removeprefix(prefix).partition("/")
        inner, slash, _ = file.partition("/")
        try:
            digest, number = Digest(name), names[f"{inner}{slash}"]
        except (ValueError, KeyError):
            others += 1
        else:
            found.setdefault(digest, set()).add(number)
    return found, others


def _is_run(text: str) -> bool:
    try:
        parse_run_id(text)
    except ValueError:
        return False
    return True


def request_prefix(center: str) -> str:
    """Return the folder of the requests to a center."""
    return check_prefix(f"{_ROOT}{encode(center)}/")
