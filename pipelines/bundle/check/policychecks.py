"""Checks of what only the reader's policy can tell: whose keys, until when, before which witnesses.

The policy in the bundle is shown, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from builders.core.digest import Digest
from pipelines.bundle.card import STATEMENTS
from pipelines.bundle.check.dossier import Dossier
from pipelines.bundle.check.result import NotNeededError, UncheckedError, WrongError
from pipelines.bundle.layout import HEARTBEAT, POLICY
from pipelines.evidence.dsse import Envelope, verify
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.heartbeat import HeartbeatStatement
from pipelines.evidence.statements.statement import show_time, value_of
from pipelines.log.checkpoint import Cosignature
from pipelines.log.leaf import StatementLeaf
from pipelines.log.merkle import leaf_hash

if TYPE_CHECKING:
    from pipelines.policy import Policy

SKEW = timedelta(minutes=5)
"""How far the clock of a witness may be ahead."""
_AGAIN = "Export it again once the witnesses have seen the log"
_UNDATED = "This policy names no witness, so that no age can be shown: check without one"


def check_policy(dossier: Dossier) -> str:
    """Require a policy that is signed, counts now, and knows the center as its card tells it."""
    policy, card = dossier.policy, dossier.card
    if policy is None:
        raise NotNeededError("no policy was given: keys are trusted one by one")
    known = policy.center(card.id)
    told = (card.operator, card.region, card.builder_id, card.verifier_id)
    expected = (known.operator, known.region, known.builder, known.verifier)
    for name, got, wanted in zip(
        ("operator", "region", "builder", "verifier"), told, expected, strict=True
    ):
        if got != wanted:
            raise WrongError(
                f"the card tells another {name} than the policy", got=got, expected=wanted
            )
    log, shown = dossier.log_key.public, dossier.keys.get("log")
    if shown is not None and shown.material != log.material:
        raise WrongError(
            "the key of the log is another than the policy's", got=shown.keyid, expected=log.keyid
        )
    return f"version {policy.version}, signed by {policy.threshold} or more of its operators"


def check_given_policy(dossier: Dossier) -> str:
    """Say how the policy in the bundle stands to that of the reader, which alone counts."""
    data, mine = dossier.bundle.members.get(POLICY), dossier.trust.policy
    if data is None:
        raise NotNeededError("the bundle brings no policy along")
    if mine is None:
        raise NotNeededError("the bundle brings a policy along, which nothing vouches for")
    from pipelines.policy.signed_policy import read_signed  # noqa: PLC0415  # only where it is asked for

    theirs = read_signed(data)
    if theirs.digest == read_signed(mine).digest:
        return "the center goes by the same one"
    raise NotNeededError(f"the center goes by version {theirs.policy.version}; yours counts")


def check_key_time(dossier: Dossier) -> str:
    """Require that the key counted where each statement stands in the log."""
    policy = dossier.policy
    if policy is None or not dossier.leaves:
        raise NotNeededError("no policy, or no leaves")
    for index, logged in dossier.leaves.items():
        if isinstance(logged.leaf, StatementLeaf):
            policy.center_of_key(logged.leaf.keyid, index)
    return "every statement stands where its key counts"


def check_witnesses(dossier: Dossier) -> str:
    """Require the cosignatures that the policy demands, on the checkpoint of the proofs."""
    policy = dossier.policy
    if policy is None or not dossier.leaves:
        raise NotNeededError("no policy, or no leaves")
    found = _names(policy, dossier.card.id, dossier.checkpoint.cosignatures)
    if not policy.quorum.satisfied_by(found):
        raise WrongError(
            "the checkpoint has too few witnesses",
            got=", ".join(sorted(found)) or "none",
            expected=f"the quorum {policy.quorum.name} of the policy",
            todo=_AGAIN,
        )
    return f"witnessed by {', '.join(sorted(found))}" if found else "the policy wants no witness"


def check_fresh(dossier: Dossier) -> str:
    """Require a checkpoint no older than the heartbeat beside it, and than the reader asks."""
    if not dossier.leaves:
        raise NotNeededError("no leaves")
    _check_age(dossier)
    if dossier.heartbeat is None:
        raise _silence(dossier, "no heartbeat says what came later")
    envelope, beat = dossier.heartbeat
    _check_speaker(dossier, envelope, beat)
    _check_tree(dossier, beat)
    return _check_head(dossier, beat)


def _check_age(dossier: Dossier) -> None:
    """Require that a quorum has seen the checkpoint within the time that the reader allows."""
    limit, now = dossier.trust.max_age, dossier.trust.now
    if limit is None:
        return
    oldest, latest = int((now - limit).timestamp()), int((now + SKEW).timestamp())
    told = dossier.checkpoint.cosignatures
    seen = [c for c in told if oldest <= c.time <= latest]
    policy = dossier.policy
    if not seen or not (
        policy and policy.quorum.satisfied_by(_names(policy, dossier.card.id, seen))
    ):
        raise WrongError(
            "the checkpoint is stale",
            got=f"{len(seen)} of {len(told)} cosignatures are of that time",
            expected=f"enough witnesses in the last {int(limit.total_seconds())} s",
            todo=_UNDATED if policy and not policy.quorum.witnesses else _AGAIN,
        )


def _check_speaker(dossier: Dossier, envelope: Envelope, beat: HeartbeatStatement) -> None:
    """Require a heartbeat of this center, by a key that counts where its log ended."""
    told = beat.predicate
    if envelope.to_bytes() != dossier.bundle.members[HEARTBEAT]:
        raise WrongError(
            f"{HEARTBEAT} is in another spelling", expected="canonical JSON (RFC 8785)"
        )
    signers = verify(envelope, dossier.trusted or [dossier.keys[STATEMENTS]])
    if told.center != dossier.card.id:
        raise WrongError(
            "the heartbeat is of another center", got=told.center, expected=dossier.card.id
        )
    if dossier.policy is not None:
        for key in signers:
            dossier.policy.center_of_key(key.keyid, told.log.size)


def _check_tree(dossier: Dossier, beat: HeartbeatStatement) -> None:
    told, seen = beat.predicate.log, dossier.checkpoint.checkpoint
    if told.size > seen.size:
        raise WrongError(
            "the checkpoint is stale",
            got=f"{seen.size} leaves",
            expected=f"{told.size} or more, as the heartbeat of "
            f"{show_time(beat.predicate.beat_on)} says",
            todo="Export it again",
        )
    if told.size == seen.size and told.root.hex != seen.root.hex():
        raise WrongError(
            "heartbeat and checkpoint have two roots for one size",
            got=seen.root.hex(),
            expected=told.root,
            todo="The center shows different logs to different people: keep the bundle as a proof",
        )


def _check_head(dossier: Dossier, beat: HeartbeatStatement) -> str:
    """Require that the release's head in the heartbeat is a leaf here, where it is that old."""
    leaves = {logged.leaf.sequence: logged for logged in dossier.leaves.values()}
    when, last = show_time(beat.predicate.beat_on), max(leaves)
    for head in beat.predicate.heads:
        if head.release != dossier.report.release:
            continue
        if head.sequence > last:
            raise _silence(
                dossier,
                f"the center has {head.sequence - last} later leaves about this release by {when}: "
                "it looked again",
            )
        told, logged = value_of(head.newest), leaves.get(head.sequence)
        if logged and told != Digest(leaf_hash(logged.data).hex()):
            raise WrongError(
                "the heartbeat names another leaf of this release",
                got=leaf_hash(logged.data).hex(),
                expected=told,
            )
        if head.sequence == last:
            return f"nothing newer in the heartbeat of {when}"
    raise _silence(dossier, f"the heartbeat of {when} is older than the run")


def _silence(dossier: Dossier, what: str) -> EvidenceError:
    """Return what it means that this may not be the last word: much to who asks for a new one."""
    if dossier.trust.max_age is None:
        return NotNeededError(what)
    return UncheckedError(what, todo="Ask the center for a bundle of its newest run")


def _names(policy: Policy, center: str, cosignatures: Iterable[Cosignature]) -> set[str]:
    """Return the policy's names for those who cosigned a center's log, itself left out."""
    names = policy.witness_keys(center)
    return {names[cosignature.key] for cosignature in cosignatures if cosignature.key in names}
