"""What a page tells of a release beside its source: reviews, comments, and the last run here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
from pipelines.evidence.salt import Salt, read_salt
from pipelines.evidence.statements.people import Review
from pipelines.evidence.stored_runs import find_run, read_explanation, stored_report
from pipelines.judge.finding import Finding
from pipelines.policy import Policy
from pipelines.policy.reviews.comment_records import stored_comments
from pipelines.policy.reviews.comments import Discussion, read_discussion
from pipelines.policy.reviews.count import review_of
from pipelines.policy.reviews.review_records import ReviewStatus, stored_reviews
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError, Store
from pipelines.verify.review_subject import ReviewSubject, standing_of

MAX_LOG = 64 << 20
"""Bytes of a build log or an explanation that a page reads."""


@dataclass(frozen=True, kw_only=True)
class ListedReview:
    """A review of this source, and what it counts."""

    review: Review
    keyid: str
    why_not: str | None
    """None where it counts."""


@dataclass(frozen=True, kw_only=True)
class ReviewTable:
    """The reviews of a source, newest first."""

    reviews: tuple[ListedReview, ...]
    unreadable: int
    status: ReviewStatus | None
    """None without a policy."""


def review_table(
    subject: ReviewSubject, store: Store, policy: Policy | None, now: datetime
) -> ReviewTable:
    """Return who decided what about the sources of a release; raises `StoreError`."""
    found = [r for source in subject.reviewed.sources for r in stored_reviews(store, source)]
    status = standing_of(subject, found, policy, now) if policy else None
    read = [(review_of(one.envelope), one.envelope) for one in found if one.envelope]
    rows: list[ListedReview] = []
    seen: set[tuple[object, ...]] = set()
    for statement, envelope in sorted(
        read, key=lambda pair: pair[0].predicate.decided_on, reverse=True
    ):
        who = statement.predicate.reviewer, envelope.signatures[0].keyid
        about = (*who, statement.source, statement.claim)
        newest = about not in seen and statement.claim == subject.reviewed.claim
        why = "there is no policy that can be used" if status is None else None
        if status is not None and not (newest and who in _counted(status)):
            whys = (str(x.why) for x in status.count.excluded if (x.reviewer, x.keyid) == who)
            why = next(whys, "a newer one counts")
        seen.add(about)
        rows.append(ListedReview(review=statement.predicate, keyid=who[1], why_not=why))
    unreadable = sum(one.envelope is None for one in found)
    return ReviewTable(reviews=tuple(rows), unreadable=unreadable, status=status)


def _counted(status: ReviewStatus) -> set[tuple[str, str]]:
    return {(one.reviewer, one.keyid) for one in status.count.counted}


def discussion_of(
    subject: ReviewSubject, store: Store, policy: Policy, now: datetime
) -> Discussion:
    """Return what was asked and said about the sources of a release; raises `StoreError`."""
    sources, salt = subject.reviewed.sources, salt_of(subject, store)
    records = (one for source in sources for one in stored_comments(store, source, salt))
    return read_discussion(records, policy, sources, now)


def salt_of(subject: ReviewSubject, store: Store) -> Salt | None:
    """Return the salt of a private release, if the store has it; None of a public one."""
    if subject.visibility == "public":
        return None
    return read_salt(store, ReleaseName.parse(subject.release))


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """The newest run of a release at this center."""

    report: Report
    explanation: RunExplanation | None

    def told(self, finding: Finding) -> ExplainedArtefact | Finding:
        """Return what holds the explanation of a finding: of old reports the finding itself."""
        return (self.explanation.about(finding.name) if self.explanation else None) or finding

    @property
    def log(self) -> Digest | None:
        """The digest of the build log of the judged attempt."""
        judged = self.report.judged
        return judged.rebuild.log if judged else None


def last_run(store: Store, release: str, center: str) -> LastRun | None:
    """Return the newest run of a release at a center, None where its report cannot be read."""
    with suppress(NotFoundError, DamagedError):
        name = find_run(store, ReleaseName.parse(release), center=center)
        report = stored_report(store, name, whole=True)
        explanation = None
        with suppress(StoreError):
            explanation = read_explanation(store, name, whole=True)
        return LastRun(report=report, explanation=explanation)
    return None


def private_object(store: Store, digest: Digest) -> bytes:
    """Return private evidence; raises `NotFoundError`, `DamagedError`, `TooLargeError`."""
    return store.get(cas(Visibility.PRIVATE, digest), MAX_LOG)
