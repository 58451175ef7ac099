"""The acknowledgements of alarms that may be believed, and what each of them counts for.

One is a record `public/alarms/<center>/<time>-<digits>.dsse.json`. It is believed where any other
statement of that center is: signed with a key that counts at its index, in a log that the policy's
witnesses have cosigned. Where several operators run centers, the key of the center's operator has
signed it too, so that nobody acknowledges anything with the keys of a center alone.

Alarms about a center are acknowledged by another operator than its own, if another one runs a
center. Alarms about a release are acknowledged by each operator for itself: nobody silences what
was found about its own product, or by another.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from pipelines.audit.center_finding import Excluded, ExclusionReason
from pipelines.audit.source import OBJECT_ERRORS, Source, UnreachableError, short
from pipelines.audit.statement_reader import StatementReader, VerifiedStatement
from pipelines.evidence.dsse import verify_envelope
from pipelines.evidence.errors import EvidenceError, SignatureError
from pipelines.evidence.statements.acknowledgement import (
    Acknowledgement,
    AcknowledgementStatement,
)
from pipelines.log.errors import LogError
from pipelines.policy import Policy
from pipelines.storage.names import check_prefix, encode

MAX_ACKNOWLEDGEMENTS = 10_000
"""Of one center."""


@dataclass(frozen=True, kw_only=True)
class VerifiedAcknowledgement:
    """An acknowledgement that is signed and logged as it has to be."""

    content: Acknowledgement
    record: str
    index: int
    """Of its leaf in the log of its center."""

    def objection(self, policy: Policy, *, reader: str, log: str, about_center: bool) -> str | None:
        """Return why it does not count for an alarm of `log` to center `reader`; None if it does.

        `about_center` says that the alarm is about the center of the log, not about a release.
        """
        operators = operators_of(policy)
        if len(set(operators.values())) == 1:
            return None
        own = self.content.operator
        if about_center:
            return f"{own} runs {log} itself" if operators.get(log) == own else None
        if operators.get(reader) == own:
            return None
        return f"{own} acknowledges no alarm about a release for others"


def operators_of(policy: Policy) -> dict[str, str]:
    """Return the operator of each center."""
    return {center.id: center.operator for center in policy.centers}


def acknowledgements_prefix(center: str) -> str:
    """Return the folder of what a center's operator has acknowledged."""
    return check_prefix(f"public/alarms/{encode(center)}/")


def read_acknowledgements(
    reader: StatementReader, sources: Iterable[Source]
) -> tuple[tuple[VerifiedAcknowledgement, ...], tuple[Excluded, ...]]:
    """Return the acknowledgements of all centers, and why others do not count.

    What cannot be read acknowledges nothing.
    """
    found: list[VerifiedAcknowledgement] = []
    excluded: list[Excluded] = []
    known = operators_of(reader.policy)
    for source in sources:
        if source.center not in known:
            continue
        try:
            folder = acknowledgements_prefix(source.center)
            for key in source.names(folder, limit=MAX_ACKNOWLEDGEMENTS):
                one = _read(reader, source, key)
                if isinstance(one, Excluded):
                    excluded.append(one)
                else:
                    found.append(one)
        except UnreachableError as error:
            excluded.append(_excluded(source, ExclusionReason.UNREACHABLE, str(error.got)))
        except LogError as error:
            excluded.append(_excluded(source, ExclusionReason.LOG_BROKEN, short(error)))
    return tuple(found), tuple(excluded)


def _read(reader: StatementReader, source: Source, key: str) -> VerifiedAcknowledgement | Excluded:
    verified = reader.read(source, key)
    if isinstance(verified, Excluded):
        return verified
    if not isinstance(verified.statement, AcknowledgementStatement):
        return verified.excluded(ExclusionReason.MISPLACED)
    content = verified.statement.predicate
    if content.operator != verified.center.operator:
        return verified.excluded(ExclusionReason.MISPLACED, f"by {content.operator}")
    if not _signed_by_operator(reader.policy, source, verified):
        detail = f"not signed by the operator {content.operator}"
        return verified.excluded(ExclusionReason.UNKNOWN_KEY, detail)
    return VerifiedAcknowledgement(content=content, record=key, index=verified.index)


def _signed_by_operator(policy: Policy, source: Source, verified: VerifiedStatement) -> bool:
    """Return whether the operator has signed it too, where there are several."""
    if len(set(operators_of(policy).values())) == 1:
        return True
    key = policy.operator(verified.center.operator).key
    with suppress(SignatureError, EvidenceError, *OBJECT_ERRORS):
        envelope = source.record(verified.ref.name).envelope
        return envelope.digest() == verified.pae and bool(verify_envelope(envelope, [key]))
    return False


def _excluded(source: Source, reason: ExclusionReason, detail: str) -> Excluded:
    return Excluded(center=source.center, reason=reason, detail=detail)
