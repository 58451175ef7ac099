"""The keys of a center, and the policy of one operator with one center that names them.

That policy is the one with which the center's own evidence is valid. It is made once and never
replaced. To join other centers, a center is added to their policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from builders.core.errors import UsageError
from pipelines.center.center import LOCAL, Center
from pipelines.center.file import local_policy_file
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.privatekey import (
    KEY_USES,
    PrivateKey,
    key_from_uri,
    load_key,
    load_or_create,
    make_key_at,
)
from pipelines.evidence.publickey import KeyUse, PublicKey, load_public_key
from pipelines.evidence.statements.statement import show_time
from pipelines.evidence.tokenuri import names_token
from pipelines.log.notekey import COSIGNATURE, ED25519, NoteKey
from pipelines.policy.model import SCHEMA
from pipelines.policy.signed_policy import FOLDER, LOCK, add_signature
from pipelines.policy.validation import read_policy
from pipelines.storage import files as durable

OPERATOR = "operator"
"""The name of the operator's key file, beside those of the center."""
SOURCE = "policy.yaml"
VALID = timedelta(days=365)


def public_keys(center: Center) -> dict[str, PublicKey]:
    """Return a center's public keys by use; raises `KeyFileError` without one for statements.

    A public file that is missing beside a private key, as after a restore, is written again.
    """
    paths = {use: center.key_folder / f"{use}.pub" for use in KEY_USES}
    for use, path in paths.items():
        if (
            use not in center.key_sources
            and not path.exists()
            and path.with_suffix(".key").exists()
        ):
            load_key(center.key_folder, use)
    paths |= {use: source.public for use, source in center.key_sources.items()}
    return {
        use: load_public_key(path)
        for use, path in sorted(paths.items())
        if use == "statements" or path.exists()
    }


def log_key(center: Center) -> NoteKey:
    """Return the key of the center's log; raises `KeyFileError` for a center without one."""
    found = public_keys(center).get("log")
    if found is None:
        raise KeyFileError(
            f"center {center.id} has no key for its log",
            got=f"no log.pub in {center.key_folder}",
            todo="`samebits center init` makes the keys of a center",
        )
    return NoteKey.of(center.origin, ED25519, found)


def center_key(center: Center, use: KeyUse = "statements") -> PrivateKey:
    """Load a private key of a center; the implicit center's key and policy are made on first use.

    Raises `KeyFileError`.
    """
    if source := center.key_sources.get(use):
        return key_from_uri(source.uri, load_public_key(source.public))
    key = _key_in_folder(center, use)
    if _is_made_on_first_use(center):
        make_local_policy(center)
    return key


def key_elsewhere(center: Center, use: KeyUse) -> PrivateKey:
    """Load the key for which the center's file has a URI.

    One in a token is made there when its public key file is missing, which is then written. Raises
    `KeyFileError`.
    """
    source = center.key_sources[use]
    if names_token(source.uri) and not source.public.exists():
        make_key_at(source.uri, source.public)
    return center_key(center, use)


def key_places(center: Center) -> dict[str, str]:
    """Return where each private key of a center is.

    That is its URI without the query, its file, or for one that is not here the signer's socket.
    """
    found: dict[str, str] = {}
    for use in KEY_USES:
        file = center.key_folder / f"{use}.key"
        if source := center.key_sources.get(use):
            found[use] = source.uri.partition("?")[0]
        elif center.signer is not None and not file.exists():
            found[use] = f"behind the signer at {center.signer}"
        else:
            found[use] = str(file)
    return found


class NoPolicyError(UsageError):
    """A center has no policy, so nothing can be believed."""


def policy_file(center: Center) -> Path:
    """Return the signed policy of a center; the implicit center's is made on first use.

    Raises `NoPolicyError` for a center without one.
    """
    if center.policy.is_file():
        return center.policy
    if _is_made_on_first_use(center):
        return make_local_policy(center)
    raise NoPolicyError(
        f"center {center.id} has no policy",
        got=f"no file {center.policy}",
        expected="the signed policy of its operators",
        todo="Name it in the center's file; `samebits center init` makes one for a single center",
    )


def is_unmade(center: Center) -> bool:
    """Whether this is the implicit center before its first use, without a policy or evidence."""
    return _is_made_on_first_use(center) and not center.policy.is_file()


def _is_made_on_first_use(center: Center) -> bool:
    return center.id == LOCAL and center.policy == local_policy_file(center.home)


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
    operator, region = center.operator, json.dumps(center.region)
    name, id_ = json.dumps(operator), json.dumps(center.id)
    origin = center.origin
    log = NoteKey.of(origin, ED25519, _public(center, "log"))
    witness = NoteKey.of(f"{origin}/witness", COSIGNATURE, _public(center, "witness"))
    statements = json.dumps(_public(center, "statements").to_pem().decode())
    return f"""\
# Who counts for the evidence of center {center.id}. After a change raise `version`, sign into a new
# file, and put that in the place of {local_policy_file(center.home).name}:
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


def _public(center: Center, use: KeyUse) -> PublicKey:
    if source := center.key_sources.get(use):
        return load_public_key(source.public)
    return _key_in_folder(center, use).public


def _key_in_folder(center: Center, use: str) -> PrivateKey:
    """Return the key of that name; of the implicit center it is made on first use."""
    load = load_or_create if center.id == LOCAL else load_key
    return load(center.key_folder, use)
