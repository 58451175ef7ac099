"""From the stores of the centers to one consensus for each artefact of a release.

The center's own store and the public prefixes of its peers are read alike. The policy alone decides
which statements count. A peer that cannot be reached, or whose records cannot be read, is named and
is never a pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.recipe.recipe import LoadedRecipe, find_recipe
from pipelines.audit.center_audit import audit_centers
from pipelines.audit.center_finding import (
    CenterFinding,
    Dissent,
    Excluded,
    ExclusionReason,
    newest_findings,
)
from pipelines.audit.kept_logs import KeptLogs
from pipelines.audit.log_index import LogIndex
from pipelines.audit.run_findings import MATCHES
from pipelines.audit.source import OwnSource, Source
from pipelines.audit.statement_reader import StatementReader
from pipelines.consensus.consensus_result import Consensus, ConsensusSubject, consensus_exit_code
from pipelines.consensus.join import join
from pipelines.consensus.seal_comparison import HeldFiles
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

    @property
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
    """Return the findings of the centers on a release.

    With `own`, the proofs of work are checked with our own bytes where we have built the same
    claim. `given` is a file that we hold, and its digest. Raises `StoreError` for the store of
    `own` alone.
    """
    centers = tuple(sources)
    audits = audit_centers(reader, centers, release, checker=own.center if own else None)
    findings = tuple(finding for audit in audits for finding in audit.findings)
    provenance = {(a.center, run): made for a in audits for run, made in a.provenance.items()}
    proofs = WorkProofs(release, centers, findings, reader=reader, own=own, provenance=provenance)
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
        held=HeldFiles(store=own.store if own else None, given=given),
    )


def consensus_of(
    read: ReleaseFindings,
    rules: ConsensusRules,
    *,
    own: str | None = None,
    claim: DigestSet | None = None,
    scope: DigestSet | None = None,
    expected: Iterable[tuple[str, Digest]] = (),
    unwitnessed: bool = False,
) -> ReleaseConsensus:
    """Join the findings on each artefact, by its name and published digest.

    The claim is `claim`, or else the newest claim of our `own` center, or else the one that most
    operators have findings on; likewise the scope, of the findings for that claim that name one.
    `expected` artefacts are in the result even without any finding.
    """
    ours = read.newest_of(own)
    claim = claim or (ours.claim if ours else _commonest(read.findings, lambda f: f.claim))
    scoped = [f for f in read.findings if f.claim == claim and f.scope is not None]
    our_newest = newest_findings(f for f in scoped if f.center.id == own)
    scope = scope or _commonest(our_newest or scoped, lambda f: f.scope)
    by_name: dict[str, list[CenterFinding]] = defaultdict(list)
    for finding in read.findings:
        by_name[finding.artefact].append(finding)
    files = {*expected, *((f.artefact, f.published) for f in read.findings)}
    return ReleaseConsensus(
        release=read.release,
        artefacts=tuple(
            join(
                ConsensusSubject(artefact=name, published=published, claim=claim, scope=scope),
                by_name.get(name, ()),
                rules,
                read.held.dissenting(read.dissents, name, published),
                unwitnessed=unwitnessed,
            )
            for name, published in sorted(files)
        ),
        excluded=read.excluded,
    )


def _commonest(
    findings: Iterable[CenterFinding], of: Callable[[CenterFinding], DigestSet | None]
) -> DigestSet | None:
    """Return the claim or scope that most operators have their newest finding on."""
    operators: dict[DigestSet, set[str]] = defaultdict(set)
    for finding in newest_findings(findings):
        if (named := of(finding)) is not None:
            operators[named].add(finding.center.operator)
    return max(operators, key=lambda d: (len(operators[d]), str(d.to_dict())), default=None)


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
    given: tuple[Digest, Path] | None = None,
) -> JoinedRelease:
    """Read the findings of all centers on a release, and join them.

    A caller that joins many releases reads the `logs` once for all of them. `given` is a file that
    it holds, and its digest. Raises `StoreError`
    for the center's own store.
    """
    recipe = find_recipe(view.recipes / "releases", *release.parts)
    reader = StatementReader(
        policy=view.policy.policy, logs=logs if logs is not None else read_logs(view, [release])
    )
    read = read_release(release, view.sources, reader, view.own, given)
    artefacts = recipe.recipe.artefacts if recipe else ()
    consensus = consensus_of(
        read,
        rules_for(view, recipe),
        own=view.center,
        claim=claim,
        scope=scope,
        expected=[(a.name, a.published.sha256) for a in artefacts],
        unwitnessed=not view.policy.policy.requires_witnesses,
    )
    return JoinedRelease(read=read, consensus=consensus, recipe=recipe)


def rules_for(view: ConsensusView, recipe: LoadedRecipe | None) -> ConsensusRules:
    """Return the policy's rules for the kind of a release; without a recipe the strictest."""
    return view.policy.policy.rules(recipe.recipe.kind if recipe else None)
