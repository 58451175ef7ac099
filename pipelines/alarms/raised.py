"""The alarms of one release: from every run of every center, whatever came later.

Findings of a center on a file that follow each other and say the same are one `Repeated`: only the
first of them is a leaf of an alarm. SUSPECT is raised where enough operators have ever built the
same other bytes. SPLIT is raised as long as the consensus is one; no later match of an operator
that dissented ends it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from pipelines.alarms.alarm import OF_EXCLUSIONS, Alarm, Leaf
from pipelines.alarms.cause import AlarmCause
from pipelines.audit.center_finding import CenterFinding, Dissent, Excluded
from pipelines.consensus.conclusion import Conclusion, conclusion_of
from pipelines.consensus.consensus_result import Consensus
from pipelines.consensus.joined_result import Result
from pipelines.consensus.release_consensus import JoinedRelease, ReleaseFindings
from pipelines.evidence.statements.statement import value_of
from pipelines.policy import ConsensusRules

Repeated: TypeAlias = tuple[CenterFinding, ...]
"""Findings of one center that follow each other in its log and say the same; one or more."""
_T = TypeVar("_T")
_K = TypeVar("_K", bound=Hashable)


def release_alarms(
    joined: JoinedRelease,
    rules: ConsensusRules,
    withheld: Mapping[str, Collection[int]] = MappingProxyType({}),
) -> tuple[Alarm, ...]:
    """Return the alarms of a release, each once; `rules` are those of its kind.

    `withheld` are the leaves of each center that our witness has once missed for too long.
    """
    found = dict.fromkeys(_release_alarms(joined, rules))
    shown = {leaf for one in found if one.cause is AlarmCause.WITHHELD for leaf in one.leaves}
    for center, indexes in withheld.items():
        if gone := sorted({Leaf(log=center, index=index) for index in indexes} - shown):
            text = f"{center} has once withheld statements that its log has"
            found[
                Alarm(
                    cause=AlarmCause.WITHHELD,
                    release=str(joined.read.release),
                    center=center,
                    text=text,
                    leaves=tuple(gone),
                )
            ] = None
    return tuple(found)


def _release_alarms(joined: JoinedRelease, rules: ConsensusRules) -> Iterator[Alarm]:
    release, read = str(joined.read.release), joined.read
    files = _by(read.findings, lambda f: (f.artefact, f.published))
    for (artefact, _), findings in files.items():
        yield from _served(release, artefact, findings)
        yield from _suspect(release, artefact, findings, rules)
    for consensus in joined.consensus.artefacts:
        if consensus.result is Result.SPLIT and not consensus.rests_badly:
            yield _split(release, consensus, read)
    yield from _excluded(release, read.excluded)


def _served(release: str, artefact: str, findings: Iterable[CenterFinding]) -> Iterator[Alarm]:
    """Yield an alarm for each center and other file that it was served."""
    for repeated in _repeated((f for f in findings if f.served), lambda f: f.served):
        first = repeated[0]
        if first.served != first.published:
            text = f"{artefact}: {first.center.id} was served {first.served}"
            yield _alarm(AlarmCause.SHIPPED_MISMATCH, release, text, [repeated])


def _suspect(
    release: str, artefact: str, findings: Iterable[CenterFinding], rules: ConsensusRules
) -> Iterator[Alarm]:
    """Yield an alarm for all bytes but the published ones that enough operators have built."""
    conclusions = {f: conclusion_of(f, rules.normalizers) for f in findings}
    judged = [f for f, conclusion in conclusions.items() if conclusion.judged]
    for claimed in _by(judged, lambda f: f.claim).values():
        scopes = {f.scope for f in claimed if f.scope}
        for scope in scopes or (None,):
            about = (f for f in claimed if f.scope in {None, scope})
            wrong = [
                repeated
                for repeated in _repeated(about, lambda f: f.built)
                if conclusions[repeated[0]] is Conclusion.MISMATCH
            ]
            for built, alike in _by(wrong, lambda repeated: repeated[0].built).items():
                operators = sorted({repeated[0].center.operator for repeated in alike})
                if len(operators) >= max(rules.k, 1):
                    what = "other bytes than those shipped" if built else "no such file"
                    text = f"{artefact}: {', '.join(operators)} built {what}"
                    yield _alarm(AlarmCause.SUSPECT, release, text, alike)


def _split(release: str, consensus: Consensus, read: ReleaseFindings) -> Alarm:
    """Return the alarm of a consensus in which some dissent, by a finding or by a run without."""
    subject = consensus.subject
    lost = {
        one
        for one in read.dissents
        for o in consensus.operators
        if (o.operator, o.conclusion) == (one.center.operator, Conclusion(one.reason))
        and one.claim == value_of(subject.claim)
    }
    by_run = {one.center.operator for one in lost}
    found_so = [o for o in consensus.operators if o.dissents and o.operator not in by_run]
    dissent = {f.comparison for o in found_so for f in o.basis}
    about = (f for f in read.findings if subject.is_of(f))
    shown = [
        repeated
        for repeated in _repeated(about, lambda f: f.built)
        if dissent & {f.comparison for f in repeated}
    ]
    text = (
        f"{subject.artefact}: {', '.join(consensus.matched)} match the shipped bytes, "
        f"{', '.join(consensus.dissenting)} do not"
    )
    return _alarm(AlarmCause.SPLIT, release, text, shown, lost)


def _excluded(release: str, excluded: Iterable[Excluded]) -> Iterator[Alarm]:
    """Yield an alarm for each center and reason for which an audit has excluded something."""
    for (center, reason), found in _by(excluded, lambda e: (e.center, e.reason)).items():
        if reason in OF_EXCLUSIONS:
            cause, what = OF_EXCLUSIONS[reason]
            yield Alarm(
                cause=cause,
                release=release,
                center=center,
                text=f"{center} {what}: {found[0].detail or found[0].record}",
                leaves=tuple(sorted({Leaf(log=center, index=i) for e in found for i in e.indexes})),
                record=found[0].record,
            )


def _alarm(
    cause: AlarmCause,
    release: str,
    text: str,
    shown: Iterable[Repeated],
    lost: Iterable[Dissent] = (),
) -> Alarm:
    """Return the alarm that findings show, or runs that state none; not both are empty."""
    found, dissents = list(shown), list(lost)
    begins: list[CenterFinding | Dissent] = [*(repeated[0] for repeated in found), *dissents]
    first = min(begins, key=lambda one: (one.run, one.center.id))
    return Alarm(
        cause=cause,
        release=release,
        center=first.center.id,
        text=text,
        leaves=tuple(sorted({Leaf(log=one.center.id, index=one.index) for one in begins})),
        record=first.comparison.name if isinstance(first, CenterFinding) else "",
        since=first.run,
        runs=frozenset(
            [*(f.run for repeated in found for f in repeated), *(d.run for d in dissents)]
        ),
    )


def _repeated(
    findings: Iterable[CenterFinding], said: Callable[[CenterFinding], object]
) -> Iterator[Repeated]:
    """Yield the findings of each center in the order of its log, those that say the same as one."""
    for of_center in _by(findings, lambda f: f.center.id).values():
        ordered = sorted(of_center, key=lambda f: f.index)
        yield from (tuple(same) for _, same in groupby(ordered, key=said))


def _by(values: Iterable[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    """Return values by a key of theirs, in their order."""
    found: dict[_K, list[_T]] = defaultdict(list)
    for value in values:
        found[key(value)].append(value)
    return found
