"""The next version of a policy, with another key of a center, or a center in the place of another.

A key for statements counts for part of the center's log. So the former one stays in the policy and
ends where the new one begins. A key of a witness has no such part: a new one takes its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from builders.core.yamlfile import Document
from pipelines.evidence.publickey import PublicKey
from pipelines.log.notekey import NoteKey
from pipelines.policy.model import CenterKey, Policy, PolicyCenter
from pipelines.policy.quorum import Quorum, QuorumWitness
from pipelines.policy.validation import policy_from


def newest_key(center: PolicyCenter) -> PublicKey:
    """Return the key for statements that begins last."""
    return max(center.keys, key=lambda key: key.start).key


def with_statements_key(
    policy: Policy, center: str, key: PublicKey, size: int, *, until: int | None = None
) -> Policy:
    """Return the next version, in which `key` signs for a center from log size `size` on.

    The key before it ends there, or at the smaller log size `until`. Raises `PolicyError` for an
    unknown center, `RecipeError` for a policy that makes no sense.
    """
    end = size if until is None else min(until, size)
    known = policy.center(center)
    kept = [_ended(one, end) for one in known.keys if one.start < end]
    return _next(
        policy, replace(known, keys=(*kept, CenterKey(key=key, start=size))), policy.quorum
    )


def with_witness_key(policy: Policy, center: str, key: NoteKey) -> Policy:
    """Return the next version, in which `key` is the witness of a center; raises as above."""
    known = policy.center(center)
    quorum = policy.quorum
    if (old := known.witness) is not None:
        quorum = _with_witness(quorum, old, lambda one: replace(one, key=key))
    return _next(policy, replace(known, witness=key), quorum)


def with_successor(policy: Policy, center: str, size: int, successor: PolicyCenter) -> Policy:
    """Return the next version, in which a center has ended and `successor` goes on.

    What the center has logged before log size `size` counts as before. The witness of the successor
    takes the place of the center's. Raises as above.
    """
    known, quorum = policy.center(center), policy.quorum
    new = successor.witness
    if known.witness is not None and new is not None:
        quorum = _with_witness(
            quorum, known.witness, lambda one: QuorumWitness(name=one.name, key=new)
        )
    ended = tuple(_ended(one, size) for one in known.keys if one.start < size)
    old = replace(known, witness=None, keys=ended) if ended else None
    return _next(policy, old, quorum, successor, replaces=center)


def _ended(key: CenterKey, end: int) -> CenterKey:
    return replace(key, end=end if key.end is None else min(key.end, end))


def _with_witness(
    quorum: Quorum, old: NoteKey, change: Callable[[QuorumWitness], QuorumWitness]
) -> Quorum:
    witnesses = tuple(change(one) if one.key.key == old.key else one for one in quorum.witnesses)
    return replace(quorum, witnesses=witnesses)


def _next(
    policy: Policy,
    changed: PolicyCenter | None,
    quorum: Quorum,
    *more: PolicyCenter,
    replaces: str | None = None,
) -> Policy:
    """Return the next version with a changed center, and check it as every policy is checked."""
    name = replaces if changed is None else changed.id
    centers = tuple(changed if one.id == name else one for one in policy.centers)
    made = replace(
        policy,
        version=policy.version + 1,
        centers=(*(one for one in centers if one is not None), *more),
        quorum=quorum,
    )
    return policy_from(Document(file="the changed policy", data=made.to_dict(), lines={}), None)
