"""Lies about who signed: bent envelopes, other signers, other keys on the center's card."""

from __future__ import annotations

import json

from builders.core.digest import canonical_json
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.privatekey import PrivateKey
from tests.bundle.bundles import STATEMENTS, STATEMENTS_KEY, Altered
from tests.bundle.tells import ATTEMPT, COMPARISON, member_of, payload_of


def indented(altered: Altered, other: PrivateKey) -> None:
    member = member_of(ATTEMPT)
    altered.members[member] = json.dumps(json.loads(altered.members[member]), indent=1).encode()


def bent(altered: Altered, other: PrivateKey) -> None:
    """Change a payload under its old signature."""
    envelope = Envelope.from_bytes(altered.members[member_of(COMPARISON)])
    payload = envelope.payload.replace(b"2026", b"2025", 1)
    altered.members[member_of(COMPARISON)] = envelope.model_copy(
        update={"payload": payload}
    ).to_bytes()


def by_another(altered: Altered, other: PrivateKey) -> None:
    member = member_of(COMPARISON)
    altered.put(member, payload_of(altered, member), other)


def by_another_too(altered: Altered, other: PrivateKey) -> None:
    member = member_of(COMPARISON)
    altered.put(member, payload_of(altered, member), altered.key, other)


def all_by_another(altered: Altered, other: PrivateKey) -> None:
    for member in [name for name in altered.members if name.startswith(STATEMENTS)]:
        altered.put(member, payload_of(altered, member), other)


def under_another_key_id(altered: Altered, other: PrivateKey) -> None:
    member = member_of(COMPARISON)
    document = json.loads(altered.members[member])
    document["signatures"][0]["keyid"] = other.public.keyid
    altered.members[member] = canonical_json(document)


def all_under_another_key_id(altered: Altered, other: PrivateKey) -> None:
    """Show another key, and name it in every envelope that the trusted one has signed."""
    card_of_another_key(altered, other)
    for member in [name for name in altered.members if name.startswith(STATEMENTS)]:
        document = json.loads(altered.members[member])
        document["signatures"][0]["keyid"] = other.public.keyid
        altered.members[member] = canonical_json(document)


def card_of_another_key(altered: Altered, other: PrivateKey) -> None:
    altered.members[STATEMENTS_KEY] = other.public.to_pem()
    altered.card(lambda d: d["keys"][1].update(keyid=other.public.keyid))


def witness_key_on_card(altered: Altered, other: PrivateKey) -> None:
    """Sign statements with the key for witnessing, and show another for statements."""
    altered.members["keys/witness.pub"] = altered.key.public.to_pem()
    altered.members[STATEMENTS_KEY] = other.public.to_pem()
    altered.card(
        lambda d: d.update(
            keys=[
                d["keys"][0],
                {"use": "statements", "keyid": other.public.keyid},
                {"use": "witness", "keyid": altered.key.public.keyid},
            ]
        )
    )
