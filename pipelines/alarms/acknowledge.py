"""Acknowledging alarms: signed, stored and logged statements that name exactly those leaves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from builders.core.digest import Digest
from builders.core.errors import UsageError
from pipelines.alarms.alarm import Leaf, ListedAlarm, ranges_of
from pipelines.alarms.cause import ABOUT_CENTERS, AlarmCause
from pipelines.audit.acknowledgements import acknowledgements_prefix, operators_of
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, envelope_of
from pipelines.evidence.statements.acknowledgement import (
    MAX_RANGES,
    Acknowledgement,
    LeafRange,
    Reason,
    acknowledgement_statement,
)
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.policy import Policy
from pipelines.signer.orders import status_signer
from pipelines.storage.names import check_key
from pipelines.verify.session import Session


def require_operator(
    policy: Policy, center: str, key: EnvelopeSigner | None, listed: Iterable[ListedAlarm]
) -> str:
    """Return the operator of `center`, if its acknowledgement of those alarms would count.

    Raises `UsageError`, also for a `key` that is missing where it is needed, or another one.
    """
    operators = operators_of(policy)
    if center not in operators:
        raise UsageError(
            f"center {center} is not in the policy, so its operator acknowledges nothing",
            got=center,
            expected=", ".join(operators),
            todo="Acknowledge it at a center of the policy: --center FILE",
        )
    own, others = operators[center], sorted(set(operators.values()) - {operators[center]})
    if others:
        needed = policy.operator(own).key
        if key is None or key.public.material != needed.material:
            raise UsageError(
                "an acknowledgement is signed with the key of the operator",
                got="no key" if key is None else f"key {key.public.keyid[:16]}",
                expected=f"the key of {own} in the policy, {needed.keyid[:16]}",
                todo="Name its private key: --key FILE",
            )
    for one in listed:
        alarm = one.alarm
        if alarm.cause in ABOUT_CENTERS and others and operators.get(alarm.center) == own:
            raise UsageError(
                f"an alarm about {alarm.center} is not acknowledged by its own operator",
                got=own,
                expected=f"one of {', '.join(others)}",
                todo="Ask them: they run this command at a center of theirs",
            )
    return own


def require_reason(text: str) -> None:
    """Raise `UsageError` for a reason that is not one line of printable text."""
    try:
        TypeAdapter(Reason).validate_python(text)
    except ValidationError as error:
        raise UsageError(
            "not a reason",
            got=ascii(text)[:120],
            expected="1 to 1000 printable characters in one line",
        ) from error


def publish_acknowledgements(
    session: Session,
    listed: Sequence[ListedAlarm],
    *,
    operator: str,
    key: EnvelopeSigner | None,
    reason: str,
    now: datetime,
) -> list[str]:
    """Sign, store and log an acknowledgement of alarms; returns the names of the records.

    `key` is that of the operator, None where the center's own is enough, and `reason` one that
    `require_reason` accepts. `now` is UTC. Raises `StoreError`, `LogError`.
    """
    center, book = session.center.id, session.logbook()
    sign = status_signer(session.signer)
    made = []
    for cause, release, leaves in _batches(listed):
        statement = acknowledgement_statement(
            Acknowledgement(
                operator=operator,
                center=center,
                cause=str(cause),
                release=release,
                leaves=leaves,
                reason=reason,
                acknowledged_on=now,
            )
        )
        envelope = _with_operator(sign(statement), key)
        digits = Digest.of(envelope.to_bytes()).hex[:12]
        name = f"{acknowledgements_prefix(center)}{now:%Y%m%dT%H%M%SZ}-{digits}{SUFFIX}"
        with book.storing(name):
            session.store.put_record(check_key(name), envelope.to_bytes())
        made.append(name)
    book.settle(*made)
    return made


def _batches(
    listed: Iterable[ListedAlarm],
) -> Iterator[tuple[AlarmCause, str | None, tuple[LeafRange, ...]]]:
    """Yield what one statement each can hold."""
    leaves: dict[tuple[AlarmCause, str | None], set[Leaf]] = defaultdict(set)
    for one in listed:
        leaves[one.alarm.cause, one.alarm.release] |= {*one.alarm.leaves}
    for (cause, release), found in leaves.items():
        ranges = ranges_of(found)
        for start in range(0, len(ranges), MAX_RANGES):
            yield cause, release, tuple(ranges[start : start + MAX_RANGES])


def _with_operator(envelope: Envelope, key: EnvelopeSigner | None) -> Envelope:
    if key is None:
        return envelope
    signed = [(s.keyid, s.sig) for s in envelope.signatures]
    return envelope_of(envelope.payload, [*signed, (key.public.keyid, key.sign(envelope.pae()))])
