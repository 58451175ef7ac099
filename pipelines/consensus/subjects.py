"""What the findings on a release are joined by: artefacts, claim, scope, and bases of deltas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from builders.core.digest import Digest
from pipelines.audit.center_finding import CenterFinding, newest_findings
from pipelines.audit.delta_path import DeltaPath
from pipelines.consensus.consensus_result import ConsensusSubject
from pipelines.evidence.statements.statement import DigestSet


def subjects_of(
    findings: Sequence[CenterFinding],
    *,
    own: str | None = None,
    claim: DigestSet | None = None,
    scope: DigestSet | None = None,
    expected: Iterable[tuple[str, Digest]] = (),
    deltas: Mapping[str, DeltaPath | None] = MappingProxyType({}),
) -> list[ConsensusSubject]:
    """Return the subject of each artefact, by its name and published digest, in order.

    The claim is `claim`, or else the newest claim of our `own` center, or else the one that most
    operators have findings on; likewise the scope, of the findings for that claim that name one.
    `expected` artefacts are subjects even without any finding. `deltas` says by name from which
    file one leads to which, and what is none; of other artefacts the findings say so, our own or
    else those of most operators.
    """
    ours = newest_findings(f for f in findings if f.center.id == own)
    claim = claim or (ours[0].claim if ours else _commonest(findings, lambda f: f.claim))
    scoped = [f for f in findings if f.claim == claim and f.scope is not None]
    our_newest = newest_findings(f for f in scoped if f.center.id == own)
    scope = scope or _commonest(our_newest or scoped, lambda f: f.scope)
    files: dict[tuple[str, Digest], list[CenterFinding]] = {one: [] for one in expected}
    for finding in findings:
        about = files.setdefault((finding.artefact, finding.published), [])
        if finding.claim == claim and finding.scope in {None, scope} and finding.served:
            about.append(finding)
    return [
        ConsensusSubject(
            artefact=name,
            published=published,
            claim=claim,
            scope=scope,
            path=deltas[name] if name in deltas else _path(about, own),
        )
        for (name, published), about in sorted(files.items(), key=lambda item: item[0])
    ]


def _path(findings: Sequence[CenterFinding], own: str | None) -> DeltaPath | None:
    """Return where findings on a served file say that it leads, if it is a delta.

    One center alone makes no delta of another file: those that say so count too.
    """
    if all(finding.path is None for finding in findings):
        return None
    newest = newest_findings(findings)
    operators: dict[DeltaPath | None, set[str]] = defaultdict(set)
    for finding in [f for f in newest if f.center.id == own] or newest:
        operators[finding.path].add(finding.center.operator)
    # Of as many either way it is a delta: then nothing counts that names no base.
    weights = {p: (len(names), p is not None, str(p)) for p, names in operators.items()}
    return max(weights, key=lambda path: weights[path], default=None)


def _commonest(
    findings: Iterable[CenterFinding], of: Callable[[CenterFinding], DigestSet | None]
) -> DigestSet | None:
    """Return the claim or scope that most operators have their newest finding on."""
    operators: dict[DigestSet, set[str]] = defaultdict(set)
    for finding in newest_findings(findings):
        if (named := of(finding)) is not None:
            operators[named].add(finding.center.operator)
    return max(operators, key=lambda d: (len(operators[d]), str(d.to_dict())), default=None)
