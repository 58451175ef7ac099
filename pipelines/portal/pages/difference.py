"""The page of one artefact that centers found to differ: what differs, and why.

It shows public evidence alone. Of a release whose source is closed that is verdicts, keyed digests
and names of causes; the page says what it does not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import Field

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.frozen_model import FrozenModel
from pipelines.audit.center_finding import CenterFinding, Excluded, newest_findings
from pipelines.audit.explained_findings import ExplainedFinding, read_explanation
from pipelines.audit.source import OBJECT_ERRORS, Source, UnreachableError
from pipelines.audit.statement_reader import StatementReader
from pipelines.consensus.consensus_result import Consensus
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.statement import value_of
from pipelines.explain.frame import framed
from pipelines.judge.difference import CauseName
from pipelines.portal.content_security import FOREIGN
from pipelines.portal.facts import ReleaseFacts
from pipelines.portal.paths import difference_path, release_path, segment
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.run_times import began
from pipelines.portal.shown_explanation import Explained, explained
from pipelines.portal.site_file import SiteFile
from pipelines.portal.standing import Standing, standing_of_verdict, worst_first
from pipelines.portal.translation import translatable
from pipelines.storage.names import Visibility, cas

DIFFERING = frozenset(
    {
        Verdict.SHIPPED_MISMATCH,
        Verdict.DIFFERENT,
        Verdict.UNEXPECTED,
        Verdict.MISSING,
        Verdict.EQUIVALENT,
    }
)
"""Verdicts that have a page of their difference."""
MAX_PAGES = 200
"""Artefacts of a release that have a page of their difference, the worst ones."""
MAX_FRAME = 64 << 20
"""Bytes of what diffoscope wrote; it is told to write a third of that."""
_PATIENCE = timedelta(days=7)
"""After a run, in which what explains it and does not count is read again."""
CAUSES = {
    CauseName.NONDETERMINISTIC: translatable("The same build gives different bytes"),
    CauseName.MEMBER_ADDED: translatable("Files that only the rebuild has"),
    CauseName.MEMBER_REMOVED: translatable("Files that only the shipped archive has"),
    CauseName.MEMBER_CHANGED: translatable("Files with other contents"),
    CauseName.METADATA_ONLY: translatable("Only metadata of files differs"),
    CauseName.CONTAINER_ONLY: translatable("Only the packing differs"),
    CauseName.CONTENT: translatable("The content differs"),
    CauseName.RULE_DISABLED: translatable("Detection rules that find nothing any more"),
    CauseName.RULE_WEAKENED: translatable("Detection rules that find less"),
    CauseName.RULE_CHANGED: translatable("Detection rules that changed"),
}
"""What pages call the causes."""


class CenterDifference(FrozenModel):
    """What one center found."""

    center: str
    operator: str
    region: str
    run: str
    index: int
    """Of the comparison in the center's log."""
    verdict: Verdict
    outcome: str
    served: str | None
    """The digest of what the center was served, where that is not the published one."""
    built: str | None
    keyed: bool
    """Whether that digest is keyed: the source is closed."""
    explained: Explained | None
    unexplained: str
    """Why what explains it does not count; empty where nothing does, or where it counts."""
    page: str | None = None
    """Where diffoscope's page is, from the root of the site; None where it is not public."""

    @property
    def differs(self) -> bool:
        """Whether there may be an explanation of what it found."""
        return self.verdict in DIFFERING

    @property
    def is_silent(self) -> bool:
        """Whether there is no explanation of it to show."""
        return self.explained is None

    @property
    def standing(self) -> Standing:
        """What the verdict would make of the release by itself."""
        return standing_of_verdict(self.verdict)


class DifferencePage(PortalPage):
    """The page."""

    TEMPLATE: ClassVar[str] = "difference.html.j2"
    STYLES: ClassVar[tuple[str, ...]] = ("assets/evidence.css",)
    schema_: Literal["samebits/portal/difference/v1"] = Field(
        default="samebits/portal/difference/v1", alias="schema"
    )
    vendor: str
    product: str
    version: str
    artefact: str
    published: Digest
    result: str
    """What the centers together say of the artefact."""
    private: bool
    """Whether the source is closed, so that evidence is missing here on purpose."""
    centers: tuple[CenterDifference, ...]
    awaits_explanation: bool
    """Whether something that explains the difference does not count yet, and may do so."""

    @property
    def settled(self) -> bool:
        """Whether the page stays as it is while no log has anything new about the release."""
        return not self.awaits_explanation

    @property
    def release(self) -> ReleaseName:
        """The release."""
        return ReleaseName(**self.only("vendor", "product", "version"))

    @property
    def path(self) -> str:
        """The folder of the page."""
        return difference_path(self.release, self.artefact)

    @property
    def release_path(self) -> str:
        """The folder of the page of the release."""
        return release_path(self.release)

    @property
    def cause_words(self) -> dict[CauseName, str]:
        """What each cause is called."""
        return CAUSES

    @property
    def builds(self) -> dict[str, tuple[str, ...]]:
        """The centers that built each set of bytes."""
        found: dict[str, list[str]] = {}
        for one in self.centers:
            if one.built is not None:
                found.setdefault(one.built, []).append(one.center)
        return {digest: tuple(centers) for digest, centers in found.items()}


def _differs(one: Consensus) -> bool:
    """Return whether the newest finding of a center is a difference."""
    return any(f.verdict in DIFFERING for f in _newest(one))


def differing(artefacts: Iterable[Consensus]) -> list[Consensus]:
    """Return the artefacts of a release that have a page of their difference."""
    found = [one for one in artefacts if _differs(one)]
    return found if len(found) <= MAX_PAGES else worst_first(found)[:MAX_PAGES]


def difference_files(facts: ReleaseFacts) -> Iterator[DifferencePage | SiteFile]:
    """Yield the pages of the artefacts that differ, and diffoscope's beside them."""
    sources = {source.center: source for source in facts.view.sources}
    reader = StatementReader(policy=facts.view.policy.policy, logs=facts.logs)
    for one in differing(facts.joined.consensus.artefacts):
        page = difference_page(facts.release, one, reader, sources, now=facts.now)
        centers = []
        for center in page.centers:
            frame = diffoscope_file(page, center, sources.get(center.center))
            if frame is not None:
                yield frame
                center = center.model_copy(update={"page": frame.path})  # noqa: PLW2901
            centers.append(center)
        yield page.model_copy(update={"centers": tuple(centers)})


def diffoscope_file(
    page: DifferencePage, center: CenterDifference, source: Source | None
) -> SiteFile | None:
    """Return what diffoscope wrote, in a frame; None where it is not public."""
    told = center.explained
    if source is None or page.private or told is None or told.diffoscope is None:
        return None
    try:
        html = source.get(cas(Visibility.PUBLIC, told.diffoscope), MAX_FRAME)
    except (UnreachableError, *OBJECT_ERRORS):
        return None
    if Digest.of(html) != told.diffoscope:
        return None
    return SiteFile(f"{page.path}{FOREIGN}{segment(center.center)}.html", framed(html))


def difference_page(
    release: ReleaseName,
    one: Consensus,
    reader: StatementReader,
    sources: Mapping[str, Source],
    *,
    now: datetime,
) -> DifferencePage:
    """Return the page of an artefact, from the newest findings of each center that count.

    `sources` are the stores of centers by id; `now` is UTC.
    """
    found = _newest(one)
    centers = tuple(_center(release, f, reader, sources.get(f.center.id)) for f in found)
    return DifferencePage(
        vendor=release.vendor,
        product=release.product,
        version=release.version,
        artefact=one.subject.artefact,
        published=one.subject.published,
        result=str(one.result),
        private=any(f.claim.sha256 is None for f in found),
        centers=centers,
        awaits_explanation=any(_awaits(center, now) for center in centers),
    )


def _awaits(center: CenterDifference, now: datetime) -> bool:
    """Return whether what explains a difference may come to count, as once it is witnessed."""
    start = began(center.run)
    return bool(center.unexplained) and start is not None and now - start < _PATIENCE


def _newest(one: Consensus) -> tuple[CenterFinding, ...]:
    """Return the newest finding of each center that was joined, or served a file."""
    joined = (finding for operator in one.operators for finding in operator.newest)
    return newest_findings([*joined, *one.served])


def _center(
    release: ReleaseName, finding: CenterFinding, reader: StatementReader, source: Source | None
) -> CenterDifference:
    told = None
    if source is not None and finding.verdict in DIFFERING:
        told = read_explanation(reader, source, release, finding)
    built, closed = finding.rebuilt, finding.claim.sha256 is None
    return CenterDifference(
        center=finding.center.id,
        operator=finding.center.operator,
        region=finding.center.region,
        run=finding.run,
        index=finding.index,
        verdict=finding.verdict,
        outcome=str(finding.outcome),
        served=str(finding.served) if finding.served not in {None, finding.published} else None,
        built=str(value_of(built)) if built else None,
        keyed=built is not None and built.sha256 is None,
        explained=explained(told, closed=closed) if isinstance(told, ExplainedFinding) else None,
        unexplained=str(told.reason) if isinstance(told, Excluded) else "",
    )
