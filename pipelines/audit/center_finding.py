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
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.seal_lines import SealLines
from pipelines.evidence.statements.statement import DigestSet, RunReference
from pipelines.evidence.statements.updates import ComparedDelta
from pipelines.judge.finding import CauseName
from pipelines.judge.updates.update_fault import UpdateResult


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

        For `IDENTICAL_SIGNED` it is that of the file with the signature attached.
        """
        if self.outcome is not Outcome.BUILT:
            return None
        if self.verdict is Verdict.IDENTICAL_SIGNED and self.grafted:
            return DigestSet(sha256=self.grafted)
        return self.rebuilt

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
