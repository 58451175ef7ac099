"""What updates rest on: each release of a chain is read and joined once, however many ask for it.

A delta is applied to a file of an earlier release. If that release is an update too, deltas of its
own lead to that file, and so on to a full release, with which the chain begins. A delta can only be
confirmed if its base is, by the same policy, and if a delta that leads to that base is, unless none
does. Of several that lead there, the best counts.

Only what at least k operators speak of is followed, so no center alone can make a chain longer, or
turn it in a circle. Either is refused by name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from builders.core.digest import Digest
from pipelines.audit.center_finding import IN_FAVOUR, CenterFinding
from pipelines.audit.delta_path import BaseFile, DeltaPath, JudgedRun
from pipelines.consensus.base_standing import BaseFault, BaseStanding
from pipelines.consensus.consensus_result import Consensus
from pipelines.consensus.joined_result import Result

MAX_LINKS = 1000
"""Updates on a full release, each on the one before it, at most."""
Standings = Mapping[BaseFile, BaseStanding]
_ORDER = tuple(BaseFault)


@dataclass(frozen=True, kw_only=True)
class ReadRelease:
    """A release whose findings were read, before its deltas are joined."""

    paths: frozenset[DeltaPath]
    """Of its deltas, as far as enough operators speak of them."""
    findings: tuple[CenterFinding, ...]
    join: Callable[[Standings], tuple[Consensus, ...]]
    """Joins the findings on each artefact, by what is known of bases."""


@dataclass(frozen=True, kw_only=True)
class _Joined:
    artefacts: tuple[Consensus, ...]
    findings: tuple[CenterFinding, ...]


class _TooLongError(Exception):
    """A chain goes on after as many updates as are followed."""


class BaseChains:
    """The chains of updates in one round of joining."""

    def __init__(self, read: Callable[[str], ReadRelease | None]) -> None:
        """Read nothing yet; `read` returns None for what is not the name of a release."""
        self._read = read
        self._joined: dict[str, _Joined] = {}

    def keep(
        self, release: str, artefacts: tuple[Consensus, ...], findings: tuple[CenterFinding, ...]
    ) -> None:
        """Keep a release that was joined, by the claim that it is joined by for any reader."""
        self._joined[release] = _Joined(artefacts=artefacts, findings=findings)

    def standings(self, release: str, paths: Iterable[DeltaPath]) -> Standings:
        """Return what is known of the bases of a release's deltas; raises what reading raises."""
        found = {}
        for base in {path.base for path in paths}:
            try:
                self._join_below(base.release, release)
                found[base] = self._standing(base, {release})
            except _TooLongError:
                found[base] = _nothing(base, BaseFault.TOO_LONG)
        return found

    def _join_below(self, first: str, above: str) -> None:
        """Join the releases that `first` rests on, then itself; `above` rests on it.

        Raises `_TooLongError`.
        """
        waiting: dict[str, ReadRelease | None] = {}
        due = first if first not in {above, *self._joined} else None
        while due or waiting:
            if due:
                waiting[due] = self._read(due)
            name, read = next(reversed(waiting.items()))
            below = [path.base.release for path in read.paths] if read else []
            due = next((b for b in below if b not in {above, *self._joined, *waiting}), None)
            if due is None:
                if read:
                    resting = {above, *waiting}
                    known = {p.base: self._standing(p.base, resting) for p in read.paths}
                    self.keep(name, read.join(known), read.findings)
                del waiting[name]
            elif len(waiting) == MAX_LINKS:
                raise _TooLongError

    def _standing(self, base: BaseFile, resting: Collection[str]) -> BaseStanding:
        """Return what is known of a base; `resting` are the releases that rest on its update."""
        if base.release in resting:
            return _nothing(base, BaseFault.CYCLE)
        joined = self._joined.get(base.release)
        files = (
            [o for o in joined.artefacts if o.subject.published == base.digest] if joined else []
        )
        if joined is None or not files:
            return _nothing(base, BaseFault.UNKNOWN)
        worst = max(_spoken_of(files) or files, key=_badness)
        anchor: BaseFile | None = base
        fault, links = _fault_of(worst), 1
        leading = [o for o in _spoken_of(joined.artefacts) if _leads_to(o, base.digest)]
        if fault is None and leading:
            best = min(leading, key=_badness)
            fault = _fault_of(best)
            if best.base is not None:
                links, anchor = best.base.links + 1, best.base.anchor
            worst = best if fault else worst
        if worst.subject.path and worst.subject.published == base.digest:
            fault = BaseFault.DELTA
        if fault is None and links > MAX_LINKS:
            fault = BaseFault.TOO_LONG
        deeper = worst.base if worst.base and worst.base.fault else None
        matches = [f for f in joined.findings if _is_match(f, base.digest)]
        return BaseStanding(
            base=base,
            result=deeper.result if deeper else worst.result,
            fault=fault,
            worst=deeper.worst if deeper else f"{base.release} {worst.subject.artefact}",
            links=links,
            anchor=anchor if fault is None else None,
            judged=_by_center(matches),
            other=_by_center(joined.findings),
        )


def _nothing(base: BaseFile, fault: BaseFault) -> BaseStanding:
    """Return what is known of a base whose release has not been joined."""
    return BaseStanding(base=base, result=Result.NOT_CHECKED, fault=fault, worst=base.release)


def _fault_of(one: Consensus) -> BaseFault | None:
    """Return why nothing can be confirmed that rests on a file, or on where a delta leads."""
    if one.base is not None and one.base.fault is not None:
        return one.base.fault
    if one.passed or one.is_applied:
        return None
    return BaseFault.FAILED if one.passed is False else BaseFault.PENDING


def _badness(one: Consensus) -> tuple[int, int]:
    """Return numbers that are the higher the less may rest on a file or delta."""
    fault = _fault_of(one)
    return (_ORDER.index(fault) + 1 if fault else 0, one.base.links if one.base else 0)


def _leads_to(one: Consensus, digest: Digest) -> bool:
    """Return whether a delta leads to the file with that digest."""
    return one.subject.path is not None and one.subject.path.target == digest


def _spoken_of(artefacts: Iterable[Consensus]) -> list[Consensus]:
    """Return those of which enough operators speak that they could be confirmed."""
    return [one for one in artefacts if len(one.operators) >= max(one.rules.k, 1)]


def _is_match(finding: CenterFinding, digest: Digest) -> bool:
    return finding.verdict in IN_FAVOUR and finding.published == digest


def _by_center(findings: Iterable[CenterFinding]) -> dict[str, frozenset[JudgedRun]]:
    runs: dict[str, set[JudgedRun]] = defaultdict(set)
    for one in findings:
        runs[one.center.id].add(JudgedRun(run=one.run, comparison=one.comparison.digest))
    return {center: frozenset(found) for center, found in runs.items()}
