"""The policy of one operator with one center, with which the center's own evidence is valid.

It is made once and never replaced. To join other centers, a center is added to their policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.center.center import LOCAL, Center
from pipelines.evidence.privatekey import load_key, load_or_create
from pipelines.evidence.publickey import PublicKey, load_public_key
from pipelines.evidence.statements.statement import show_time
from pipelines.log.notekey import COSIGNATURE, ED25519, NoteKey
from pipelines.policy.accepted import FOLDER, LOCK
from pipelines.policy.model import SCHEMA
from pipelines.policy.signed_policy import add_signature
from pipelines.policy.validation import read_policy
from pipelines.storage import files as durable

OPERATOR = "operator"
"""The name of the operator's key file, beside those of the center."""
SOURCE, SIGNED = "policy.yaml", "policy.dsse.json"
VALID = timedelta(days=365)


def local_policy_file(home: Path) -> Path:
    """Return the path of the signed local policy of the center whose home is `home`."""
    return home / FOLDER / SIGNED


def make_local_policy(
    center: Center, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Path:
    """Make the operator's key and the policy of `center`, and return the signed file.

    Existing files are kept; a policy that was written and not signed is signed. Raises
    `KeyFileError` for keys that are missing or cannot be used.
    """
    folder = center.home / FOLDER
    signed, source = local_policy_file(center.home), folder / SOURCE
    if signed.exists():
        return signed
    with durable.held(folder / LOCK):
        if signed.exists():  # made by another process in the meantime
            return signed
        key = load_or_create(center.key_folder, OPERATOR)
        if not source.exists():
            durable.replace(source, _written(center, clock() + VALID).encode(), mode=0o644)
        policy = read_policy(source)
        made = add_signature(policy, policy.operators[0].name, key)
        durable.replace(signed, made.envelope.to_bytes(), mode=0o644)
    return signed


def _written(center: Center, expires: datetime) -> str:
    """Return the policy as text; a JSON string is a YAML string too."""
    operator, region = center.operator or center.id, json.dumps(center.region)
    name, id_ = json.dumps(operator), json.dumps(center.id)
    origin = center.origin
    log = NoteKey.of(origin, ED25519, _public(center, "log"))
    witness = NoteKey.of(f"{origin}/witness", COSIGNATURE, _public(center, "witness"))
    statements = json.dumps(_public(center, "statements").to_pem().decode())
    return f"""\
# Who counts for the evidence of center {center.id}. After a change raise `version`, sign into a new
# file, and put that in the place of {SIGNED}:
#   samebits policy sign {SOURCE} --key ../keys/{OPERATOR}.key --operator {operator} --out new.json
schema: {SCHEMA}
version: 1
expires: {show_time(expires)}
operators:
  - {{name: {name}, legal: {name}, key: ../keys/{OPERATOR}.pub}}
threshold: 1
centers:
  - id: {id_}
    operator: {name}
    region: {region}
    builder: {json.dumps(center.builder_id)}
    verifier: {json.dumps(center.verifier_id)}
    log:
      origin: {origin}
      key: {log}
    witness: {witness}
    keys:
      - key: {statements}
        from: 0
witnesses: |
  quorum none
reviews: {{minimum: 0}}
consensus: {{k: 1, regions: 1, max_dissent: 0}}
"""


def _public(center: Center, use: str) -> PublicKey:
    for name, source in center.key_sources:
        if name == use:
            return load_public_key(source.public)
    open_ = load_or_create if center.id == LOCAL else load_key
    return open_(center.key_folder, use).public
