"""Signed policies: a DSSE envelope over canonical JSON, and when one is accepted.

As with the root of TUF: a policy is signed by a threshold of its own operators, and one that
follows another also by a threshold of the operators of the one before. An operator counts once, by
key. The version only grows, and one version is one payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.core.yamlfile import Document
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, Signature, pae, verify_envelope
from pipelines.evidence.errors import MalformedError, SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.statement import show_time
from pipelines.evidence.strictjson import read_object
from pipelines.policy.errors import Fault, PolicyError
from pipelines.policy.model import Policy
from pipelines.policy.validation import policy_from

PAYLOAD_TYPE = "application/vnd.samebits.policy+json"
MAX_FILE = 4 << 20
_NODES = 100_000


@dataclass(frozen=True, kw_only=True)
class SignedPolicy:
    """A policy and its envelope; the signatures are not verified."""

    policy: Policy
    envelope: Envelope

    @cached_property
    def digest(self) -> Digest:
        """The SHA-256 of the payload: signatures can be added without changing it."""
        return Digest.of(self.envelope.payload)


def read_signed(data: bytes) -> SignedPolicy:
    """Read a signed policy that makes sense; its signatures are not verified.

    Raises `MalformedError` and `PolicyError`.
    """
    if not data.lstrip().startswith(b"{"):
        raise PolicyError(
            "the policy is not signed",
            fault=Fault.UNSIGNED,
            got="no DSSE envelope",
            expected=f"one with the payload type {PAYLOAD_TYPE}",
            todo="`samebits policy sign POLICY.yaml --key FILE --operator NAME --out "
            "policy.dsse.json` signs one",
        )
    fields = read_object(data, what="the signed policy", limit=MAX_FILE, nodes=1000)
    envelope = Envelope.from_dict(fields, payload_type=PAYLOAD_TYPE)
    return SignedPolicy(policy=_policy(envelope.payload), envelope=envelope)


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
    _check_threshold(signed, signed.policy, Fault.NOT_ENOUGH_SIGNATURES, "its operators")


def check_expiry(policy: Policy, now: datetime) -> None:
    """Raise `PolicyError` for a policy that does not count any more at `now` (UTC)."""
    if now >= policy.expires:
        raise PolicyError(
            "the policy has expired",
            fault=Fault.EXPIRED,
            got=show_time(policy.expires),
            expected=f"one after {show_time(now)}",
            todo="Sign a new version with a later `expires`",
        )


def check_step(old: SignedPolicy, new: SignedPolicy) -> None:
    """Raise `PolicyError` unless `new` may follow `old`, or is the same."""
    if new.policy.version < old.policy.version:
        raise PolicyError(
            "the policy is older than the one that was accepted",
            fault=Fault.ROLLBACK,
            got=f"version {new.policy.version}",
            expected=f"version {old.policy.version} or a later one",
            todo="An old policy is being served: find out by whom, and do not rely on it",
        )
    if new.digest == old.digest:
        return
    if new.policy.version == old.policy.version:
        raise PolicyError(
            "two policies have one version",
            fault=Fault.NOT_THE_SAME,
            got=f"version {new.policy.version} with sha256 {new.digest}",
            expected=f"the accepted one, with sha256 {old.digest}",
            todo="A changed policy needs a higher version",
        )
    _check_threshold(new, old.policy, Fault.UNCHAINED, "the operators of the policy before it")


def add_signature(
    policy: Policy, name: str, signer: EnvelopeSigner, *, to: SignedPolicy | None = None
) -> SignedPolicy:
    """Return `policy` with the signature of the operator `name`, added to those of `to`.

    Raises `PolicyError` for a key that is not that operator's, and when `to` holds another payload.
    """
    key = policy.operator(name).key
    if signer.public.material != key.material:
        raise PolicyError(
            f"the key is not that of operator {name}",
            fault=Fault.NOT_AN_OPERATOR,
            got=f"key {signer.public.keyid[:16]}",
            expected=f"key {key.keyid[:16]}",
        )
    payload = policy.to_bytes()
    if to is not None and to.envelope.payload != payload:
        raise PolicyError(
            "the file holds another policy",
            fault=Fault.NOT_THE_SAME,
            got=f"version {to.policy.version} with sha256 {to.digest}",
            expected=f"version {policy.version} with sha256 {Digest.of(payload)}",
            todo="`samebits policy diff` shows what differs; sign into a new file",
        )
    mine = Signature(keyid=key.keyid, sig=signer.sign(pae(PAYLOAD_TYPE, payload)))
    others = [s for s in to.envelope.signatures if s.keyid != key.keyid] if to else []
    envelope = Envelope(payload=payload, payload_type=PAYLOAD_TYPE, signatures=(*others, mine))
    return SignedPolicy(policy=policy, envelope=envelope)


def signed_by(signed: SignedPolicy, by: Policy) -> tuple[str, ...]:
    """Return the names of the operators of `by` whose signatures are good."""
    found = {key.material for key in _signers(signed, by)}
    return tuple(o.name for o in by.operators if o.key.material in found)


def _check_threshold(signed: SignedPolicy, by: Policy, fault: Fault, whose: str) -> None:
    if len(_signers(signed, by)) < by.threshold:
        good = signed_by(signed, by)
        raise PolicyError(
            f"the policy is not signed by enough of {whose}",
            fault=fault,
            got=f"{len(good)} good signatures ({', '.join(good) or 'none'})",
            expected=f"{by.threshold} of {', '.join(o.name for o in by.operators)}",
            todo="More of them must sign it: `samebits policy sign`",
        )


def _signers(signed: SignedPolicy, by: Policy) -> tuple[PublicKey, ...]:
    """Return the distinct keys of the operators of `by` that signed."""
    try:
        return verify_envelope(signed.envelope, [operator.key for operator in by.operators])
    except SignatureError:
        return ()


def _policy(payload: bytes) -> Policy:
    """Read a payload; any bytes but the canonical ones are refused."""
    fields = read_object(payload, what="a policy", limit=MAX_FILE, nodes=_NODES)
    for part in ("operators", "centers"):
        if fields.get(part) == []:
            raise PolicyError(
                "the policy is empty: it names no one",
                fault=Fault.EMPTY,
                got=f"no {part}",
                expected=f"at least one of its {part}",
                todo="Name the signed policy of the centers",
            )
    try:
        policy = policy_from(Document(file="policy", data=fields, lines={}), None)
    except RecipeError as error:
        raise PolicyError(
            "the signed policy contradicts itself",
            fault=Fault.INVALID,
            got=error.what if error.got is None else f"{error.what}: {error.got}",
            expected=error.expected,
            todo="It was signed with another tool: do not rely on it",
        ) from error
    if policy.to_bytes() != payload:
        raise MalformedError(
            "a policy is not in canonical form",
            got="other bytes",
            expected="canonical JSON with every key inline and every default written out",
            todo="It was signed with another tool: do not rely on it",
        )
    return policy
