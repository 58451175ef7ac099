"""Checks of who signed, and whether the reader trusts them for it.

A signature counts under a key that the reader brought, or that the reader's policy names, and under
no other. The policy in the bundle is shown and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from builders.core.units import format_duration
from pipelines.audit.center_finding import ExclusionReason as Reason
from pipelines.audit.statement_reader import VerifiedStatement
from pipelines.bundle.check.members import require_canonical, require_key_ids
from pipelines.bundle.check.opened import OpenedBundle, refuse
from pipelines.bundle.check.result import (
    NotNeededError,
    UncheckedError,
    require,
    require_equal,
)
from pipelines.bundle.layout import HEARTBEAT, LOG, POLICY
from pipelines.evidence.clocks import SKEW
from pipelines.evidence.dsse import verify_envelope
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.log_status import Heartbeat
from pipelines.evidence.statements.statement import show_time, value_of
from pipelines.log.checkpoint import Cosignature

if TYPE_CHECKING:
    from pipelines.policy.signed_policy import SignedPolicy

_AGAIN = "Export it again once the witnesses have seen the log"
_TWO_LOGS = "The center shows different logs to different people: keep the bundle as a proof"
_NO_WITNESSES = "This policy names no witness, so that no age can be shown: check without one"


def check_policy(opened: OpenedBundle) -> str:
    """Require a policy that is signed, counts now, and describes the center as its card does."""
    policy, card = opened.policy, opened.card
    if policy is None:
        raise NotNeededError("no policy was given: keys are trusted one by one")
    known = policy.center(card.id)
    for name, got, expected in (
        ("operator", card.operator, known.operator),
        ("region", card.region, known.region),
        ("builder", card.builder_id, known.builder),
        ("verifier", card.verifier_id, known.verifier),
    ):
        require_equal(f"the card names another {name} than the policy", got, expected)
    log, shown = opened.log_key.public, opened.keys.get("log")
    same = shown is None or shown.material == log.material
    what = "the key of the log is another than the policy's"
    require(same, what, shown and shown.keyid, log.keyid)
    return f"version {policy.version}, signed by {policy.threshold} or more of its operators"


def check_given_policy(opened: OpenedBundle) -> str:
    """Compare the policy in the bundle with that of the reader, which alone counts.

    Both are signed by their own operators. Two of one version, signed by the same ones, are none.
    """
    data, mine = opened.bundle.members.get(POLICY), opened.trust.policy
    if data is None:
        raise NotNeededError("the bundle contains no policy")
    if mine is None:
        raise NotNeededError("the bundle contains a policy, which is not trusted")
    from pipelines.policy import signed_policy  # noqa: PLC0415  # a tenth of a second

    theirs, trusted = signed_policy.read_signed(data), signed_policy.read_signed(mine)
    written = theirs.envelope.to_bytes()
    canonical = data in (written, written + b"\n")  # with one, as `policy sign` writes it
    require(canonical, f"{POLICY} is not canonical", expected="canonical JSON (RFC 8785)")
    signed_policy.check_operator_signatures(theirs)
    _check_every_signature(theirs, trusted)
    if theirs.digest == trusted.digest:
        return "the center has the same one"
    if len(signed_policy.signed_by(theirs, trusted.policy)) >= trusted.policy.threshold:
        what = "the operators of your policy have signed another one of its version"
        got, version = f"version {theirs.policy.version}", trusted.policy.version
        require(theirs.policy.version != version, what, got, f"one policy of version {version}")
    raise NotNeededError(f"the center has version {theirs.policy.version}; yours counts")


def _check_every_signature(theirs: SignedPolicy, mine: SignedPolicy) -> None:
    """Require every signature of an operator that is known to be good, and under its key id.

    Those of operators before them, whom neither policy names, cannot be checked.
    """
    keys = [operator.key for signed in (theirs, mine) for operator in signed.policy.operators]
    message = theirs.envelope.pae()
    for signature in theirs.envelope.signatures:
        named = {key.material for key in keys if key.keyid == signature.keyid}
        good = {key.material for key in keys if key.verifies(signature.sig, message)}
        what = f"the policy in the bundle has a wrong signature of {signature.keyid!a:.66}"
        require(named == good, what, expected="those that its operators made")


def check_signatures(opened: OpenedBundle) -> str:
    """Require a good signature on every envelope; without a trusted key none can be trusted."""
    refuse(opened, "is not signed by the known keys", Reason.UNKNOWN_KEY, Reason.BAD_SIGNATURE)
    verified = (r for r in opened.records.values() if isinstance(r, VerifiedStatement))
    named = ", ".join(sorted({record.key.keyid[:16] for record in verified}))
    if not opened.trusted:
        raise UncheckedError(
            "signed by the key in the bundle, which is not trusted",
            got=f"key {named}",
            expected="a policy or a key that you trust",
            todo="Get --policy or --key from the centers, not from the bundle",
        )
    return f"{len(opened.envelopes)} envelopes signed by the trusted key {named}"


def check_key_use(opened: OpenedBundle) -> str:
    """Require the key that the center's card has for statements, by its id, and no other.

    A key id is not signed, and a second signature would be one that nothing has checked. Statements
    of other runs may be signed with a former key.
    """
    key = opened.keys["statements"]
    for name, record in opened.records.items():
        signer = key
        if name.startswith(LOG) and isinstance(record, VerifiedStatement):
            signer = record.key
        envelope = opened.envelopes[name]
        ids = [signature.keyid for signature in envelope.signatures]
        require(
            ids == [signer.keyid] and signer.verifies(envelope.signatures[0].sig, envelope.pae()),
            f"{name} is not signed by the center's key for statements alone",
            ", ".join(f"{keyid!a:.66}" for keyid in ids[:4]),
            signer.keyid,
        )
    trusted = key.material in {known.material for known in opened.trusted}
    whose = "trusted and the center's" if trusted else "the center's own"
    return f"the key for statements on the card is {whose}"


def check_version(opened: OpenedBundle) -> str:
    """Require evidence of a format version that the reader's policy lets count."""
    found = min((s.version for s in (*opened.comparisons, *opened.attempts)), default=1)
    oldest = opened.policy.oldest_evidence if opened.policy else 1
    what = "the evidence is older than the policy lets count"
    require(found >= oldest, what, f"format version {found}", f"{oldest} or later")
    return f"format version {found}"


def check_builder(opened: OpenedBundle) -> str:
    """Require one builder in all statements: the one on the card, whose key the reader trusts."""
    expected, trust = opened.card.builder_id, opened.trust
    refuse(opened, f"is not of builder {expected}", Reason.OTHER_BUILDER)
    if opened.policy is not None:
        return f"all of builder {expected}, as the policy names it"
    builder = expected if trust.builder is None else trust.builder
    require_equal("the key is trusted for another builder", expected, builder)
    if trust.builder is None and len({key.material for key in trust.keys}) > 1:
        raise UncheckedError(
            "several keys are trusted, and it is not said for which builder",
            got=f"{len(trust.keys)} keys",
            todo="Name the builder with --builder",
        )
    return f"all of builder {expected}"


def check_key_time(opened: OpenedBundle) -> str:
    """Require that the key was valid at the place of each statement in the log."""
    refuse(
        opened, "was logged before the start of its key: it does not count yet", Reason.KEY_NOT_YET
    )
    refuse(opened, "was logged after its key has ended", Reason.KEY_ENDED)
    if opened.policy is None:
        raise NotNeededError("no policy says for how long a key is valid")
    return "every statement is in the log where its key is valid"


def check_witnesses(opened: OpenedBundle) -> str:
    """Require the cosignatures that the policy demands, on the checkpoint of the proofs."""
    policy = opened.policy
    if policy is None:
        raise NotNeededError("no policy names witnesses")
    signed = opened.checkpoint
    if resolution := policy.resolution(signed.checkpoint.origin):
        require(
            resolution.accepts(signed.checkpoint),
            "the log has forked, and the proofs are not of the history that its operators accept",
            f"{signed.checkpoint.size} leaves with root {signed.checkpoint.root.hex()}",
            resolution.accepted,
            "Ask the center to export it again",
        )
    found = _witnesses(opened, signed.cosignatures)
    require(
        policy.quorum.satisfied_by(found),
        "the checkpoint has too few witnesses",
        ", ".join(sorted(found)) or "none",
        f"the quorum {policy.quorum.name} of the policy",
        _AGAIN,
    )
    if not found:
        raise NotNeededError("the policy requires no witness, and none has cosigned")
    return f"witnessed by {', '.join(sorted(found))}"


def check_fresh(opened: OpenedBundle) -> str:
    """Require a checkpoint no older than the heartbeat, and no older than the reader allows."""
    _check_age(opened)
    if opened.heartbeat is None:
        raise _not_newest(opened, "no heartbeat says what came later")
    envelope, statement = opened.heartbeat
    heartbeat = statement.predicate
    require_canonical(opened, HEARTBEAT, envelope)
    signers = verify_envelope(envelope, [known.key for known in opened.member.keys])
    require_key_ids(HEARTBEAT, envelope, signers)
    require_equal("the heartbeat is of another center", heartbeat.center, opened.card.id)
    if opened.policy is not None:
        for key in signers:
            opened.policy.center_of_key(key.keyid, heartbeat.log.size)
    _check_tree(opened, heartbeat)
    return _check_head(opened, heartbeat)


def _check_age(opened: OpenedBundle) -> None:
    """Require that a quorum has cosigned the checkpoint within the time that the reader allows."""
    limit, now, policy = opened.trust.max_age, opened.trust.now, opened.policy
    if limit is None:
        return
    oldest, latest = int((now - limit).timestamp()), int((now + SKEW).timestamp())
    cosignatures = opened.checkpoint.cosignatures
    recent = [c for c in cosignatures if oldest <= c.time <= latest]
    require(
        bool(recent and policy and policy.quorum.satisfied_by(_witnesses(opened, recent))),
        "the checkpoint is stale",
        f"{len(recent)} of {len(cosignatures)} cosignatures are of that time",
        f"enough witnesses in the last {format_duration(int(limit.total_seconds()))}",
        _NO_WITNESSES if policy and not policy.quorum.witnesses else _AGAIN,
    )


def _check_tree(opened: OpenedBundle, heartbeat: Heartbeat) -> None:
    tree, checkpoint = heartbeat.log, opened.checkpoint.checkpoint
    require(
        tree.size <= checkpoint.size,
        "the checkpoint is stale",
        f"{checkpoint.size} leaves",
        f"{tree.size} or more: the heartbeat of {show_time(heartbeat.beat_on)}",
        "Export it again",
    )
    if tree.size == checkpoint.size:
        what = "heartbeat and checkpoint have two roots for one size"
        require_equal(what, checkpoint.root.hex(), tree.root.hex, _TWO_LOGS)


def _check_head(opened: OpenedBundle, heartbeat: Heartbeat) -> str:
    """Require that the release's head in the heartbeat is a leaf here, where it is that old."""
    leaves = {logged.leaf.sequence: logged for logged in opened.leaves.values()}
    when, last = show_time(heartbeat.beat_on), max(leaves)
    head = next((h for h in heartbeat.heads if h.release == opened.about.release), None)
    if head is not None and head.sequence > last:
        raise _not_newest(
            opened,
            f"the center has {head.sequence - last} later leaves about this release by {when}: "
            "it verified the release again",
        )
    if head is not None and (logged := leaves.get(head.sequence)):
        what = "the heartbeat names another leaf of this release"
        require_equal(what, logged.fields.hash.hex(), str(value_of(head.newest)))
    if head is None or head.sequence < last:
        raise _not_newest(opened, f"the heartbeat of {when} is older than the run")
    return f"nothing newer in the heartbeat of {when}"


def _not_newest(opened: OpenedBundle, what: str) -> EvidenceError:
    """Return the error for a run that may not be the newest one.

    It matters only if the reader sets a maximum age.
    """
    if opened.trust.max_age is None:
        return NotNeededError(what)
    return UncheckedError(what, todo="Ask the center for a bundle of its newest run")


def _witnesses(opened: OpenedBundle, cosignatures: Iterable[Cosignature]) -> set[str]:
    """Return the policy's names for those who cosigned the center's log, itself left out."""
    names = opened.policy.witness_keys(opened.card.id) if opened.policy else {}
    return {names[cosignature.key] for cosignature in cosignatures if cosignature.key in names}
