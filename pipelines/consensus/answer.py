"""What a position amounts to: whether the bytes that were built are the published ones.

It is read from the digests, and a verdict that they do not bear out is a center that contradicts
itself. `EQUIVALENT` is never a match; neither is a center that was served another file and built
the published one: it has not compared it with anything.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.consensus.position import Position
from pipelines.evidence.statements.statement import DigestSet
from pipelines.judge.finding import CauseName


class Stand(StrEnum):
    """What is said of an artefact; of several centers of one operator the first that is there."""

    DISSENT = "contradicts-itself"
    """Counts as dissent, and agrees with nobody."""
    MATCH = "match"
    MISMATCH = "mismatch"
    EQUIVALENT = "equivalent"
    """By normalizers that the policy allows: counts neither way."""
    SERVED_OTHER = "served-another-file"
    """Built the published bytes, but was served others: counts neither way, and is an alarm."""
    UNCHECKED = "not-checked"
    """Built, and not compared."""
    UNBUILT = "could-not-build"
    UNTRIED = "not-tried"
    """Neither built nor found to be unbuildable: cancelled, broken machinery, no reviews."""


BUILT = frozenset(Stand) - {Stand.UNBUILT, Stand.UNTRIED}
"""The stands of those who have built."""
_UNTRIED = frozenset({Outcome.SOURCE_NOT_REVIEWED, Outcome.INFRASTRUCTURE_ERROR, Outcome.CANCELLED})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a position amounts to, and the bytes that were built.

    `made` is None for a build that left no such file, which can be agreed on as a digest can.
    """

    stand: Stand
    made: DigestSet | None = None

    @property
    def judged(self) -> bool:
        """Whether it says something of the bytes."""
        return self.stand in _JUDGED


_JUDGED = frozenset(
    {Stand.DISSENT, Stand.MATCH, Stand.MISMATCH, Stand.EQUIVALENT, Stand.SERVED_OTHER}
)
_DISSENT = Answer(stand=Stand.DISSENT)


def answer_of(position: Position, normalizers: AbstractSet[str]) -> Answer:
    """Return what a position amounts to; `normalizers` are those that the policy allows."""
    if position.outcome is not Outcome.BUILT:
        return _without_a_build(position)
    if position.verdict is Verdict.NOT_CHECKED:
        return Answer(stand=Stand.UNCHECKED, made=position.rebuilt)
    return _judged(position, normalizers)


def _without_a_build(position: Position) -> Answer:
    if position.verdict is not Verdict.NOT_CHECKED:
        return _DISSENT
    untried = position.outcome in _UNTRIED
    return Answer(stand=Stand.UNTRIED if untried else Stand.UNBUILT)


def _judged(position: Position, normalizers: AbstractSet[str]) -> Answer:
    if not _sound(position):
        return _DISSENT
    made = position.rebuilt
    if position.verdict is Verdict.IDENTICAL_SIGNED:
        made = DigestSet(sha256=position.grafted)
    match position.verdict:
        case Verdict.IDENTICAL | Verdict.IDENTICAL_SIGNED:
            return Answer(stand=Stand.MATCH, made=made)
        case Verdict.DIFFERENT if CauseName.NONDETERMINISTIC in position.causes:
            return _DISSENT
        case Verdict.EQUIVALENT if position.normalizers <= normalizers:
            return Answer(stand=Stand.EQUIVALENT, made=made)
        case Verdict.SHIPPED_MISMATCH if _is(made, position.published):
            return Answer(stand=Stand.SERVED_OTHER, made=made)
        case _:
            return Answer(stand=Stand.MISMATCH, made=made)


def _sound(position: Position) -> bool:
    """Say whether the digests bear the verdict out."""
    published, made = position.published, position.rebuilt
    genuine = position.served == published
    other = made is not None and not _is(made, published)
    sound = {
        Verdict.SHIPPED_MISMATCH: position.served is not None and not genuine,
        Verdict.DIFFERENT: genuine and other,
        Verdict.UNEXPECTED: False,  # what was published is expected
        Verdict.MISSING: made is None,
        Verdict.NOT_CHECKED: True,
        Verdict.EQUIVALENT: genuine and other and bool(position.normalizers),
        Verdict.IDENTICAL_SIGNED: genuine and made is not None and position.grafted == published,
        Verdict.IDENTICAL: genuine and _is(made, published),
    }
    return sound[position.verdict]


def _is(made: DigestSet | None, digest: Digest) -> bool:
    """Say whether what was built has that plain digest."""
    return made is not None and made.sha256 == digest
