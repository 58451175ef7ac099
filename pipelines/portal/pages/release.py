"""A release: the result for each artefact, who found what, by which policy, from which source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field

from builders.core.digest import Digest
from builders.core.enums import Kind, Outcome, Verdict
from builders.core.frozen_model import FrozenModel
from pipelines.audit.center_finding import CenterFinding, Dissent, ExclusionReason
from pipelines.consensus.conclusion import Conclusion
from pipelines.consensus.consensus_result import AlarmName, Consensus, OperatorFinding
from pipelines.consensus.joined_result import Result
from pipelines.consensus.release_consensus import JoinedRelease
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.statement import DigestSet, value_of
from pipelines.judge.finding import worst_verdict
from pipelines.policy import ConsensusRules, SignedPolicy
from pipelines.portal.built_from import BuiltFrom, built_from
from pipelines.portal.facts import ReleaseFacts
from pipelines.portal.pages.difference import differing
from pipelines.portal.paths import (
    center_path,
    difference_path,
    log_path,
    product_path,
    release_path,
    vendor_path,
)
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.release_line import shown_artefacts
from pipelines.portal.reviews import ReviewsOfRelease, reviews_of_release
from pipelines.portal.rows import AlarmRow, NotCountedRow
from pipelines.portal.run_times import began
from pipelines.portal.standing import Standing, standing_of, standing_of_verdict, worst_first

MAX_RUNS, SHOWN_RUNS = 200, 30
"""Runs that the twin has, and that the page shows of them; earlier ones are counted."""
MAX_ARTEFACTS, SHOWN = 1000, 100
"""Artefacts that the twin has, and that the page shows: of more the worst ones."""
LISTED = 100
"""Alarms, and records that do not count, of a release; of an artefact a tenth of that."""


class FindingRow(FrozenModel):
    """What a center found of an artefact."""

    center: str
    path: str
    region: str
    run: str
    started: AwareDatetime | None
    outcome: Outcome
    verdict: Verdict
    standing: Standing
    built: Digest | None
    """What it built; a keyed digest where the source is closed and the bytes differ."""
    keyed: bool
    counts: bool
    """Whether it counts as a match."""
    reason: ExclusionReason | None
    """Why it does not count, where that is not its verdict."""
    work: Proof
    log_index: int
    statement: str
    """The name of the record."""


class OperatorRow(FrozenModel):
    """What an operator found of an artefact, in all its centers together."""

    operator: str
    conclusion: Conclusion
    matches: bool
    dissents: bool
    centers: tuple[FindingRow, ...]


class ServedRow(FrozenModel):
    """A file that a center was served in place of the published one."""

    alarm: AlarmName
    center: str
    region: str
    sha256: Digest


class ArtefactPart(FrozenModel):
    """One artefact, its result, and what that rests on."""

    name: str
    sha256: Digest
    result: Result
    standing: Standing
    passed: bool | None
    matched: tuple[str, ...]
    dissenting: tuple[str, ...]
    regions: tuple[str, ...]
    work: Proof
    operators: tuple[OperatorRow, ...]
    not_counted: tuple[NotCountedRow, ...]
    served: tuple[ServedRow, ...]
    base: str | None
    """Of a delta: what it rests on."""
    difference: str | None
    """The path of the page that explains the difference, where there is one."""


class PolicyPart(FrozenModel):
    """The policy that decides, and its rules for the kind of the release."""

    version: int
    sha256: Digest
    k: int
    regions: int
    max_dissent: int
    normalizers: tuple[str, ...]
    requires_work_proof: bool
    requires_user_namespace: bool
    requires_witnesses: bool

    @classmethod
    def of(cls, signed: SignedPolicy, rules: ConsensusRules) -> PolicyPart:
        """Return what a page says of a policy."""
        return cls(
            version=signed.policy.version,
            sha256=signed.digest,
            k=rules.k,
            regions=rules.regions,
            max_dissent=rules.max_dissent,
            normalizers=tuple(sorted(rules.normalizers)),
            requires_work_proof=rules.work_proof == "required",
            requires_user_namespace=rules.user_namespace == "required",
            requires_witnesses=signed.policy.requires_witnesses,
        )


class RunRow(FrozenModel):
    """One run of one center, in the time line."""

    center: str
    path: str
    operator: str
    region: str
    run: str
    started: AwareDatetime | None
    outcome: Outcome
    verdict: Verdict
    """The worst of its artefacts."""
    standing: Standing
    counts: bool
    """Whether it is the finding of its center that counts, for any artefact."""
    stated: bool = True
    """False for a run that committed to what it built, and does not state what it found."""
    log: str
    """The path of the log of its center."""
    log_index: int


class ReleasePage(PortalPage):
    """One release."""

    TEMPLATE: ClassVar[str] = "release.html.j2"
    schema_: Annotated[Literal["samebits/portal/release/v1"], Field(alias="schema")] = (
        "samebits/portal/release/v1"
    )
    release: str
    vendor: str
    vendor_path: str
    product: str
    product_path: str
    version: str
    kind: Kind | None
    private: bool
    standing: Standing
    since: AwareDatetime | None
    claim: DigestSet | None
    scope: DigestSet | None
    policy: PolicyPart
    alarms: tuple[AlarmRow, ...]
    artefacts: tuple[ArtefactPart, ...]
    """All by name; of more than a page shows the worst ones first, and no more than are allowed."""
    all_artefacts: int
    not_counted: tuple[NotCountedRow, ...]
    """What does not count of a center as a whole, or of all artefacts."""
    reviews: ReviewsOfRelease | None
    built_from: BuiltFrom | None
    runs: tuple[RunRow, ...]
    """The newest first."""
    all_runs: int

    @property
    def shown(self) -> tuple[ArtefactPart, ...]:
        """The artefacts that the page shows."""
        return self.artefacts[:SHOWN]

    @property
    def path(self) -> str:
        """Where it is."""
        return release_path(ReleaseName.parse(self.release))

    @property
    def shown_runs(self) -> tuple[RunRow, ...]:
        """The runs in the time line."""
        return self.runs[:SHOWN_RUNS]


def release_page(facts: ReleaseFacts) -> ReleasePage:
    """Return the page of a release that was joined."""
    joined, line, name = facts.joined, facts.line, facts.release
    found = shown_artefacts(joined)
    subject = found[0].subject if found else None
    runs = sorted(_runs(joined, found), key=lambda row: (row.run, row.center), reverse=True)
    built = built_from(facts)
    listed = found if len(found) <= SHOWN else worst_first(found)[:MAX_ARTEFACTS]
    differ = {id(one) for one in differing(found)}
    return ReleasePage(
        release=str(name),
        vendor_path=vendor_path(name.vendor),
        product_path=product_path(name.vendor, name.product),
        kind=line.kind or (built.kind if built else None),
        **line.only("vendor", "product", "version", "private", "standing", "since"),
        claim=subject.claim if subject else None,
        scope=subject.scope if subject else None,
        policy=PolicyPart.of(facts.view.policy, facts.rules),
        alarms=tuple(AlarmRow.of(one) for one in facts.alarms[:LISTED]),
        artefacts=tuple(_artefact(joined, one, differs=id(one) in differ) for one in listed),
        all_artefacts=len(found),
        not_counted=tuple(NotCountedRow.of(one) for one in joined.consensus.excluded[:LISTED]),
        reviews=reviews_of_release(facts, built),
        built_from=built,
        runs=tuple(runs[:MAX_RUNS]),
        all_runs=len(runs),
    )


def _artefact(joined: JoinedRelease, one: Consensus, *, differs: bool) -> ArtefactPart:
    subject = one.subject
    where = difference_path(joined.read.release, subject.artefact)
    return ArtefactPart(
        name=subject.artefact,
        sha256=subject.published,
        result=one.result,
        standing=standing_of(one),
        passed=one.passed,
        matched=one.matched,
        dissenting=one.dissenting,
        regions=one.regions,
        work=one.work_proof,
        operators=tuple(map(_operator, one.operators)),
        not_counted=tuple(NotCountedRow.of(record) for record in one.excluded[: LISTED // 10]),
        served=tuple(
            ServedRow(alarm=alarm.name, center=f.center.id, region=f.center.region, sha256=f.served)
            for alarm in one.alarms
            for f in alarm.served
            if f.served is not None
        ),
        base=str(one.base) if one.base else None,
        difference=where if differs else None,
    )


def _operator(found: OperatorFinding) -> OperatorRow:
    return OperatorRow(
        operator=found.operator,
        conclusion=found.conclusion,
        matches=bool(found.matching),
        dissents=found.dissents,
        centers=tuple(_center(f, found) for f in found.newest),
    )


def _center(found: CenterFinding, operator: OperatorFinding) -> FindingRow:
    built, record = found.built, found.comparison.name
    excluded = (e.reason for e in operator.excluded if e.record == record)
    return FindingRow(
        center=found.center.id,
        path=center_path(found.center.id),
        region=found.center.region,
        run=found.run,
        started=began(found.run),
        outcome=found.outcome,
        verdict=found.verdict,
        standing=standing_of_verdict(found.verdict),
        built=value_of(built),
        keyed=built is not None and built.sha256 is None,
        counts=found in operator.matching,
        reason=next(excluded, None),
        work=found.work,
        log_index=found.index,
        statement=record,
    )


def _runs(joined: JoinedRelease, found: Iterable[Consensus]) -> Iterator[RunRow]:
    """Yield every run of every center, also those that do not state what they found."""
    counted = {f.comparison for one in found for o in one.operators for f in o.newest}
    by_run: dict[tuple[str, str], list[CenterFinding]] = defaultdict(list)
    for finding in joined.read.findings:
        by_run[finding.center.id, finding.run].append(finding)
    for findings in by_run.values():
        first = min(findings, key=lambda f: f.index)
        verdict = worst_verdict(f.verdict for f in findings)
        yield _run(
            first,
            outcome=first.outcome,
            verdict=verdict,
            standing=standing_of_verdict(verdict),
            counts=any(f.comparison in counted for f in findings),
        )
    for dissent in joined.read.dissents:
        if (dissent.center.id, dissent.run) not in by_run:
            yield _run(
                dissent,
                outcome=Outcome.BUILT,
                verdict=Verdict.NOT_CHECKED,
                standing=Standing.DIFFERENT,
                counts=True,
                stated=False,
            )


def _run(one: CenterFinding | Dissent, **fields: Any) -> RunRow:
    return RunRow(
        center=one.center.id,
        path=center_path(one.center.id),
        operator=one.center.operator,
        region=one.center.region,
        run=one.run,
        started=began(one.run),
        log=log_path(one.center.id),
        log_index=one.index,
        **fields,
    )
