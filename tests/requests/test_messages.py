"""Requests and receipts as records: one spelling, bounded, about exactly what they say."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Verdict
from builders.core.errors import UsageError
from pipelines.evidence.dsse import Envelope, Signature, sign_envelope
from pipelines.evidence.errors import EvidenceError, MalformedError, SignatureError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.people import (
    MAX_VALID,
    Answer,
    ReceiptStatement,
    RequestStatement,
    request,
)
from pipelines.requests.messages import (
    FIRST,
    LAST,
    MAX_RECORD,
    receipt_from,
    request_from,
    request_key,
    store_request,
)
from tests.evidence.examples import receipt
from tests.fakes.store import MemoryStore
from tests.requests.office import ADA, CENTER, ELSEWHERE, EVE, HERE, NOW, RELEASE, signed

TRICKS = [
    "../../etc/passwd@1",
    "lab/../engine@1",
    "lab/engine@../1",
    "lab/engine@1/../../2",
    "./engine@1",
    "lab/.@1",
    "lab/..@1",
    "lab/engine@..",
    "lab/engine@1\n",
    "lab/engine@1\0",
    "lab/engine@",
    "lab/engine",
    "/lab/engine@1",
    "lab//engine@1",
    "lab\\engine@1",
    "~root/engine@1",
    "lab/engine@$(id)",
    "lab/engine@`id`",
    "lab/engine@1;id",
    "https://evil.example/x@1",
    "file:///etc/passwd",
    "lab/engine%2F..@1",
    "lab/énginé@1",
    "lab/engine @1",
    "lab/" + "x" * 129 + "@1",
]


def made(**told: Any) -> RequestStatement:
    fields: dict[str, Any] = {
        "center": HERE,
        "release": RELEASE,
        "nonce": "nonce-0001",
        "requester": "ada",
        "now": NOW,
        "valid": timedelta(hours=1),
    }
    return request(**{**fields, **told})


def payload(**told: Any) -> bytes:
    """Return a payload whose predicate says `told`, whether a request can say that or not."""
    plain = made().to_dict()
    plain["predicate"].update(told)
    if isinstance(name := told.get("release"), str):
        plain["subject"][0]["digest"]["sha256"] = str(Digest.of(name.encode()))
    return canonical_json(plain)


def test_a_request_reads_back() -> None:
    envelope = signed()
    asked = request_from(envelope.to_bytes())
    assert RequestStatement.from_bytes(asked.envelope.payload) == asked.statement
    assert asked.digest == Digest.of(envelope.to_bytes())
    assert asked.statement.subject[0].digest.sha256 == Digest.of(b"lab/engine@1")


@pytest.mark.parametrize("release", TRICKS)
def test_no_path_command_or_address_is_a_release(release: str) -> None:
    with pytest.raises(ValidationError):
        made(release=release)
    with pytest.raises(MalformedError):
        RequestStatement.from_bytes(payload(release=release))


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet="aZ0._+~:!-/@%", max_size=12)
    | st.from_regex(r"[a-z0-9./]+/[a-z.]+@[0-9.~!:]+", fullmatch=True)
)
def test_what_a_request_can_name_is_what_recipes_can_be_named(text: str) -> None:
    try:
        made(release=text)
    except ValidationError:
        with pytest.raises(UsageError):
            ReleaseName.parse(text)
    else:
        assert str(ReleaseName.parse(text)) == text


WRONG: dict[str, dict[str, Any]] = {
    "short nonce": {"nonce": "1234567"},
    "long nonce": {"nonce": "x" * 65},
    "nonce with a path": {"nonce": "../../../x"},
    "nonce of two lines": {"nonce": "nonce-0001\n"},
    "center with a path": {"center": "../asia"},
    "requester with an address": {"requester": "ada@example"},
    "no end": {"expires": "2026-03-01T12:00:00Z"},
    "end before the beginning": {"expires": "2026-03-01T11:59:59Z"},
    "end too far": {"expires": "2026-03-31T12:00:01Z"},
    "command": {"command": "id"},
    "recipe": {"recipe": "/tmp/x.yaml"},
    "url": {"url": "https://evil.example/"},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_request_can_say_is_refused(name: str) -> None:
    RequestStatement.from_bytes(payload())
    with pytest.raises(MalformedError):
        RequestStatement.from_bytes(payload(**WRONG[name]))


def test_the_longest_request_is_one() -> None:
    RequestStatement.from_bytes(payload(expires="2026-03-31T12:00:00Z"))
    assert made(valid=MAX_VALID).predicate.expires == NOW + MAX_VALID


@pytest.mark.parametrize(
    "subject",
    [
        [{"name": "release", "digest": {"sha256": str(Digest.of(b"lab/engine@2"))}}],
        [{"name": "recipe", "digest": {"sha256": str(Digest.of(b"lab/engine@1"))}}],
        [
            {"name": "release", "digest": {"sha256": str(Digest.of(b"lab/engine@1"))}},
            {"name": "more", "digest": {"sha256": "a" * 64}},
        ],
    ],
)
def test_the_subject_is_the_release(subject: list[Any]) -> None:
    with pytest.raises(MalformedError, match="only subject"):
        RequestStatement.from_bytes(canonical_json({**made().to_dict(), "subject": subject}))


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(made().to_dict()).encode(),
        payload() + b"\n",
        payload()[:-1],
        payload().replace(b"request/v1", b"receipt/v1"),
    ],
)
def test_another_spelling_or_kind_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        RequestStatement.from_bytes(data)


def test_a_request_has_one_signature_and_a_bounded_size() -> None:
    envelope = signed()
    (signature,) = envelope.signatures
    two = envelope.model_copy(update={"signatures": (signature, Signature(keyid="x", sig=b"x"))})
    for data in (
        two.to_bytes(),
        envelope.to_bytes() + b"\n",
        json.dumps(envelope.to_dict()).encode(),
        envelope.to_bytes() + b" " * MAX_RECORD,
    ):
        with pytest.raises(MalformedError):
            request_from(data)


@settings(max_examples=200, deadline=None)
@given(at=st.floats(0, 1), junk=st.binary(min_size=1, max_size=3))
def test_a_request_with_bytes_changed_is_refused_or_another(at: float, junk: bytes) -> None:
    data = signed().to_bytes()
    place = int(at * (len(data) - 1))
    changed = data[:place] + junk + data[place + len(junk) :]
    try:
        asked = request_from(changed)
    except EvidenceError:
        return
    assert (asked.digest == Digest.of(data)) == (changed == data)


def test_keeping_a_request_twice_is_one_record() -> None:
    store = MemoryStore()
    asked = store_request(store, signed())
    assert store_request(store, signed()) == asked
    assert list(store.list("public/")) == [request_key(HERE, asked.digest)]


ASKED = request_from(signed().to_bytes())


def told(**other: Any) -> ReceiptStatement:
    fields: dict[str, Any] = {
        "center": HERE,
        "request": ASKED.digest,
        "release": RELEASE,
        "nonce": ASKED.content.nonce,
        "answer": Answer.DONE,
        "run": "20260301T120000Z-0a1b2c3d",
        "verdict": Verdict.IDENTICAL,
        "report": Digest("c" * 64),
        "now": NOW,
    }
    return receipt(**{**fields, **other})


def read(statement: ReceiptStatement, number: int = LAST, key: Any = CENTER) -> ReceiptStatement:
    data = sign_envelope(statement.to_bytes(), key).to_bytes()
    return receipt_from(data, ASKED, number, center=HERE, keys=[CENTER.public])


SHORT = {"run": None, "verdict": None, "report": None}
REFUSED = {**SHORT, "answer": Answer.REFUSED, "reason": "expired"}
ACCEPTED = {**SHORT, "answer": Answer.ACCEPTED}


def test_receipts_read_back() -> None:
    assert read(told()) == told()
    for number in (FIRST, LAST):
        assert read(told(**REFUSED), number).predicate.reason == "expired"
    assert read(told(**ACCEPTED), FIRST).predicate.answer is Answer.ACCEPTED


@pytest.mark.parametrize("key", [ADA, EVE])
def test_a_receipt_is_signed_by_the_center(key: Any) -> None:
    with pytest.raises(SignatureError):
        read(told(), key=key)


@pytest.mark.parametrize(
    ("other", "number"),
    [
        ({"center": ELSEWHERE}, LAST),
        ({"request": Digest("0" * 64)}, LAST),
        ({"release": "lab/engine@2"}, LAST),
        ({"nonce": "nonce-0002"}, LAST),
        ({}, FIRST),
        (ACCEPTED, LAST),
    ],
)
def test_a_receipt_is_about_exactly_this_request(other: dict[str, Any], number: int) -> None:
    with pytest.raises(MalformedError, match="the receipt is malformed"):
        read(told(**other), number)


def test_another_statement_is_no_receipt() -> None:
    data = sign_envelope(b"{}", CENTER).to_bytes()
    with pytest.raises(MalformedError):
        receipt_from(data, ASKED, LAST, center=HERE, keys=[CENTER.public])
    envelope = Envelope.from_bytes(sign_envelope(told().to_bytes(), CENTER).to_bytes())
    with pytest.raises(MalformedError, match="at most"):
        receipt_from(
            envelope.to_bytes() + b" " * MAX_RECORD,
            ASKED,
            LAST,
            center=HERE,
            keys=[CENTER.public],
        )
