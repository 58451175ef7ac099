"""Every way in which one hand could make a threshold is refused; each case is an attack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from builders.core.errors import RecipeError
from pipelines.evidence.dsse import Signature
from pipelines.evidence.errors import EvidenceError, MalformedError
from pipelines.evidence.publickey import PublicKey, ed25519_key, read_public_key
from pipelines.log.errors import NoteError
from pipelines.log.notekey import COSIGNATURE, NoteKey
from pipelines.policy import PolicyError, open_policy, read_signed
from pipelines.policy.errors import Fault
from pipelines.policy.independence import independent_regions, legal_body
from pipelines.policy.signed_policy import accept, accepted
from tests.policy.test_signed_policy import refused
from tests.policy.test_validation import put
from tests.policy.world import (
    ALPHA,
    BETA,
    NOW,
    ORIGIN,
    Data,
    Key,
    center,
    draft,
    ecdsa_key,
    from_yaml,
    signed_bytes,
)

TWICE, TWINS = "one key is used twice", "one legal body is two operators"
TWO_WITNESSES = "the witnesses of one operator count more than once"
IDENTITY = bytes([1, *bytes(31)])
"""The neutral point of edwards25519."""


def legal(first: str, second: str) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        data["operators"][0]["legal"], data["operators"][1]["legal"] = first, second

    return change


def json_key(number: int, keyid: str, **changes: Any) -> str:
    return json.dumps({**json.loads(ecdsa_key(number, keyid)), **changes})


def quorum_of(key: Key) -> Callable[[Data], None]:
    """Return the change that makes a witness of a key that has another use in the policy."""
    vkey = key.witness("outside.example")
    return put("witnesses", value=f"witness outside {vkey}\nquorum outside\n")


def second_center(lines: str) -> Callable[[Data], None]:
    """Return the change that gives alpha a second center, and the policy other witnesses."""

    def change(data: Data) -> None:
        data["centers"].append(center("africa", "alpha", "afr"))
        names = ("europe", "africa", "asia")
        witnesses = (
            f"witness {n} {Key(f'{n} witness').witness(f'{ORIGIN}{n}/witness')}\n" for n in names
        )
        data["witnesses"] = "".join(witnesses) + lines

    return change


ONE_HAND: dict[str, tuple[Callable[[Data], object], str, str]] = {
    "key-of-two-operators": (put("operators", 1, "key", value=ALPHA.pem), TWICE, "operators.1.key"),
    "key-as-pem-and-as-json": (
        put("operators", 1, "key", value=ALPHA.public.to_json().decode()), TWICE, "operators.1.key",
    ),
    "key-in-pem-wrapped-otherwise": (
        put("operators", 1, "key", value=ALPHA.pem.replace("\n", "\r\n")), TWICE, "operators.1.key",
    ),
    "key-under-two-names": (
        lambda data: [
            put("operators", n, "key", value=json_key(1, name))(data)
            for n, name in enumerate(("a", "b"))
        ],
        TWICE, "operators.1.key",
    ),
    "key-under-two-schemes": (
        lambda data: [
            put("operators", n, "key", value=text)(data)
            for n, text in enumerate(
                (json_key(1, "a"), json_key(1, "b", keytype="ecdsa-sha2-nistp256"))
            )
        ],
        "the key cannot be used", "operators.1.key",
    ),
    "statement-key-is-the-witness-of-another": (
        put("centers", 1, "witness", value=Key("europe statements").witness("w")),
        TWICE, "centers.1.witness",
    ),
    "statement-key-is-an-outside-witness": (
        quorum_of(Key("asia statements")), TWICE, "witnesses",
    ),
    "log-key-is-an-outside-witness": (quorum_of(Key("europe log")), TWICE, "witnesses"),
    "operator-is-an-outside-witness": (quorum_of(ALPHA), TWICE, "witnesses"),
    "reviewer-is-an-outside-witness": (quorum_of(Key("ada reviewer")), TWICE, "witnesses"),
    "reviewers-with-one-key": (
        put("reviewers", 1, "key", value=Key("ada reviewer").pem), TWICE, "reviewers.1.key",
    ),
    "statement-key-is-a-reviewer": (
        put("reviewers", 0, "key", value=Key("asia statements").pem), TWICE, "reviewers.0.key",
    ),
    "one-legal-body": (legal("Acme Ltd", "Acme Ltd"), TWINS, "operators.1.legal"),
    "one-legal-body-in-other-case": (legal("Straße AG", "STRASSE ag"), TWINS, "operators.1.legal"),
    "one-legal-body-spaced": (legal("Acme Ltd", "AcmeLtd"), TWINS, "operators.1.legal"),
    "one-legal-body-punctuated": (legal("Acme Ltd", "Acme, L.t.d."), TWINS, "operators.1.legal"),
    "one-legal-body-decomposed": (legal("\xc9clair", "E\u0301clair"), TWINS, "operators.1.legal"),
    "one-legal-body-full-width": (
        legal("Acme", "\uff21\uff43\uff4d\uff45"), TWINS, "operators.1.legal",
    ),
    "one-legal-body-and-a-selector": (legal("Acme", "Ac\ufe0fme"), TWINS, "operators.1.legal"),
    "one-legal-body-and-a-filler": (legal("Acme", "Ac\u3164me"), TWINS, "operators.1.legal"),
    "one-legal-body-cyrillic": (legal("Acme", "\u0410\u0441m\u0435"), TWINS, "operators.1.legal"),
    "one-legal-body-greek": (legal("BETA", "\u0392\u0395\u03a4\u0391"), TWINS, "operators.1.legal"),
    "two-witnesses-in-a-group": (
        second_center("group g 2 europe africa asia\nquorum g\n"), TWO_WITNESSES, "witnesses",
    ),
    "two-witnesses-behind-groups": (
        second_center("group a any europe\ngroup b any africa asia\ngroup g 2 a b\nquorum g\n"),
        TWO_WITNESSES, "witnesses",
    ),
    "two-regions-of-one-operator": (
        lambda data: [second_center("quorum asia\n")(data), data["consensus"].update(regions=4)],
        "more regions of different operators", "consensus.regions",
    ),
    "two-centers-for-k": (
        lambda data: [second_center("quorum asia\n")(data), data["consensus"].update(k=4)],
        "more operators with a center", "consensus.k",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_HAND)
def test_one_hand_makes_no_threshold(name: str) -> None:
    change, says, field = ONE_HAND[name]
    data = draft()
    change(data)
    with pytest.raises(RecipeError, match=says) as caught:
        from_yaml(data)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "change",
    [
        legal("Alpha Ltd", "Beta Ltd"),
        legal("Alpha Ltd", "Alpha AG"),
        legal("\u041f\u0440\u0430\u0433\u0430", "Praha"),
        legal("C", "C+"),
        second_center("group a any europe africa\ngroup g 2 a asia\nquorum g\n"),
        second_center("group g 1 europe africa asia\nquorum g\n"),
    ],
)
def test_different_hands_are_not_refused(change: Callable[[Data], None]) -> None:
    data = draft()
    change(data)
    assert from_yaml(data).operators


def test_no_witness_of_the_same_operator_counts_for_a_log() -> None:
    data = draft()
    second_center("quorum europe\n")(data)
    policy = from_yaml(data)
    assert set(policy.witness_keys("africa").values()) == {"asia"}
    assert set(policy.witness_keys("asia").values()) == {"europe", "africa"}


def test_one_signature_under_two_key_ids_is_one_operator() -> None:
    fields = json.loads(signed_bytes(None, ALPHA))
    for keyid in ("another", "", BETA.public.keyid):
        again = Signature(keyid=keyid, sig=fields["signatures"][0]["sig"]).model_dump()
        data = json.dumps({**fields, "signatures": [fields["signatures"][0], again]}).encode()
        assert refused(data).fault is Fault.NOT_ENOUGH_SIGNATURES


def test_a_key_is_its_value_whatever_its_encoding() -> None:
    fields = json.loads(ecdsa_key(1, "a"))
    body = "".join(fields["keyval"]["public"].splitlines()[1:-1])
    wide = f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
    same = [PublicKey.model_validate({**fields, "keyval": {"public": pem}}) for pem in (
        fields["keyval"]["public"], wide, wide.replace("\n", "\r\n"),
    )]  # fmt: skip
    assert len({key.material for key in same}) == 1
    assert same[0].material != read_public_key(ecdsa_key(2, "a").encode()).material


def small_points() -> Iterator[bytes]:
    """Yield the small-order points, and encodings that are not reduced."""
    field = 2**255 - 19
    eight = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
    for y in (0, 1, field - 1, eight, field - eight, field, field + 1, field + 9):
        for sign in (0, 1):
            yield (y | sign << 255).to_bytes(32, "little")


@pytest.mark.parametrize("raw", [*small_points()], ids=bytes.hex)
def test_a_point_that_anybody_can_sign_for_is_no_key(raw: bytes) -> None:
    vkey = str(NoteKey(name="w", algorithm=COSIGNATURE, key=raw))
    with pytest.raises(NoteError, match="cannot be used"):
        NoteKey.parse(vkey, COSIGNATURE)
    with pytest.raises(MalformedError, match="has a private key"):
        read_public_key(ed25519_key(raw).to_json())


def test_anybody_signs_under_the_neutral_point() -> None:
    signature = IDENTITY + bytes(32)
    Ed25519PublicKey.from_public_bytes(IDENTITY).verify(signature, b"any policy")
    with pytest.raises(EvidenceError):
        read_public_key(ed25519_key(IDENTITY).to_json())


def test_each_operator_is_placed_where_it_helps_most() -> None:
    assert independent_regions([]) == 0
    assert independent_regions([("a", "x"), ("a", "y"), ("a", "z")]) == 1
    assert independent_regions([("a", "x"), ("b", "x"), ("c", "x")]) == 1
    assert independent_regions([("a", "x"), ("a", "y"), ("b", "x")]) == 2
    assert independent_regions([("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("c", "z")]) == 3


@pytest.mark.parametrize("name", ["", "!!!", "\u3164"])
def test_names_without_a_letter_are_all_one(name: str) -> None:
    assert legal_body(name) == ""


def test_a_policy_that_was_accepted_under_older_rules_can_be_replaced(tmp_path: Path) -> None:
    twins = draft()
    legal("Acme", "acme")(twins)
    with pytest.raises(PolicyError, match="one legal body"):
        read_signed(signed_bytes(twins))
    old = read_signed(signed_bytes(twins), accepted_before=True)
    accept(tmp_path, old)
    assert accepted(tmp_path) == old
    new = open_policy(signed_bytes(draft(version=5)), now=NOW)
    accept(tmp_path, new)
    assert accepted(tmp_path) == new
