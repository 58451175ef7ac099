"""When a signed policy counts: signatures, expiry, and the step from the one before."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta

import pytest

from builders.core.digest import canonical_json
from pipelines.evidence.errors import MalformedError
from pipelines.policy import PolicyError, SignedPolicy, open_policy, read_signed
from pipelines.policy.errors import Fault
from pipelines.policy.signed_policy import add_signature, check_step, signed_by
from tests.policy.world import (
    ALPHA,
    BETA,
    EVE,
    EXPIRES,
    GAMMA,
    NOW,
    Data,
    Key,
    draft,
    envelope,
    policy_of,
    signed,
    signed_bytes,
)

SECOND = timedelta(seconds=1)


def counts(data: bytes, *, now: datetime = NOW, trusted: SignedPolicy | None = None) -> bool:
    return open_policy(data, now=now, trusted=trusted).envelope.to_bytes() == data


def refused(data: bytes, *, trusted: SignedPolicy | None = None) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        open_policy(data, now=NOW, trusted=trusted)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    return caught.value


def test_what_two_of_three_operators_signed_counts() -> None:
    found = open_policy(signed_bytes(), now=NOW)
    assert found.policy == policy_of()
    assert found.policy.to_bytes() == found.envelope.payload
    assert signed_by(found, found.policy) == ("alpha", "beta")


@pytest.mark.parametrize(
    "keys",
    [(ALPHA,), (EVE, GAMMA), (EVE, Key("mallory")), (Key("europe statements"), BETA)],
    ids=lambda keys: "+".join(k.name for k in keys),
)
def test_fewer_operators_are_not_enough(keys: tuple[Key, ...]) -> None:
    error = refused(signed_bytes(None, *keys))
    assert error.fault is Fault.NOT_ENOUGH_SIGNATURES
    assert "2 of alpha, beta, gamma" in str(error.expected)


def test_one_operator_counts_once_under_whatever_key_id() -> None:
    fields = json.loads(signed_bytes(None, ALPHA))
    again = {**fields["signatures"][0], "keyid": "another"}
    fields["signatures"].append(again)
    assert refused(canonical_json(fields)).fault is Fault.NOT_ENOUGH_SIGNATURES


def test_signatures_over_another_payload_do_not_count() -> None:
    fields = json.loads(signed_bytes())
    payload = canonical_json(draft(threshold=1, version=5))
    fields["payload"] = base64.b64encode(payload).decode()
    error = refused(canonical_json(fields))
    assert error.fault is Fault.NOT_ENOUGH_SIGNATURES
    assert "0 good signatures" in str(error.got)


def test_signatures_under_another_payload_type_do_not_count() -> None:
    from pipelines.evidence.dsse import sign_envelope

    fields = sign_envelope(canonical_json(draft()), ALPHA, BETA).to_dict()
    fields["payloadType"] = "application/vnd.samebits.policy+json"
    assert refused(canonical_json(fields)).fault is Fault.NOT_ENOUGH_SIGNATURES


def test_more_signatures_than_needed_do_no_harm() -> None:
    assert counts(signed_bytes(None, ALPHA, EVE, BETA, GAMMA))


def test_it_counts_until_the_second_it_expires() -> None:
    assert counts(signed_bytes(), now=EXPIRES - SECOND)
    for now in (EXPIRES, EXPIRES + SECOND, EXPIRES + timedelta(days=3650)):
        with pytest.raises(PolicyError, match="the policy has expired") as caught:
            open_policy(signed_bytes(), now=now)
        assert caught.value.fault is Fault.EXPIRED


@pytest.mark.parametrize("version", [5, 6, 100])
def test_a_later_version_of_the_same_operators_follows(version: int) -> None:
    new = signed_bytes(draft(version=version))
    assert open_policy(new, now=NOW, trusted=signed()).policy.version == version


def test_the_same_policy_follows_itself_with_more_signatures() -> None:
    assert counts(signed_bytes(None, BETA, GAMMA), trusted=signed())


@pytest.mark.parametrize("version", [1, 3])
def test_an_older_version_is_a_rollback(version: int) -> None:
    error = refused(signed_bytes(draft(version=version)), trusted=signed())
    assert error.fault is Fault.ROLLBACK
    assert f"version {version}" in str(error.got)


def test_one_version_is_one_policy() -> None:
    error = refused(signed_bytes(draft(threshold=1)), trusted=signed())
    assert error.fault is Fault.NOT_THE_SAME


def others(*keys: Key, **fields: object) -> Data:
    """Return version 5 of other operators, which is theirs alone."""
    names = [(name, key) for name, key in zip(("alpha", "beta", "gamma"), keys, strict=True)]
    operators = [{"name": n, "legal": n, "key": k.pem} for n, k in names]
    return draft(version=5, operators=operators, **fields)


def test_other_operators_cannot_follow_by_themselves() -> None:
    new = (EVE, Key("mallory"), Key("trudy"))
    error = refused(signed_bytes(others(*new), *new), trusted=signed())
    assert error.fault is Fault.UNCHAINED
    assert "0 good signatures" in str(error.got)


@pytest.mark.parametrize("old", [(ALPHA,), (GAMMA,)], ids=["alpha", "gamma"])
def test_a_minority_of_the_old_operators_is_not_enough(old: tuple[Key, ...]) -> None:
    new = (EVE, Key("mallory"), Key("trudy"))
    error = refused(signed_bytes(others(*new), *new, *old), trusted=signed())
    assert error.fault is Fault.UNCHAINED


def test_the_old_operators_hand_over_to_new_ones_together() -> None:
    new = (EVE, Key("mallory"), Key("trudy"))
    step = signed_bytes(others(*new), EVE, Key("mallory"), ALPHA, BETA)
    assert open_policy(step, now=NOW, trusted=signed()).policy.version == 5


def test_the_old_operators_alone_cannot_speak_for_the_new_ones() -> None:
    new = (EVE, Key("mallory"), Key("trudy"))
    error = refused(signed_bytes(others(*new), ALPHA, BETA, GAMMA), trusted=signed())
    assert error.fault is Fault.NOT_ENOUGH_SIGNATURES


def test_the_threshold_of_the_old_policy_rules_the_step() -> None:
    """A new policy with a lower threshold cannot let itself in."""
    lower = signed_bytes(draft(version=5, threshold=1), ALPHA)
    assert refused(lower, trusted=signed()).fault is Fault.UNCHAINED
    assert open_policy(lower, now=NOW).policy.threshold == 1


def test_a_step_from_an_expired_policy_counts() -> None:
    old = signed(draft(expires="2020-01-01T00:00:00Z"))
    assert counts(signed_bytes(draft(version=5)), trusted=old)


def test_a_policy_without_operators_or_centers_is_empty() -> None:
    for part in ("operators", "centers"):
        error = refused(signed_bytes(draft(**{part: []})))
        assert error.fault is Fault.EMPTY
        assert "empty" in error.what


def test_every_refusal_has_a_message_of_its_own() -> None:
    told = {
        refused(signed_bytes(None, ALPHA)).what,
        refused(signed_bytes(draft(expires="2020-01-01T00:00:00Z"))).what,
        refused(signed_bytes(draft(version=1)), trusted=signed()).what,
        refused(signed_bytes(draft(threshold=1)), trusted=signed()).what,
        refused(signed_bytes(draft(version=5, threshold=1), ALPHA), trusted=signed()).what,
        refused(signed_bytes(draft(centers=[]))).what,
        refused(b"schema: samebits/policy/v1").what,
        refused(signed_bytes(draft(threshold=9))).what,
    }
    assert len(told) == 8


def test_an_unsigned_policy_says_what_to_do() -> None:
    error = refused(b"schema: samebits/policy/v1\nversion: 1\n")
    assert error.fault is Fault.UNSIGNED
    assert "samebits policy sign" in str(error.todo)


@pytest.mark.parametrize(
    ("threshold", "got"),
    [(9, "more operators are required than there are: 9"), (None, "missing field")],
)
def test_what_makes_no_sense_is_refused_though_it_is_signed(
    threshold: int | None, got: str
) -> None:
    data = draft(threshold=threshold)
    error = refused(signed_bytes({k: v for k, v in data.items() if v is not None}))
    assert (error.fault, str(error.got).endswith(got)) == (Fault.INVALID, True)


def test_a_path_is_no_key_in_what_is_signed() -> None:
    data = draft()
    data["operators"][0]["key"] = "alpha.pub"
    error = refused(signed_bytes(data))
    assert error.fault is Fault.INVALID
    assert "no key" in str(error.got)


MALFORMED = {
    "spaces": json.dumps(draft()).encode(),
    "numbers-as-text": canonical_json(draft(version="4")),
    "a-default-left-out": canonical_json({k: v for k, v in draft().items() if k != "revoked"}),
    "yes-for-one": canonical_json(draft(threshold=True)),
    "a-loose-quorum": canonical_json(
        draft(witnesses=draft()["witnesses"].replace("quorum ", "quorum  "))
    ),
    "a-comment": canonical_json(draft(witnesses="# words\n" + draft()["witnesses"])),
    "key-twice": canonical_json(draft()).replace(b'{"centers"', b'{"version":4,"centers"', 1),
    "fraction": canonical_json(draft()).replace(b'"version":4', b'"version":4.0'),
    "huge-number": canonical_json(draft()).replace(b'"version":4', b'"version":99999999999999999'),
    "not-json": b"{",
    "a-list": b"[]",
    "not-utf8": b'{"schema":"\xff"}',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_payload_has_one_spelling(name: str) -> None:
    with pytest.raises(MalformedError):
        open_policy(envelope(MALFORMED[name], ALPHA, BETA), now=NOW)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"payloadType":"application/vnd.samebits.policy+json"}',
        b"{" * 5000,
        b'{"payload":"' + b"A" * (5 << 20) + b'"}',
        canonical_json(
            {**json.loads(signed_bytes()), "payloadType": "application/vnd.in-toto+json"}
        ),
        canonical_json({**json.loads(signed_bytes()), "signatures": []}),
        canonical_json({**json.loads(signed_bytes()), "more": 1}),
    ],
    ids=["empty", "no-payload", "deep", "too-large", "a-statement", "no-signature", "more"],
)
def test_an_envelope_in_another_form_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        open_policy(data, now=NOW)


def test_operators_sign_one_after_the_other() -> None:
    policy = policy_of()
    first = add_signature(policy, "alpha", ALPHA)
    assert refused(first.envelope.to_bytes()).fault is Fault.NOT_ENOUGH_SIGNATURES
    both = add_signature(policy, "beta", BETA, to=first)
    assert counts(both.envelope.to_bytes())
    again = add_signature(policy, "beta", BETA, to=both)
    assert again.envelope == both.envelope


def test_a_key_signs_for_its_own_operator_alone() -> None:
    for name, key in (("alpha", BETA), ("alpha", EVE), ("eve", EVE)):
        with pytest.raises(PolicyError) as caught:
            add_signature(policy_of(), name, key)
        assert caught.value.fault is Fault.NOT_AN_OPERATOR


def test_a_signature_is_not_added_to_another_policy() -> None:
    with pytest.raises(PolicyError, match="another policy") as caught:
        add_signature(policy_of(draft(version=5)), "beta", BETA, to=signed(None, ALPHA))
    assert caught.value.fault is Fault.NOT_THE_SAME
    assert str(caught.value.got) == f"version 4 with sha256 {signed().digest}"
    assert "samebits policy diff" in str(caught.value.todo)


def test_a_step_is_the_same_whoever_asks() -> None:
    check_step(signed(), signed(draft(version=5)))
    with pytest.raises(PolicyError):
        check_step(signed(draft(version=5)), signed())


def test_what_was_signed_is_read_back_byte_for_byte() -> None:
    data = signed_bytes()
    assert read_signed(data).envelope.to_bytes() == data
