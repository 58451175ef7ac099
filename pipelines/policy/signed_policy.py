"""Signed policies: a DSSE envelope over canonical JSON, and when a center accepts one.

As with the root of TUF: a policy is signed by a threshold of its own operators, and one that
follows another also by a threshold of the operators of the one before. An operator counts once, by
key. The version only grows, and one version is one payload.

A center accepts its first policy because its own file names it. The newest one that it accepted is
kept whole in `<home>/policy/accepted.json`, since the next one is verified with its operators: an
old policy, or one of other operators, in the place of the file is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from builders.core.digest import Digest, canonical_json
from builders.core.errors import RecipeError
from builders.core.smallfile import read_small_file
from builders.core.yamlfile import Document
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, envelope_of, pae, verify_envelope
from pipelines.evidence.errors import EvidenceError, MalformedError, SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.statement import show_time
from pipelines.evidence.strictjson import read_object
from pipelines.policy.errors import CenterPolicyError, Fault, PolicyError
from pipelines.policy.model import Policy
from pipelines.policy.validation import policy_from
from pipelines.storage import files as durable

PAYLOAD_TYPE = "application/vnd.samebits.policy+json"
MAX_FILE = 4 << 20
_NODES = 100_000
SCHEMA = "samebits/accepted-policy/v1"
FOLDER = "policy"
ACCEPTED = "accepted.json"
LOCK = ".lock"
"""Held while anything in the folder changes."""


@dataclass(frozen=True, kw_only=True)
class SignedPolicy:
    """A policy and its envelope; the signatures are not verified."""

    policy: Policy
    envelope: Envelope

    @cached_property
    def digest(self) -> Digest:
        """The SHA-256 of the payload: signatures can be added without changing it."""
        return Digest.of(self.envelope.payload)

    def __str__(self) -> str:
        """Return version and digest, for messages."""
        return f"version {self.policy.version} with sha256 {self.digest}"


def read_signed(data: bytes, *, accepted_before: bool = False) -> SignedPolicy:
    """Read a signed policy that makes sense; its signatures are not verified.

    One that was accepted before may break a rule that is newer than it: it can still be replaced.
    Raises `MalformedError` and `PolicyError`.
    """
    if not data.lstrip().startswith(b"{"):
        expected = f"one with the payload type {PAYLOAD_TYPE}"
        raise PolicyError(Fault.UNSIGNED, got="no DSSE envelope", expected=expected)
    fields = read_object(data, what="the signed policy", limit=MAX_FILE, nodes=1000)
    envelope = Envelope.from_dict(fields, payload_type=PAYLOAD_TYPE)
    policy = _policy(envelope.payload, check=not accepted_before)
    return SignedPolicy(policy=policy, envelope=envelope)


def open_policy(data: bytes, *, now: datetime, trusted: SignedPolicy | None = None) -> SignedPolicy:
    """Return a policy that counts at `now` (UTC), as a step from `trusted` if that is given.

    Raises `MalformedError` for bytes in another form, and `PolicyError`: unsigned, empty, without
    enough signatures, expired, rolled back, or not signed by the operators of `trusted`.
    """
    signed = read_signed(data)
    check_operator_signatures(signed)
    check_expiry(signed.policy, now)
    if trusted is not None:
        check_step(trusted, signed)
    return signed


def check_operator_signatures(signed: SignedPolicy) -> None:
    """Raise `PolicyError` unless a threshold of its own operators has signed."""
    _check_threshold(signed, signed.policy, Fault.NOT_ENOUGH_SIGNATURES)


def check_expiry(policy: Policy, now: datetime) -> None:
    """Raise `PolicyError` for a policy that does not count any more at `now` (UTC)."""
    if now >= policy.expires:
        got, expected = show_time(policy.expires), f"one after {show_time(now)}"
        raise PolicyError(Fault.EXPIRED, got=got, expected=expected)


def check_step(old: SignedPolicy, new: SignedPolicy) -> None:
    """Raise `PolicyError` unless `new` may follow `old`, or is the same."""
    if new.policy.version < old.policy.version:
        expected = f"version {old.policy.version} or a later one"
        raise PolicyError(Fault.ROLLBACK, got=f"version {new.policy.version}", expected=expected)
    if new.digest == old.digest:
        return
    if new.policy.version == old.policy.version:
        expected = f"the accepted one, with sha256 {old.digest}"
        raise PolicyError(Fault.NOT_THE_SAME, got=new, expected=expected)
    _check_threshold(new, old.policy, Fault.UNCHAINED)


def add_signature(
    policy: Policy, name: str, signer: EnvelopeSigner, *, to: SignedPolicy | None = None
) -> SignedPolicy:
    """Return `policy` with the signature of the operator `name`, added to those of `to`.

    Raises `PolicyError` for a key that is not that operator's, and when `to` holds another payload.
    """
    key = policy.operator(name).key
    if signer.public.material != key.material:
        raise PolicyError(
            Fault.NOT_AN_OPERATOR,
            what=f"the key is not that of operator {name}",
            got=f"key {signer.public.keyid[:16]}",
            expected=f"key {key.keyid[:16]}",
        )
    payload = policy.to_bytes()
    if to is not None and to.envelope.payload != payload:
        raise PolicyError(
            Fault.NOT_THE_SAME,
            what="the file holds another policy",
            got=to,
            expected=f"version {policy.version} with sha256 {Digest.of(payload)}",
            todo="`samebits policy diff` shows what differs; sign into a new file",
        )
    mine = signer.sign(pae(PAYLOAD_TYPE, payload))
    others = {s.keyid: s.sig for s in to.envelope.signatures} if to else {}
    envelope = envelope_of(payload, {**others, key.keyid: mine}.items(), payload_type=PAYLOAD_TYPE)
    return SignedPolicy(policy=policy, envelope=envelope)


def signed_by(signed: SignedPolicy, by: Policy) -> tuple[str, ...]:
    """Return the names of the operators of `by` whose signatures are good."""
    found = {key.material for key in _signers(signed, by)}
    return tuple(o.name for o in by.operators if o.key.material in found)


def _check_threshold(signed: SignedPolicy, by: Policy, fault: Fault) -> None:
    if len(_signers(signed, by)) < by.threshold:
        good = signed_by(signed, by)
        got = f"{len(good)} good signatures ({', '.join(good) or 'none'})"
        expected = f"{by.threshold} of {', '.join(o.name for o in by.operators)}"
        raise PolicyError(fault, got=got, expected=expected)


def _signers(signed: SignedPolicy, by: Policy) -> tuple[PublicKey, ...]:
    """Return the distinct keys of the operators of `by` that signed."""
    try:
        return verify_envelope(signed.envelope, [operator.key for operator in by.operators])
    except SignatureError:
        return ()


def _policy(payload: bytes, *, check: bool) -> Policy:
    """Read a payload; any bytes but the canonical ones are refused."""
    fields = read_object(payload, what="a policy", limit=MAX_FILE, nodes=_NODES)
    for part in ("operators", "centers"):
        if fields.get(part) == []:
            expected = f"at least one of its {part}"
            raise PolicyError(Fault.EMPTY, got=f"no {part}", expected=expected)
    try:
        policy = policy_from(Document(file="policy", data=fields, lines={}), None, check=check)
    except RecipeError as error:
        got = error.what if error.got is None else f"{error.what}: {error.got}"
        raise PolicyError(Fault.INVALID, got=got, expected=error.expected) from error
    if policy.to_bytes() != payload:
        raise MalformedError(
            "a policy is not in canonical form",
            got="other bytes",
            expected="canonical JSON with every key inline and every default written out",
            todo="It was signed with another tool: do not rely on it",
        )
    return policy


def load_policy(path: Path, *, home: Path, now: datetime) -> Policy:
    """Return the policy of the center whose folder is `home`, at `now` (UTC).

    Raises `RecipeError` for a file that cannot be read and `CenterPolicyError` for one that does
    not count.
    """
    data = read_small_file(path, limit=MAX_FILE, file=str(path))
    try:
        signed = open_policy(data, now=now)
        accept(home, signed)
    except EvidenceError as error:
        raise CenterPolicyError(
            error.fault if isinstance(error, PolicyError) else Fault.INVALID,
            what=f"{path}: {error.what}",
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
    cause: EvidenceError | None = None
    try:
        fields = read_object(data, what="the record", limit=2 * MAX_FILE, nodes=1000)
        signed = read_signed(canonical_json(fields.get("policy")), accepted_before=True)
        if _to_bytes(signed) == data:
            return signed
    except EvidenceError as error:
        cause = error
    raise PolicyError(
        Fault.INVALID,
        what=f"{path} is damaged: it is not known which policy was accepted",
        got=cause.what if cause else "other bytes",
        expected="the record as it was written",
        todo="Take it from a backup; remove it only if you know which policy is the newest",
    ) from cause


def _to_bytes(signed: SignedPolicy) -> bytes:
    return canonical_json(
        {
            "schema": SCHEMA,
            "version": signed.policy.version,
            "sha256": str(signed.digest),
            "policy": signed.envelope.to_dict(),
        }
    )
