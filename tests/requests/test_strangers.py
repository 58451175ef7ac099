"""Who is not answered: strangers, copies, rubbish, and receipts that nobody signed."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders.core.digest import Digest
from pipelines.evidence.dsse import Envelope, Signature, sign_envelope
from pipelines.evidence.statements.people import Answer
from pipelines.requests.messages import FIRST, LAST, MAX_RECORD, receipt_key, request_key
from pipelines.requests.rules import IgnoreReason
from pipelines.requests.triage import pending
from pipelines.storage.directory import DirectoryStore
from tests.evidence.examples import receipt
from tests.requests.office import (
    ADA,
    CENTER,
    ELSEWHERE,
    EVE,
    HERE,
    NOW,
    RELEASE,
    Center,
    answers,
    by_center,
    signed,
)

DONE = (Answer.DONE, None)
MINUTE = timedelta(minutes=1)


def forged(envelope: Envelope) -> Envelope:
    (signature,) = envelope.signatures
    spoilt = bytes([signature.sig[0] ^ 1, *signature.sig[1:]])
    return envelope.model_copy(
        update={"signatures": (Signature(keyid=signature.keyid, sig=spoilt),)}
    )


def renamed(envelope: Envelope) -> Envelope:
    (signature,) = envelope.signatures
    return envelope.model_copy(update={"signatures": (Signature(keyid="x", sig=signature.sig),)})


STRANGERS = {
    "by-a-stranger": signed(EVE, name="eve"),
    "in-the-name-of-a-known-one": signed(EVE),
    "with-a-broken-signature": forged(signed()),
    "with-another-key-id": renamed(signed()),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_counted_and_makes_nobody_write(center: Center, name: str) -> None:
    center.ask(STRANGERS[name])
    before = center.records()
    seen = center.look()
    assert (seen.open, seen.refused, seen.unanswered) == ([], [], {IgnoreReason.STRANGER: 1})
    assert center.records() == before
    assert not (center.folder / "home").exists()


def test_a_revoked_key_makes_nobody_write(center: Center) -> None:
    center.revoked = (ADA,)
    center.ask()
    assert center.look().unanswered == {IgnoreReason.REVOKED: 1}
    assert len(center.records()) == 1


def test_an_expired_policy_knows_nobody(center: Center) -> None:
    center.ask()
    handler = center.handler
    for expires, opened in ((NOW, 0), (NOW + MINUTE, 1)):
        seen = pending(replace(handler, policy=replace(handler.policy, expires=expires)), NOW)
        assert len(seen.open) == opened
        assert seen.unanswered == ({} if opened else {IgnoreReason.NO_POLICY: 1})


def test_a_copy_makes_no_second_record(center: Center) -> None:
    envelope = signed()
    (signature,) = envelope.signatures
    center.ask(envelope)
    center.serve()
    place = f"public/requests/{HERE}"
    more = envelope.model_copy(
        update={"signatures": (signature, Signature(keyid="junk", sig=b"junk"))}
    )
    for number, data in enumerate(
        (more.to_bytes(), envelope.to_bytes() + b"\n", b" " + envelope.to_bytes())
    ):
        center.store.put_record(f"{place}/{Digest.of(data)}/request.dsse.json", data)
        assert center.serve() == []
        assert center.look().unanswered == {IgnoreReason.MALFORMED: number + 1}
    assert len(center.runs) == 1


def test_a_request_under_another_name_is_none(center: Center) -> None:
    data = signed().to_bytes()
    center.store.put_record(request_key(HERE, Digest("0" * 64)), data)
    assert center.look().unanswered == {IgnoreReason.MALFORMED: 1}


def test_rubbish_in_the_folder_stops_nobody(center: Center) -> None:
    place = f"public/requests/{HERE}"
    rubbish = {
        f"{place}/readme.txt": b"hello",
        f"{place}/{'0' * 64}/request.dsse.json": b"",
        f"{place}/{'1' * 64}/request.dsse.json": b"x" * (MAX_RECORD + 1),
        f"{place}/{'2' * 64}/request.dsse.json": b'{"payload":' * 5000,
        f"{place}/{'3' * 64}/receipt-1.dsse.json": b"{}",
        f"{place}/{'4' * 64}/receipt-9.dsse.json": b"{}",
        f"{place}/{'5' * 64}/request.dsse.json/deeper": b"{}",
        f"{place}/{'A' * 64}/request.dsse.json": b"{}",
        f"{place}/..%2F..%2Fetc/request.dsse.json": b"{}",
    }
    for key, data in rubbish.items():
        center.store.put_record(key, data)
    by_the_center = by_center(
        receipt(
            center=HERE,
            request=Digest("6" * 64),
            release=RELEASE,
            nonce="nonce-0001",
            answer=Answer.ACCEPTED,
            now=NOW,
        )
    )
    data = by_the_center.to_bytes()  # a statement, and not a request
    center.store.put_record(request_key(HERE, Digest.of(data)), data)
    center.ask()
    assert answers(center.serve()) == [DONE]
    assert center.look().unanswered == {IgnoreReason.MALFORMED: len(rubbish) + 1}


def test_links_and_devices_in_the_folder_stop_nobody(tmp_path: Path) -> None:
    center = Center(folder=tmp_path, store=DirectoryStore(tmp_path / "store"))
    center.ask()
    place = tmp_path / "store" / "public" / "requests" / HERE
    (place / ("0" * 64)).mkdir()
    (place / ("0" * 64) / "request.dsse.json").symlink_to("/etc/passwd")
    (place / ("1" * 64)).symlink_to(place)
    (place / ("2" * 64)).mkdir()
    os.mkfifo(place / ("2" * 64) / "request.dsse.json")
    assert answers(center.serve()) == [DONE]


def test_another_centers_requests_are_not_looked_at(center: Center) -> None:
    data = signed(center=ELSEWHERE).to_bytes()
    center.store.put_record(request_key(ELSEWHERE, Digest.of(data)), data)
    seen = center.look()
    assert (seen.open, seen.unanswered) == ([], {})


@pytest.mark.parametrize("number", [FIRST, LAST])
@pytest.mark.parametrize("forger", [EVE, ADA])
def test_a_receipt_that_the_center_did_not_sign_is_not_believed(
    center: Center, number: int, forger: object
) -> None:
    asked = center.ask()
    told = receipt(
        center=HERE,
        request=asked.digest,
        release=RELEASE,
        nonce=asked.content.nonce,
        answer=Answer.REFUSED,
        reason="forged",
        now=NOW,
    )
    data = sign_envelope(told.to_bytes(), forger).to_bytes()  # type: ignore[arg-type]
    center.store.put_record(receipt_key(HERE, asked.digest, number), data)
    seen = center.look()
    assert (seen.open, seen.unanswered) == ([], {IgnoreReason.BLOCKED: 1})
    assert center.records().count(receipt_key(HERE, asked.digest, number)) == 1
    assert len(center.records()) == 2, "nothing is written beside it"


def test_a_receipt_of_the_center_about_something_else_is_not_believed(center: Center) -> None:
    one = center.ask()
    center.serve()
    two = center.ask(nonce="nonce-0002")
    center.store.put_record(receipt_key(HERE, two.digest, LAST), center.receipt(one, LAST))
    assert center.look().unanswered == {IgnoreReason.BLOCKED: 1}


def test_a_look_tells_what_it_counted(center: Center) -> None:
    center.ask(STRANGERS["by-a-stranger"])
    center.ask()
    seen = center.look()
    assert (len(seen.open), seen.refused, seen.left) == (1, [], 0)
    assert seen.unanswered == {IgnoreReason.STRANGER: 1}
    assert CENTER.public.keyid not in center.handler.policy.revoked
