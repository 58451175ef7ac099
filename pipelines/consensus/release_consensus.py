"""From the stores of the centers to one consensus for each artefact of a release.

The center's own store and the public prefixes of its peers are read alike. The policy alone decides
which statements count. A peer that cannot be reached, or whose records cannot be read, is named and
is never a pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.recipe.recipe import LoadedRecipe, Recipe, find_recipe
from pipelines.audit.center_audit import CenterAudit, audit_centers
from pipelines.audit.center_finding import (
    MATCHES,
    CenterFinding,
    Dissent,
    Excluded,
    ExclusionReason,
    newest_findings,
)
from pipelines.audit.delta_path import BaseFile, DeltaPath
from pipelines.audit.kept_logs import KeptLogs
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import OwnSource, Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.consensus.base_chains import BaseChains, ReadRelease, Standings
from pipelines.consensus.consensus_result import Consensus, ConsensusSubject, consensus_exit_code
from pipelines.consensus.join import join
from pipelines.consensus.seal_comparison import HeldFiles
from pipelines.consensus.subjects import subjects_of
from pipelines.consensus.work_proofs import WorkProofs
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import ConsensusRules, SignedPolicy
from pipelines.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class ConsensusView:
    """All that a center computes a consensus from."""

    center: str
    verifier_id: str
    store: Store
    policy: SignedPolicy
    peers: tuple[Source, ...]
    recipes: Path
    """The center's folder of recipes."""
    kept: KeptLogs = field(default_factory=KeptLogs)
    """What was read of logs before."""
    public_only: bool = False
    """Whether no proof of work is checked with what the center has built: that is private."""

    @cached_property
    def own(self) -> OwnSource:
        """The center itself."""
        return OwnSource(center=self.center, store=self.store)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The center itself, and its peers."""
        return (self.own, *self.peers)

    @property
    def former_keys(self) -> tuple[PublicKey, ...]:
        """The center's keys for statements that its policy knows."""
        centers = self.policy.policy.centers
        return tuple(k.key for c in centers if c.id == self.center for k in c.keys)


@dataclass(frozen=True, kw_only=True)
class ReleaseFindings:
    """The findings of all centers on a release, and what does not count."""

    release: ReleaseName
    findings: tuple[CenterFinding, ...]
    dissents: tuple[Dissent, ...]
    """The runs that committed, and did not state what they found."""
    excluded: tuple[Excluded, ...]
    proofs: WorkProofs
    held: HeldFiles
    """What can be compared with the lines of lost runs."""

    def newest_of(self, center: str | None) -> CenterFinding | None:
        """Return the newest finding of a center on any artefact, by its log."""
        newest = newest_findings(f for f in self.findings if f.center.id == center)
        return newest[0] if newest else None


@dataclass(frozen=True, kw_only=True)
class ReleaseConsensus:
    """The consensus on each artefact of a release."""

    release: ReleaseName
    artefacts: tuple[Consensus, ...]
    excluded: tuple[Excluded, ...]
    """What was excluded before anything was joined."""

    @property
    def exit_code(self) -> int:
        """Return 1 if anything failed or is an alarm, 0 if everything passed, else 2."""
        return consensus_exit_code(self.artefacts)

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            **asdict(self.release),
            "artefacts": [one.to_dict() for one in self.artefacts],
            "counted_out": [excluded.to_dict() for excluded in self.excluded],
            "exit_code": self.exit_code,
        }


def read_release(
    release: ReleaseName,
    sources: Iterable[Source],
    reader: StatementReader,
    own: OwnSource | None = None,
    given: tuple[Digest, Path] | None = None,
) -> ReleaseFindings:
    """Return the findings of the centers on a release, as `read_releases` does."""
    return next(read_releases([release], sources, reader, own, given))()


def read_releases(
    releases: Iterable[ReleaseName],
    sources: Iterable[Source],
    reader: StatementReader,
    own: OwnSource | None = None,
    given: tuple[Digest, Path] | None = None,
) -> Iterator[Callable[[], ReleaseFindings]]:
    """Yield for each release what returns the findings of the centers; peers are read ahead.

    With `own`, the proofs of work are checked with our own bytes where we have built the same
    claim. `given` is a file that we hold, and its digest. Raises `StoreError` for the store of
    `own` alone.
    """
    centers = tuple(sources)

    def read(release: ReleaseName, wait: Callable[[], list[CenterAudit]]) -> ReleaseFindings:
        proofs = partial(WorkProofs, release, centers, reader=reader, own=own)
        held = HeldFiles(store=own.store if own else None, given=given)
        return _findings(release, wait(), proofs, held)

    audited = audit_centers(reader, centers, releases, checker=own.center if own else None)
    return (partial(read, release, wait) for release, wait in audited)


def _findings(
    release: ReleaseName,
    audits: Collection[CenterAudit],
    proofs_of: Callable[..., WorkProofs],
    held: HeldFiles,
) -> ReleaseFindings:
    findings = tuple(finding for audit in audits for finding in audit.findings)
    provenance = {(a.center, run): made for a in audits for run, made in a.provenance.items()}
    proofs = proofs_of(findings, provenance=provenance)
    proved = tuple(proofs.proved(f) if f.verdict in MATCHES else f for f in findings)
    behind = (
        Excluded(center=center, reason=ExclusionReason.BEHIND, detail=detail)
        for center, detail in proofs.behind.items()
    )
    return ReleaseFindings(
        release=release,
        findings=proved,
        dissents=tuple(one for audit in audits for one in audit.dissents),
        excluded=(*(one for audit in audits for one in audit.excluded), *behind),
        proofs=proofs,
        held=held,
    )


def consensus_of(
    read: ReleaseFindings,
    rules: ConsensusRules,
    *,
    own: str | None = None,
    claim: DigestSet | None = None,
    scope: DigestSet | None = None,
    expected: Iterable[tuple[str, Digest]] = (),
    deltas: Mapping[str, DeltaPath | None] = MappingProxyType({}),
    chains: BaseChains | None = None,
    only: str | None = None,
    unwitnessed: bool = False,
) -> ReleaseConsensus:
    """Join the findings on each artefact, by its name and published digest (see `subjects_of`).

    `only` is the name of an artefact that alone is joined. Without the `chains` nothing is known of
    the bases of updates, and nothing passes that has one.
    """
    subjects = subjects_of(
        read.findings, own=own, claim=claim, scope=scope, expected=expected, deltas=deltas
    )
    subjects = [one for one in subjects if only in {None, one.artefact}]
    opened = opened_release(read, rules, subjects, own=own, unwitnessed=unwitnessed)
    bases = chains.standings(str(read.release), opened.paths) if chains else {}
    return ReleaseConsensus(
        release=read.release, artefacts=opened.join(bases), excluded=read.excluded
    )


def opened_release(
    read: ReleaseFindings,
    rules: ConsensusRules,
    subjects: Iterable[ConsensusSubject],
    *,
    own: str | None,
    unwitnessed: bool,
) -> ReadRelease:
    """Return a release before it is joined: by then its bases have to be known."""
    by_name: dict[str, list[CenterFinding]] = defaultdict(list)
    speaking: dict[DeltaPath, set[str]] = defaultdict(set)
    for finding in read.findings:
        by_name[finding.artefact].append(finding)
        if finding.path:
            speaking[finding.path].add(finding.center.operator)
    ours = {f.path for f in read.findings if f.path and f.center.id == own}
    enough = {path for path, operators in speaking.items() if len(operators) >= max(rules.k, 1)}

    def joined(bases: Standings) -> tuple[Consensus, ...]:
        return tuple(
            join(
                subject,
                by_name.get(subject.artefact, ()),
                rules,
                read.held.dissenting(read.dissents, subject.artefact, subject.published),
                base=bases.get(subject.path.base) if subject.path else None,
                unwitnessed=unwitnessed,
            )
            for subject in subjects
        )

    known = enough | ours
    paths = frozenset(one.path for one in subjects if one.path and one.path in known)
    return ReadRelease(paths=paths, findings=read.findings, join=joined)


@dataclass(frozen=True, kw_only=True)
class JoinedRelease:
    """The findings of all centers on one release, and their consensus."""

    read: ReleaseFindings
    consensus: ReleaseConsensus
    recipe: LoadedRecipe | None
    """None for a release that this center has no recipe of."""


def read_logs(view: ConsensusView, releases: Iterable[ReleaseName]) -> LogIndex:
    """Return the index of the logs of all centers; they are read now if there are `releases`."""
    sources = {source.center: source for source in view.sources}
    logs = LogIndex(sources, view.policy.policy, view.kept, view.sources)
    if any(releases):
        logs.read_ahead()
    return logs


def join_release(
    view: ConsensusView,
    release: ReleaseName,
    *,
    claim: DigestSet | None = None,
    scope: DigestSet | None = None,
    logs: LogIndex | None = None,
    chains: BaseChains | None = None,
    only: str | None = None,
) -> JoinedRelease:
    """Read the findings of all centers on a release, and join them.

    `only` is the name of an artefact that alone is joined. Raises `StoreError` for the center's own
    store.
    """
    logs = logs if logs is not None else read_logs(view, [release])
    chains = chains if chains is not None else base_chains(view, logs)
    read = next(_reading(view, [release], logs))
    return _joined(view, read(), chains, claim=claim, scope=scope, only=only)


def join_releases(
    view: ConsensusView,
    releases: Iterable[ReleaseName],
    *,
    logs: LogIndex,
    chains: BaseChains,
    given: tuple[Digest, Path] | None = None,
) -> Iterator[Callable[[], JoinedRelease]]:
    """Yield for each release what joins the findings of all centers; peers are read ahead.

    `given` is a file that the caller holds, and its digest. What is yielded raises `StoreError` for
    the center's own store.
    """

    def joined(read: Callable[[], ReleaseFindings]) -> JoinedRelease:
        return _joined(view, read(), chains)

    return (partial(joined, read) for read in _reading(view, releases, logs, given))


def _joined(
    view: ConsensusView,
    read: ReleaseFindings,
    chains: BaseChains,
    *,
    claim: DigestSet | None = None,
    scope: DigestSet | None = None,
    only: str | None = None,
) -> JoinedRelease:
    recipe = _recipe(view, read.release)
    consensus = consensus_of(
        read,
        rules_for(view, recipe),
        claim=claim,
        scope=scope,
        chains=chains,
        only=only,
        unwitnessed=not view.policy.policy.requires_witnesses,
        **_declared(view, recipe),
    )
    if claim is None and scope is None and only is None:
        chains.keep(str(read.release), consensus.artefacts, read.findings)
    return JoinedRelease(read=read, consensus=consensus, recipe=recipe)


def base_chains(view: ConsensusView, logs: LogIndex) -> BaseChains:
    """Return the chains of updates as a center sees them, by those `logs`; none is read yet."""

    def read(name: str) -> ReadRelease | None:
        try:
            release = ReleaseName.parse(name)
        except UsageError:
            return None
        found, recipe = next(_reading(view, [release], logs))(), _recipe(view, release)
        declared = _declared(view, recipe)
        unwitnessed = not view.policy.policy.requires_witnesses
        return opened_release(
            found,
            rules_for(view, recipe),
            subjects_of(found.findings, **declared),
            own=view.center,
            unwitnessed=unwitnessed,
        )

    return BaseChains(read)


def _reading(
    view: ConsensusView,
    releases: Iterable[ReleaseName],
    logs: LogIndex,
    given: tuple[Digest, Path] | None = None,
) -> Iterator[Callable[[], ReleaseFindings]]:
    """Yield for each release what returns the findings of all centers, or raises `StoreError`."""
    reader = StatementReader(policy=view.policy.policy, logs=logs)
    own = None if view.public_only else view.own
    return read_releases(releases, view.sources, reader, own, given)


def _recipe(view: ConsensusView, release: ReleaseName) -> LoadedRecipe | None:
    return find_recipe(view.recipes / "releases", *release.parts)


class _Declared(TypedDict):
    own: str
    expected: list[tuple[str, Digest]]
    deltas: dict[str, DeltaPath | None]


def _declared(view: ConsensusView, recipe: LoadedRecipe | None) -> _Declared:
    """Return what the center and its recipe say of what is joined."""
    artefacts = recipe.recipe.artefacts if recipe else ()
    return {
        "own": view.center,
        "expected": [(a.name, a.published.sha256) for a in artefacts],
        "deltas": _deltas(recipe.recipe) if recipe else {},
    }


def _deltas(recipe: Recipe) -> dict[str, DeltaPath | None]:
    """Return by name from which file each delta of a recipe leads to which; None of the others."""
    published = {a.name: a.published.sha256 for a in recipe.artefacts}
    found: dict[str, DeltaPath | None] = dict.fromkeys(published)
    for name, delta in recipe.deltas.items():
        base = BaseFile(release=recipe.bases[delta.base], digest=delta.base)
        found[name] = DeltaPath(base=base, target=published[delta.target])
    return found


def rules_for(view: ConsensusView, recipe: LoadedRecipe | None) -> ConsensusRules:
    """Return the policy's rules for the kind of a release; without a recipe the strictest."""
    return view.policy.policy.rules(recipe.recipe.kind if recipe else None)
