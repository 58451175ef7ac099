"""What comes out of a join: the result, the finding of each operator, and the files served.

A targeted replacement of the shipped file shows in the served files and nowhere else, whatever the
claim and whatever the centers could build; it is an alarm beside any result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.audit.center_finding import (
    IN_FAVOUR,
    CenterFinding,
    Excluded,
    ExclusionReason,
    StatementRef,
)
from pipelines.audit.delta_path import DeltaPath
from pipelines.consensus.base_standing import BaseStanding
from pipelines.consensus.conclusion import Conclusion
from pipelines.consensus.joined_result import Result
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.statement import DigestSet
from pipelines.judge.finding import EXIT_FAILED
from pipelines.policy import ConsensusRules

_DISSENT = frozenset(
    {
        Conclusion.CONTRADICTORY,
        Conclusion.ABANDONED,
        Conclusion.FAILED_AFTER_COMMITMENT,
        Conclusion.OUTPUTS_LOST,
        Conclusion.MISMATCH,
    }
)


class AlarmName(StrEnum):
    """What is wrong with the files that centers were served."""

    SHIPPED_MISMATCH = "SHIPPED_MISMATCH"
    """A center was served another file than the published one."""
    SERVED_DIFFERENTLY = "SERVED_DIFFERENTLY"
    """Centers were served different files under one name."""


@dataclass(frozen=True, kw_only=True)
class ServedFileAlarm:
    """Served files that need attention, whatever the result of the consensus is."""

    name: AlarmName
    served: tuple[CenterFinding, ...]

    def __str__(self) -> str:
        """Return it in one line."""
        files = (f"{s.center.region} ({s.center.id}) was served {s.served}" for s in self.served)
        return f"{self.name}: {', '.join(files)}"

    def to_dict(self) -> dict[str, object]:
        """Return it for `--json`."""
        return {"alarm": str(self.name), "served": [_served_dict(s) for s in self.served]}


def _served_dict(finding: CenterFinding) -> dict[str, str]:
    center = finding.center
    return {"center": center.id, "region": center.region, "sha256": str(finding.served)}


def served_file_alarms(
    served: tuple[CenterFinding, ...], published: Digest
) -> tuple[ServedFileAlarm, ...]:
    """Return the alarms about files that were served as the one with that published digest."""
    others = [s for s in served if s.served != published]
    alarms = [ServedFileAlarm(name=AlarmName.SHIPPED_MISMATCH, served=(s,)) for s in others]
    if len({s.served for s in served}) > 1:
        alarms.append(ServedFileAlarm(name=AlarmName.SERVED_DIFFERENTLY, served=served))
    return tuple(alarms)


@dataclass(frozen=True, kw_only=True)
class ConsensusSubject:
    """What a consensus is about: an artefact with its published digest, a claim and a scope."""

    artefact: str
    published: Digest
    claim: DigestSet | None
    """None when no center named a claim: then nothing can be joined."""
    scope: DigestSet | None = None
    """None where all findings are of format version 1, which names none."""
    path: DeltaPath | None = None
    """Of a delta: from which file it leads to which; None of any other file."""

    def is_of(self, finding: CenterFinding) -> bool:
        """Return whether a finding is about this subject."""
        about = (finding.artefact, finding.published, finding.claim)
        same = about == (self.artefact, self.published, self.claim)
        return same and self.has_scope_of(finding) and self.has_path_of(finding)

    def has_path_of(self, finding: CenterFinding) -> bool:
        """Return whether a finding in favour is about this delta; any other counts for all."""
        if finding.verdict not in IN_FAVOUR:
            return True
        return self.path == finding.path

    def has_scope_of(self, finding: CenterFinding) -> bool:
        """Return whether a finding was judged by this scope; one without a scope counts for all."""
        return finding.scope in {None, self.scope}


@dataclass(frozen=True, kw_only=True)
class OperatorFinding:
    """What one operator found, in all its centers together."""

    operator: str
    conclusion: Conclusion
    built: DigestSet | None
    newest: tuple[CenterFinding, ...]
    """The newest finding of each of its centers, a judged one before any other."""
    basis: tuple[CenterFinding, ...]
    """`newest`; for an operator that contradicts itself all its findings."""
    matching: tuple[CenterFinding, ...] = ()
    """Those of `newest` that count as a match."""
    applying: tuple[CenterFinding, ...] = ()
    """Those of `newest` by which a delta, judged by its result alone, leads to its target."""
    excluded: tuple[Excluded, ...] = ()

    @property
    def dissents(self) -> bool:
        """Whether it is counted against the published bytes."""
        return self.conclusion in _DISSENT

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "operator": self.operator,
            "stand": str(self.conclusion),
            "counts_as_match": bool(self.matching),
            "made": self.built.to_dict() if self.built else None,
            "centers": [
                {
                    "center": f.center.id,
                    "region": f.center.region,
                    "run": f.run,
                    "outcome": str(f.outcome),
                    "verdict": str(f.verdict),
                    "work_proof": str(f.work),
                    "log_index": f.index,
                    "evidence": f.version,
                    "statement": str(f.comparison.digest),
                }
                for f in self.newest
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """The result for one artefact."""

    subject: ConsensusSubject
    result: Result
    passed: bool | None
    """Whether a summary states PASSED or FAILED; None where no summary is made."""
    rules: ConsensusRules
    operators: tuple[OperatorFinding, ...]
    """Of each operator that has a finding about the subject, by name."""
    excluded: tuple[Excluded, ...]
    served: tuple[CenterFinding, ...]
    """The newest finding of each center that was served a file."""
    alarms: tuple[ServedFileAlarm, ...]
    unwitnessed: bool = False
    """Whether the policy, of one operator, requires no witness: then no summary is made."""
    base: BaseStanding | None = None
    """Of a delta: what is found of its base, and of the updates before it."""
    rests_badly: bool = False
    """Whether the result is that of the base, since the delta itself would have passed."""

    @property
    def matched(self) -> tuple[str, ...]:
        """The operators that match."""
        return tuple(o.operator for o in self.operators if o.matching)

    @property
    def dissenting(self) -> tuple[str, ...]:
        """The operators that are counted against the published bytes."""
        return tuple(o.operator for o in self.operators if o.dissents)

    @property
    def is_applied(self) -> bool:
        """Whether a delta that is judged by its result alone leads to its target, for enough."""
        applied = [o for o in self.operators if o.applying or o.matching]
        return not self.dissenting and 1 <= self.rules.k <= len(applied)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions of the matches that count."""
        return tuple(sorted({f.center.region for o in self.operators for f in o.matching}))

    @property
    def work_proof(self) -> Proof:
        """`proved` if every match that counts is; else `wrong` if one is; else `none`."""
        if {f.work for o in self.operators for f in o.matching} == {Proof.PROVED}:
            return Proof.PROVED
        wrong = any(e.reason is ExclusionReason.WORK_WRONG for e in self.excluded)
        return Proof.WRONG if wrong else Proof.NONE

    @property
    def evidence(self) -> tuple[StatementRef, ...]:
        """Every statement behind the result, once, by name."""
        findings = (f for o in self.operators for f in o.basis)
        return tuple(sorted({ref for f in findings for ref in f.evidence}))

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        subject = self.subject
        return {
            "artefact": subject.artefact,
            "published": str(subject.published),
            "claim": subject.claim.to_dict() if subject.claim else None,
            "scope": subject.scope.to_dict() if subject.scope else None,
            "consensus": str(self.result),
            "passed": self.passed,
            "unwitnessed": self.unwitnessed,
            "base": self.base.to_dict() if self.base else None,
            "k": self.rules.k,
            "minimum_regions": self.rules.regions,
            "max_dissent": self.rules.max_dissent,
            "requires_work_proof": self.rules.work_proof == "required",
            "matched": list(self.matched),
            "dissenting": list(self.dissenting),
            "regions": list(self.regions),
            "work_proof": str(self.work_proof),
            "voices": [operator.to_dict() for operator in self.operators],
            "counted_out": [excluded.to_dict() for excluded in self.excluded],
            "served": [_served_dict(s) for s in self.served],
            "alarms": [alarm.to_dict() for alarm in self.alarms],
        }


def consensus_exit_code(found: Iterable[Consensus]) -> int:
    """Return 1 if anything failed or is an alarm, 0 if everything passed, else 2."""
    results = list(found)
    if any(one.passed is False or one.alarms for one in results):
        return EXIT_FAILED
    return 0 if results and all(one.passed for one in results) else EXIT_NOT_CHECKED
