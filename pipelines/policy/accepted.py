"""The policy of a center, and the newest one that it ever accepted.

The first policy is accepted because the center's own file names it. After that a policy is accepted
only if the operators of the accepted one have signed it, so that an old policy, or one of other
operators, in the place of the file is noticed. The accepted policy is kept whole in
`<home>/policy/accepted.json`, since the next one is verified with its operators.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from builders.core.digest import canonical_json
from builders.core.smallfile import read_small_file
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.strictjson import read_object
from pipelines.policy.errors import CenterPolicyError, Fault, PolicyError
from pipelines.policy.model import EMPTY_POLICY, Policy
from pipelines.policy.signed_policy import (
    MAX_FILE,
    SignedPolicy,
    check_step,
    open_policy,
    read_signed,
)
from pipelines.storage import files as durable

SCHEMA = "samebits/accepted-policy/v1"
FOLDER = "policy"
ACCEPTED = "accepted.json"
LOCK = ".lock"
"""Held while anything in the folder changes."""


def load_policy(path: Path | None, *, home: Path, now: datetime) -> Policy:
    """Return the policy of the center whose folder is `home`, at `now` (UTC).

    Without a file this is `EMPTY_POLICY`. Raises `RecipeError` for a file that cannot
    be read and `CenterPolicyError` for one that does not count.
    """
    if path is None:
        return EMPTY_POLICY
    data = read_small_file(path, limit=MAX_FILE, file=str(path))
    try:
        signed = open_policy(data, now=now)
        accept(home, signed)
    except EvidenceError as error:
        raise CenterPolicyError(
            f"{path}: {error.what}",
            fault=error.fault if isinstance(error, PolicyError) else Fault.INVALID,
            got=error.got,
            expected=error.expected,
            todo=error.todo,
        ) from error
    return signed.policy


def accept(home: Path, signed: SignedPolicy) -> None:
    """Remember a verified policy; raises `PolicyError` unless it may follow the one before."""
    path = home / FOLDER / ACCEPTED
    if (old := accepted(home)) is not None and old.digest == signed.digest:
        return
    with durable.held(path.parent / LOCK):
        if (old := accepted(home)) is not None:
            check_step(old, signed)
        durable.replace(path, _to_bytes(signed), mode=0o644)


def accepted(home: Path) -> SignedPolicy | None:
    """Return the newest policy that was accepted; raises `PolicyError` for a damaged record."""
    path = home / FOLDER / ACCEPTED
    if not path.exists():
        return None
    data = read_small_file(path, limit=2 * MAX_FILE, file=str(path))
    try:
        fields = read_object(data, what="the record", limit=2 * MAX_FILE, nodes=1000)
        signed = read_signed(canonical_json(fields.get("policy")))
        damaged = _to_bytes(signed) != data
    except EvidenceError as error:
        raise _damaged(path, error.what) from error
    if damaged:
        raise _damaged(path, "other bytes")
    return signed


def _to_bytes(signed: SignedPolicy) -> bytes:
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "version": signed.policy.version,
        "sha256": str(signed.digest),
        "policy": signed.envelope.to_dict(),
    }
    return canonical_json(fields)


def _damaged(path: Path, got: str) -> PolicyError:
    return PolicyError(
        f"{path} is damaged: it is not known which policy was accepted",
        fault=Fault.INVALID,
        got=got,
        expected="the record as it was written",
        todo="Take it from a backup; remove it only if you know which policy is the newest",
    )
