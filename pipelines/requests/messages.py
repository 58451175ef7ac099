"""Requests and receipts as records in the store of the center that is asked.

`public/requests/<center>/<digest>/request.dsse.json`, and beside it `receipt-1.dsse.json` (accepted
or refused) and `receipt-2.dsse.json` (done, or refused after all). The digest is the SHA-256 of the
request's record, so that nobody can take a name by bringing other bytes for it first. A request
has one signature and one spelling, so that a copy of it makes no second record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builders.core.digest import Digest
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.people import (
    Answer,
    Receipt,
    ReceiptStatement,
    Request,
    RequestStatement,
)
from pipelines.evidence.statements.reader import SUFFIX, read_statement
from pipelines.evidence.statements.statement import subject
from pipelines.evidence.strictjson import check_canonical, malformed
from pipelines.storage.names import check_prefix, encode
from pipelines.storage.store import Store

MAX_RECORD = 16 << 10
"""Bytes of a request or a receipt."""
REQUEST, FIRST, LAST = 0, 1, 2
"""Numbers of the records in one folder: the request, and its receipts."""
_ROOT = "public/requests/"
_REQUEST = f"request{SUFFIX}"
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


def final_receipt(first: Receipt | None, last: Receipt | None) -> Receipt | None:
    """Return the receipt of a request after which nothing comes, None while it is open."""
    return first if last is None and first and first.answer is Answer.REFUSED else last


def request_key(center: str, digest: Digest) -> str:
    """Return the name of a request's record."""
    return f"{_folder(center)}{digest}/{_REQUEST}"


def receipt_key(center: str, digest: Digest, number: int) -> str:
    """Return the name of a receipt's record; `center` is the one in whose folder it stands."""
    return f"{_folder(center)}{digest}/receipt-{number}{SUFFIX}"


def folders(store: Store, center: str) -> tuple[dict[Digest, set[int]], int]:
    """Return what stands in the folder of each request to a center, by names alone.

    That is `REQUEST` and the numbers of receipts, by digest; with how many names are none of these.
    """
    found: dict[Digest, set[int]] = {}
    others = 0
    prefix = _folder(center)
    names = {_REQUEST: REQUEST} | {f"receipt-{n}{SUFFIX}": n for n in (FIRST, LAST)}
    for key in store.list(prefix):
        name, _, file = key.removeprefix(prefix).partition("/")
        try:
            digest, number = Digest(name), names[file]
        except (ValueError, KeyError):
            others += 1
        else:
            found.setdefault(digest, set()).add(number)
    return found, others


def _folder(center: str) -> str:
    return check_prefix(f"{_ROOT}{encode(center)}/")
