"""The dissent of runs that committed and did not state what they found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.audit.center_finding import CenterInfo, Dissent, ExclusionReason
from pipelines.audit.logged_release import LoggedCommitment
from pipelines.audit.run_state import RunState
from pipelines.audit.statement_reader import StatementReader
from pipelines.evidence.statements.seal_lines import SealLinesStatement
from pipelines.evidence.statements.statement import value_of
from pipelines.log.leaf import commitment_digest


@dataclass(frozen=True, kw_only=True)
class Obligations:
    """The commitments of one center; methods raise `LogError`, `UnreachableError`."""

    reader: StatementReader
    center: str

    def binding(self, commitments: Iterable[LoggedCommitment]) -> list[LoggedCommitment]:
        """Return those made while a key of the center counts: nobody can fulfil any other."""
        keys = self.reader.policy.center(self.center).keys
        return [one for one in commitments if any(key.counts_at(one.index) for key in keys)]

    def dissents(
        self,
        commitments: Iterable[LoggedCommitment],
        state: RunState,
        *,
        unbuilt: bool = False,
        lines: Iterable[SealLinesStatement] = (),
    ) -> tuple[Dissent, ...]:
        """Return what a run dissents from, if it is abandoned, or was unbuilt once committed.

        `lines` are those that it has published of its seal.
        """
        if state is not RunState.ABANDONED and not unbuilt:
            return ()
        size = self.reader.logs.witnessed(self.center).size
        sealed = {_committed(one): one for one in lines}
        return tuple(
            self._dissent(one, sealed.get(one.digest), unbuilt=unbuilt)
            for one in commitments
            if one.index < size
        )

    def _dissent(
        self, commitment: LoggedCommitment, sealed: SealLinesStatement | None, *, unbuilt: bool
    ) -> Dissent:
        member = self.reader.policy.center(self.center)
        leaf = self.reader.logs.commitment(member.id, commitment.index)
        reason = ExclusionReason.OUTPUTS_LOST if sealed else ExclusionReason.ABANDONED
        return Dissent(
            center=CenterInfo(id=member.id, operator=member.operator, region=member.region),
            run=leaf.run,
            claim=leaf.claim,
            reason=ExclusionReason.FAILED_AFTER_COMMITMENT if unbuilt else reason,
            index=commitment.index,
            sealed=sealed.predicate if sealed and not unbuilt else None,
        )


def _committed(sealed: SealLinesStatement) -> object:
    """Return the digest of the commitment that has those lines; None where it has no claim."""
    claim = value_of(sealed.predicate.claim)
    return commitment_digest(sealed.predicate.run, claim, sealed.seal) if claim else None
