"""Three operators with a center each, as plain data that tests change, sign and read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders.core.digest import canonical_json
from builders.core.yamlfile import Document, parse_document
from pipelines.evidence.dsse import Envelope, Signature, pae
from pipelines.evidence.publickey import PublicKey, ed25519_key
from pipelines.log.notekey import COSIGNATURE, ED25519, NoteKey
from pipelines.policy import Policy, SignedPolicy, read_signed
from pipelines.policy.signed_policy import PAYLOAD_TYPE
from pipelines.policy.validation import policy_from

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EXPIRES = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
ORIGIN = "samebits.example/centers/"
Data = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """A key made from its name, so that every run signs the same."""

    name: str

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(self.name.encode()).digest())

    @property
    def raw(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def public(self) -> PublicKey:
        return ed25519_key(self.raw)

    @property
    def pem(self) -> str:
        return self.public.to_pem().decode()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)

    def log(self, origin: str) -> str:
        return str(self.note_key(origin))

    def note_key(self, origin: str) -> NoteKey:
        return NoteKey(name=origin, algorithm=ED25519, key=self.raw)

    def witness(self, name: str) -> str:
        return str(NoteKey(name=name, algorithm=COSIGNATURE, key=self.raw))


def ecdsa_key(number: int, keyid: str) -> str:
    """Return the key JSON of an ECDSA key: unlike for Ed25519, its id is whatever it says."""
    point = derive_private_key(number, SECP256R1()).public_key()
    pem = point.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    key = {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": pem}}
    return canonical_json({**key, "keyid": keyid}).decode() + "\n"


ALPHA, BETA, GAMMA, EVE = (Key(name) for name in ("alpha", "beta", "gamma", "eve"))


def center(name: str, operator: str, region: str) -> Data:
    origin = ORIGIN + name
    return {
        "id": name,
        "operator": operator,
        "region": region,
        "builder": f"https://samebits.example/centers/{name}/builder",
        "verifier": f"https://samebits.example/centers/{name}/verifier",
        "log": {"origin": origin, "key": Key(f"{name} log").log(origin)},
        "witness": Key(f"{name} witness").witness(f"{origin}/witness"),
        "keys": [{"key": Key(f"{name} statements").pem, "from": 0, "until": None}],
    }


def draft(**fields: Any) -> Data:
    """Return a good policy as it is signed, with some of its fields replaced."""
    rules: Data = {"k": 2, "regions": 2, "max_dissent": 0, "normalizers": ["mtimes", "order"]}
    strict: Data = {"k": 3, "regions": 2, "max_dissent": 0, "normalizers": []}
    witnesses = "".join(
        f"witness {n} {Key(f'{n} witness').witness(f'{ORIGIN}{n}/witness')}\n"
        for n in ("asia", "americas")
    )
    return {
        "schema": "samebits/policy/v1",
        "version": 4,
        "expires": "2027-03-01T12:00:00Z",
        "operators": [
            {"name": k.name, "legal": f"{k.name.title()} Ltd", "key": k.pem}
            for k in (ALPHA, BETA, GAMMA)
        ],
        "threshold": 2,
        "centers": [
            center("europe", "alpha", "eu"),
            center("asia", "beta", "apac"),
            center("americas", "gamma", "amer"),
        ],
        "witnesses": f"{witnesses}group others 1 asia americas\nquorum others\n",
        "reviewers": [{"name": n, "key": Key(f"{n} reviewer").pem} for n in ("ada", "bob")],
        "reviews": {"minimum": 1, "kinds": {"ruleset": 2}},
        "revoked": [],
        "consensus": {**rules, "kinds": {"ruleset": strict}},
        **fields,
    }


def policy_of(data: Data | None = None) -> Policy:
    return policy_from(Document(file="policy.yaml", data=data or draft(), lines={}), None)


def from_yaml(data: Data) -> Policy:
    return policy_from(parse_document(yaml.safe_dump(data), file="policy.yaml"), None)


def envelope(payload: bytes, *keys: Key) -> bytes:
    """Return `payload` signed by `keys`, whatever it is."""
    message = pae(PAYLOAD_TYPE, payload)
    signatures = [Signature(keyid=k.public.keyid, sig=k.sign(message)) for k in keys]
    whole = Envelope(payload=payload, payload_type=PAYLOAD_TYPE, signatures=tuple(signatures))
    return whole.to_bytes()


def signed_bytes(data: Data | None = None, *keys: Key) -> bytes:
    return envelope(canonical_json(data or draft()), *(keys or (ALPHA, BETA)))


def signed(data: Data | None = None, *keys: Key) -> SignedPolicy:
    return read_signed(signed_bytes(data, *keys))


def signed_file(
    folder: Path, rest: str, name: str = "policy.dsse.json", *, version: int = 1
) -> Path:
    """Write the policy of one operator and the lines `rest` of YAML, signed; return its path.

    Key files that `rest` names are looked for in `folder`.
    """
    alone = draft(
        version=version,
        expires="2036-01-01T00:00:00Z",
        operators=draft()["operators"][:1],
        threshold=1,
        centers=draft()["centers"][:1],
        witnesses="quorum none\n",
    )
    for field in ("reviewers", "reviews", "revoked", "consensus"):
        del alone[field]
    text = yaml.safe_dump(alone) + rest
    from pipelines.policy.signed_policy import add_signature

    made = policy_from(parse_document(text, file=str(folder / "policy.yaml")), folder)
    path = folder / name
    path.write_bytes(add_signature(made, "alpha", ALPHA).envelope.to_bytes())
    return path
