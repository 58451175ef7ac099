"""What one run of one center found of one artefact, and what does not count.

A finding is a plain value, made of verified statements alone (`center_audit`). Consensus sees no
statement, store, key or clock, only these values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.audit.delta_path import BaseFile, DeltaPath, JudgedRun
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.seal_lines import SealLines
from pipelines.evidence.statements.statement import DigestSet, RunReference, value_of
from pipelines.evidence.statements.updates import ComparedDelta
from pipelines.judge.difference import CauseName
from pipelines.judge.updates.update_fault import UpdateResult

MATCHES = frozenset({Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED})
"""The verdicts that can be a match."""
IN_FAVOUR = MATCHES | {Verdict.EQUIVALENT}
_BY_APPLICATION = frozenset({Verdict.DIFFERENT, Verdict.EQUIVALENT})
"""Verdicts on a delta that may rest on what it makes of its base."""


class ExclusionReason(StrEnum):
    """Why a statement, or a whole center, does not count."""

    UNREADABLE = "unreadable"
    UNKNOWN_CENTER = "unknown-center"
    UNKNOWN_KEY = "unknown-key"
    OTHER_CENTER = "other-center"
    """It names a key of another center of the policy."""
    KEY_NOT_YET = "key-not-yet"
    KEY_ENDED = "key-ended"
    BAD_SIGNATURE = "bad-signature"
    NOT_LOGGED = "not-logged"
    AWAITING_WITNESS = "awaiting-witness"
    """Logged, and not yet cosigned by the witnesses that the policy requires."""
    MISSING = "missing"
    """The center's log has statements about the release that its store does not show.

    That takes its matches away for as long as it lasts, and accuses nobody."""
    WITHHELD = "withheld"
    """So it is, and a witness of another operator has reported it twice, `max_open` apart."""
    LOGGED_TWICE = "logged-twice"
    """Leaves of the log are equal to earlier ones."""
    UNKNOWN_KIND = "unknown-kind"
    """Leaves of the log are of a kind that this version does not know."""
    TOO_MANY_RECORDS = "too-many-records"
    """More than any honest center has, so not all are read. By itself it takes nothing away."""
    UNCHAINED = "unchained"
    """Leaves of the log do not follow the one before them of the release."""
    UNCOMMITTED = "uncommitted"
    """A match of a run whose claim and seal the log does not have before its statements."""
    OPEN = "open"
    """The log has the commitment of a run, and the store nothing that says what it found."""
    ABANDONED = "abandoned"
    """So it is for longer than the policy allows: counts as dissent."""
    FAILED_AFTER_COMMITMENT = "failed-after-commitment"
    """A run that had committed to what it built states that nothing was: counts as dissent."""
    OUTPUTS_LOST = "outputs-lost"
    """Open for longer than the policy allows, and the center has published the lines of its seal:
    counts as dissent unless the published file has the keyed digest of a line."""
    MISPLACED = "misplaced"
    MISLABELLED = "mislabelled"
    """Its leaf says that it is of another kind or release: gone, it would not be missed."""
    OTHER_BUILDER = "other-builder"
    INCOMPLETE = "incomplete"
    CONTRADICTORY = "contradicts-itself"
    """A verdict in favour of a file, and signature, normalizers, sizes or ground that refute it."""
    UNDECLARED = "undeclared-output"
    NO_CLAIM = "no-claim"
    UNREACHABLE = "silent"
    BEHIND = "behind"
    """More is left to be read of the center than one round allows."""
    LOG_BROKEN = "log-broken"
    LOG_FORKED = "log-forked"
    """The log's key has signed two histories, and the policy does not say which one counts."""
    NOTHING = "nothing-of-this-release"
    OTHER_CLAIM = "other-claim"
    OLD_EVIDENCE = "old-evidence"
    """Of an older format version than the policy lets count."""
    DOWNGRADED = "downgraded"
    """A match in the first format version, after its center has stated results in a later one."""
    OTHER_SCOPE = "other-scope"
    """Of the same claim, and judged by another scope of the recipe."""
    OTHER_PUBLISHED = "other-published"
    SHARED_KEY = "shared-key"
    WORK_ABSENT = "work-absent"
    WORK_NONE = "work-none"
    """Nothing can prove the work, and the policy requires a proof."""
    WORK_WRONG = "work-wrong"
    NO_USER_NAMESPACE = "no-user-namespace"
    """Built where root of the container is root of the machine, and the policy requires more."""
    SERVED_OTHER = "served-another-file"
    OTHER_BASE = "other-base"
    """A delta on another base, or to another target, than most operators and the recipe have."""
    BASE_NOT_JUDGED = "base-not-judged"
    """A match of a center that names no run of its own in which it judged the base."""
    BASE_RUN_UNKNOWN = "base-run-unknown"
    """The run that it names is none of that center and release, or does not count."""
    OTHER_BASE_RUN = "other-base-run"
    """The run that it names has not found a match for that base."""
    EQUIVALENT = "equivalent"
    LATER_FAILURE = "later-failure"
    """A run after the finding that counts, which could not judge."""


@dataclass(frozen=True, kw_only=True)
class Excluded:
    """A statement, or all statements of a center, that do not count, and the reason."""

    center: str
    reason: ExclusionReason
    record: str = ""
    """The name of the record; empty for a whole center."""
    detail: str = ""
    pae: Digest | None = field(default=None, compare=False)
    """The digest of what is signed, if a key of the center has signed the statement."""
    about: RunReference | None = field(default=None, compare=False)
    """The run that such a statement is about, if it is about one."""
    indexes: tuple[int, ...] = field(default=(), compare=False)
    """The leaves of the center's log that it is about, as far as that is known, in order."""

    def __str__(self) -> str:
        """Return it in one line."""
        return ", ".join(filter(None, (f"{self.center}: {self.reason}", self.detail, self.record)))

    def to_dict(self) -> dict[str, str]:
        """Return it for `--json`."""
        return {"center": self.center, "why": self.reason, "what": self.record, "note": self.detail}


@dataclass(frozen=True, kw_only=True)
class CenterInfo:
    """A center, its operator and its region, as the policy names them."""

    id: str
    operator: str
    region: str


@dataclass(frozen=True, kw_only=True, order=True)
class StatementRef:
    """A reference to a statement: the name of its record, and the digest of its payload."""

    name: str
    digest: Digest


@dataclass(frozen=True, kw_only=True)
class Dissent:
    """A run that committed to what it built, and does not state what it found of that."""

    center: CenterInfo
    run: str
    claim: Digest
    """That it committed to: plain, or keyed where the source is closed."""
    reason: ExclusionReason
    """`abandoned`, `outputs-lost` or `failed-after-commitment`."""
    index: int
    """Of the commitment in the center's log."""
    sealed: SealLines | None = None
    """The lines of its seal, where its outputs are lost."""

    @property
    def excluded(self) -> Excluded:
        """What is shown of it."""
        return Excluded(
            center=self.center.id,
            reason=self.reason,
            detail=f"{self.run}, committed at {self.index}",
            indexes=(self.index,),
        )


@dataclass(frozen=True, kw_only=True)
class CenterFinding:
    """What one run of one center found of one artefact."""

    center: CenterInfo
    key: str
    """The public key that verified the statement (`PublicKey.material`)."""
    artefact: str
    published: Digest
    claim: DigestSet
    scope: DigestSet | None = None
    """None in evidence of format version 1, which counts for any scope."""
    version: int = 2
    """The format version of its statements."""
    run: str
    outcome: Outcome
    verdict: Verdict
    served: Digest | None = None
    """The digest of the file that the center was served as the shipped one, or has from before."""
    from_vault: bool = False
    """Whether nothing was served in this run: the center compared with a copy."""
    rebuilt: DigestSet | None = None
    """Keyed where the source is closed and the bytes are not the shipped ones."""
    grafted: Digest | None = None
    """The digest of the rebuilt bytes with the vendor's signature attached."""
    normalizers: frozenset[str] = frozenset()
    update: UpdateResult | None = None
    """What the checks of a delta or a manifest leave of the verdict; None for any other file."""
    delta: ComparedDelta | None = None
    causes: frozenset[CauseName] = frozenset()
    """Of evidence of format version 1 alone: later explanations count for nothing."""
    comparison: StatementRef
    """Statement B."""
    attempt: StatementRef
    """Statement E that has the outcome of the run."""
    index: int
    """Of the comparison in the center's log."""
    seal: Digest | None = None
    """What the run committed to before it opened a shipped file."""
    user_namespace: bool = False
    """Whether it was built where no user of the container is root of the machine."""
    work: Proof = Proof.ABSENT
    """Whether it is proved that the center built, and did not only hash the public file."""
    work_evidence: tuple[StatementRef, ...] = ()
    """The statements that prove it."""

    @property
    def built(self) -> DigestSet | None:
        """The digest that findings are compared by; None where no such file was built.

        For `IDENTICAL_SIGNED` it is that of the file with the signature attached; for a delta that
        leads elsewhere, or of which nothing was built, what it makes of its base.
        """
        if self.outcome is not Outcome.BUILT:
            return None
        made = self.delta.applied if self.delta and self.verdict in _BY_APPLICATION else None
        if self.delta and made and (self.rebuilt is None or made != self.delta.expected):
            return made.digest
        if self.verdict is Verdict.IDENTICAL_SIGNED and self.grafted:
            return DigestSet(sha256=self.grafted)
        return self.rebuilt

    @property
    def is_applied(self) -> bool:
        """Whether a delta was judged by its result alone, and leads to its target."""
        stands_in = self.update is UpdateResult.STANDS_IN
        return self.verdict is Verdict.EQUIVALENT and self.delta is not None and stands_in

    @property
    def is_refused(self) -> bool:
        """Whether it is against a file for the checks of an update, whatever its bytes."""
        return self.verdict is Verdict.DIFFERENT and self.update is UpdateResult.REFUSED

    @property
    def path(self) -> DeltaPath | None:
        """From which file a delta leads to which; None of any other file."""
        if self.delta is None or not self.delta.base.digest.sha256 or not self.delta.target.sha256:
            return None
        base = BaseFile(release=self.delta.base.release, digest=self.delta.base.digest.sha256)
        return DeltaPath(base=base, target=self.delta.target.sha256)

    @property
    def base_run(self) -> JudgedRun | None:
        """The run of its center that is said to have judged the base of a delta."""
        base = self.delta.base if self.delta else None
        named = value_of(base.comparison) if base else None
        return JudgedRun(run=base.run, comparison=named) if base and base.run and named else None

    @property
    def evidence(self) -> tuple[StatementRef, ...]:
        """The statements behind this finding."""
        return (self.comparison, self.attempt, *self.work_evidence)

    def excluded(self, reason: ExclusionReason, detail: str = "") -> Excluded:
        """Return why it does not count."""
        return Excluded(
            center=self.center.id,
            reason=reason,
            record=self.comparison.name,
            detail=detail,
            indexes=(self.index,),
        )


def newest_findings(findings: Iterable[CenterFinding]) -> tuple[CenterFinding, ...]:
    """Return the newest finding of each center, by the order of its log; sorted by center."""
    newest: dict[str, CenterFinding] = {}
    for finding in sorted(findings, key=lambda f: f.index, reverse=True):
        newest.setdefault(finding.center.id, finding)
    return tuple(newest[center] for center in sorted(newest))
