"""The statements of a center that count: signed by its own key, where its log has them.

For every other record the reason is returned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from builders.core.digest import Digest
from pipelines.audit.center_finding import CenterInfo, Excluded, ExclusionReason, StatementRef
from pipelines.audit.logged_release import LoggedRelease
from pipelines.audit.source import OBJECT_ERRORS, Record, short
from pipelines.audit.witnessed import Witnessed
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError, SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.authorship import made_by
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.statement import Statement
from pipelines.log.leaf import CommitmentLeaf
from pipelines.policy import Policy, PolicyCenter
from pipelines.policy.model import CenterKey


class StatementLog(Protocol):
    """Where the logs of centers have statements.

    Raises `LogError` for a log that cannot be trusted, `UnreachableError` for one that cannot be
    read.
    """

    def index_of(self, center: str, pae: Digest) -> int | None:
        """Return the index of a statement in a center's log, by the digest of its PAE, or None."""

    def witnessed(self, center: str) -> Witnessed:
        """Return the part of a center's log that counts."""


class LogLookup(StatementLog, Protocol):
    """The same, and what logs have about releases."""

    def about(self, center: str, release: str) -> LoggedRelease:
        """Return what a center's log has about the runs of a release."""

    def commitment(self, center: str, index: int) -> CommitmentLeaf:
        """Return the commitment at that index of a center's log."""

    def upgraded_at(self, center: str) -> int | None:
        """Return where a center's log has its first result in a later format, None for nowhere."""

    def reported(self, center: str, release: str) -> frozenset[int]:
        """Return the leaves about a release that witnesses have reported absent for too long."""


class RecordSource(Protocol):
    """Where the records of a center are: its store, or a bundle."""

    @property
    def center(self) -> str:
        """The id of the center."""

    def record(self, key: str) -> Record:
        """Return a record; raises `EvidenceError`, `UnreachableError`, one of `OBJECT_ERRORS`."""


@dataclass(frozen=True, kw_only=True)
class VerifiedStatement:
    """A statement whose signature and entry in its center's log are verified."""

    statement: Statement
    ref: StatementRef
    pae: Digest
    """The digest of what is signed, by which the log names it."""
    center: CenterInfo
    key: PublicKey
    index: int
    """Of its leaf in the log of its center."""

    def excluded(self, reason: ExclusionReason, detail: str = "") -> Excluded:
        """Return why it does not count all the same."""
        return Excluded(
            center=self.center.id,
            reason=reason,
            record=self.ref.name,
            detail=detail,
            pae=self.pae,
            indexes=(self.index,),
        )


@dataclass(frozen=True, kw_only=True)
class StatementReader:
    """Verifies records by a policy and the logs of its centers."""

    policy: Policy
    logs: LogLookup

    def read(self, source: RecordSource, key: str) -> VerifiedStatement | Excluded:
        """Return the statement in one record, or why it does not count.

        Raises `UnreachableError`, `LogError`, and `PolicyError` for an unknown center.
        """
        member = self.policy.center(source.center)
        return read_record(source, key, member, self.logs, self.policy.centers)


def read_record(  # noqa: PLR0911  # one return for each reason
    source: RecordSource,
    key: str,
    member: PolicyCenter,
    log: StatementLog,
    centers: Iterable[PolicyCenter] = (),
) -> VerifiedStatement | Excluded:
    """Return the statement in one record of the center `member`, or why it does not count.

    A key of another one of `centers` is told as that. Raises `UnreachableError`, `LogError`.
    """
    excluded = partial(Excluded, center=source.center, record=key)
    try:
        envelope = source.record(key).envelope
        signers = _signers(envelope, member)
        if not signers:
            return excluded(**_not_its_own(envelope, centers))
        statement = read_statement(envelope.payload)
    except SignatureError as error:
        return excluded(reason=ExclusionReason.BAD_SIGNATURE, detail=str(error.got))
    except (EvidenceError, *OBJECT_ERRORS) as error:
        return excluded(reason=ExclusionReason.UNREADABLE, detail=short(error))
    pae = envelope.digest()
    index = log.index_of(source.center, pae)
    if index is None:
        return excluded(reason=ExclusionReason.NOT_LOGGED)
    excluded = partial(excluded, pae=pae, about=statement.run_reference)
    if index >= log.witnessed(source.center).size:
        detail = f"at index {index} of its log"
        return excluded(reason=ExclusionReason.AWAITING_WITNESS, detail=detail)
    signed = [k for k in member.keys if k.key in signers]
    valid = [k.key for k in signed if k.counts_at(index)]
    if not valid:
        return excluded(**_out_of_time(index, signed))
    center, builder = _author(statement, member)
    if center != member.id:
        detail = "of another center" if center else "of another kind"
        return excluded(reason=ExclusionReason.MISPLACED, detail=detail)
    if builder != member.builder:
        return excluded(reason=ExclusionReason.OTHER_BUILDER)
    return VerifiedStatement(
        statement=statement,
        ref=StatementRef(name=key, digest=Digest.of(envelope.payload)),
        pae=pae,
        center=CenterInfo(id=member.id, operator=member.operator, region=member.region),
        key=valid[0],
        index=index,
    )


def _signers(envelope: Envelope, member: PolicyCenter) -> tuple[PublicKey, ...]:
    """Return the keys of a center that signed; none if it names none, else `SignatureError`."""
    named = {signature.keyid for signature in envelope.signatures}
    known = [k.key for k in member.keys if k.key.keyid in named]
    return verify_envelope(envelope, known) if known else ()


def _not_its_own(envelope: Envelope, centers: Iterable[PolicyCenter]) -> dict[str, Any]:
    """Return why an envelope that names no key of the center in whose store it is does not count.

    No signature is verified: what a stranger signs in the name of another center is no better.
    """
    named = [signature.keyid for signature in envelope.signatures[:4]]
    for center in centers:
        if any(known.key.keyid in named for known in center.keys):
            return {"reason": ExclusionReason.OTHER_CENTER, "detail": f"under a key of {center.id}"}
    keyids = ", ".join(ascii(keyid)[1:-1][:16] for keyid in named)
    return {"reason": ExclusionReason.UNKNOWN_KEY, "detail": keyids}


def _out_of_time(index: int, keys: list[CenterKey]) -> dict[str, Any]:
    """Return why none of the keys that signed a statement counts at its index."""
    begins = min(key.start for key in keys)
    if index < begins:
        detail = f"at index {index} of its log, and the key begins at size {begins}"
        return {"reason": ExclusionReason.KEY_NOT_YET, "detail": detail}
    ended = max(key.end for key in keys if key.end is not None)
    detail = f"at index {index} of its log, and the key ended at size {ended}"
    return {"reason": ExclusionReason.KEY_ENDED, "detail": detail}


def _author(statement: Statement, member: PolicyCenter) -> tuple[str | None, str]:
    """Return center and builder that a statement names; no center for one of another kind.

    What a kind of statement does not name is that of the center whose store it is in.
    """
    if (about := statement.run_reference) is not None:
        return about.center or member.id, about.builder
    made = made_by(statement)
    return (made[0], member.builder) if made else (None, "")
