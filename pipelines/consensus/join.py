"""The findings of the centers joined into one result for one artefact: a pure function.

Of each operator counts what its centers newly say for the claim, by the order of their logs. One
that contradicts itself (two centers, or two statements for the same claim, with other bytes; a
build that it found to be nondeterministic; a verdict that its own digests do not bear out) counts
as dissent, and agrees with nobody. The result is the first of these that holds:

1. NOT_CHECKED: nobody says anything of the bytes, and nobody found that they cannot be built.
2. UNBUILDABLE: nobody has built, and somebody found that it cannot be done.
3. SUSPECT: at least k operators built the same bytes (or all no such file), not the shipped ones.
4. SPLIT: some match, and some dissent.
5. CONFIRMED: at least k operators match, in at least as many regions as the policy asks for.
6. NONDETERMINISTIC: those who dissent disagree, with each other or with themselves.
7. PENDING.

Absence counts neither way. Only equal claims, and equal published digests, are joined. A match does
not count without its proof of work (unless there can be none, `work_proof: none`), nor when its key
is the key of two operators; a mismatch counts without. Where k is less than one nothing matches
enough, and one that differs is enough to suspect. Whatever does not count is in the result, with
the reason.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from pipelines.consensus.alarms import alarms_of, newest_by_center, served
from pipelines.consensus.answer import BUILT, Answer, Stand, answer_of
from pipelines.consensus.position import CountedOut, Position, Why
from pipelines.consensus.result import Consensus, Question, Result, Voice
from pipelines.evidence.statements.crosscheck import Proof

if TYPE_CHECKING:
    from pipelines.policy import ConsensusRules

_UNPROVED = {Proof.ABSENT: Why.WORK_ABSENT, Proof.WRONG: Why.WORK_WRONG}
_NEITHER = {Stand.EQUIVALENT: Why.EQUIVALENT, Stand.SERVED_OTHER: Why.SERVED_OTHER}
_ORDER = tuple(Stand)


def join(question: Question, positions: Iterable[Position], rules: ConsensusRules) -> Consensus:
    """Return what the operators together say of one artefact, as this module has it.

    `positions` are about the artefact of that name, under whatever claim and published digest.
    """
    given = tuple(positions)
    about, out = _about(question, given)
    shared = _shared_keys(given)
    by_operator: dict[str, list[Position]] = defaultdict(list)
    for position in about:
        by_operator[position.place.operator].append(position)
    voices = tuple(
        _voice(operator, said, rules.normalizers, shared)
        for operator, said in sorted(by_operator.items())
    )
    result = _result(voices, rules)
    seen = served(p for p in given if p.published == question.published)
    return Consensus(
        question=question,
        result=result,
        passed=_passed(result, voices, rules),
        rules=rules,
        voices=voices,
        counted_out=(*out, *(o for voice in voices for o in voice.counted_out)),
        served=seen,
        alarms=alarms_of(seen, question.published),
    )


def _about(
    question: Question, given: tuple[Position, ...]
) -> tuple[list[Position], list[CountedOut]]:
    """Return the positions that answer the question, and the newest of each center that do not."""
    about = [
        p
        for p in given
        if p.claim == question.claim
        and (p.artefact, p.published) == (question.artefact, question.published)
    ]
    heard = {position.place.center for position in about}
    others = newest_by_center(p for p in given if p.place.center not in heard)
    out = [
        _out(
            p,
            Why.OTHER_CLAIM if p.published == question.published else Why.OTHER_PUBLISHED,
            note=str(p.claim.sha256 or p.claim.hmac_sha256)
            if p.published == question.published
            else str(p.published),
        )
        for _, p in sorted(others.items())
    ]
    return about, out


def _shared_keys(given: Iterable[Position]) -> frozenset[str]:
    """Return the keys that more than one operator signs with."""
    owners: dict[str, set[str]] = defaultdict(set)
    for position in given:
        owners[position.key].add(position.place.operator)
    return frozenset(key for key, operators in owners.items() if len(operators) > 1)


def _voice(
    operator: str,
    said: list[Position],
    normalizers: AbstractSet[str],
    shared: AbstractSet[str],
) -> Voice:
    """Return what one operator says: that of its centers' newest which comes first in `Stand`."""
    every = [(p, answer_of(p, normalizers)) for p in said]
    newest = newest_by_center(said)
    now = sorted(newest.items())
    if _contradicts([answer for _, answer in every]):
        return Voice(
            operator=operator,
            stand=Stand.DISSENT,
            made=None,
            newest=tuple(p for _, p in now),
            rests_on=tuple(said),
        )
    answers = [(p, a) for p, a in every if newest[p.place.center] is p]
    first = min((a for _, a in answers), key=lambda a: _ORDER.index(a.stand))
    matching, out = [], []
    for position, answer in sorted(answers, key=lambda pair: pair[0].place.center):
        why = _why_not(position, answer, shared)
        if why is not None:
            out.append(_out(position, why))
        elif answer.stand is Stand.MATCH:
            matching.append(position)
    return Voice(
        operator=operator,
        stand=first.stand,
        made=first.made,
        newest=tuple(p for _, p in now),
        rests_on=tuple(p for _, p in now),
        matching=tuple(matching),
        counted_out=tuple(out),
    )


def _contradicts(answers: list[Answer]) -> bool:
    """Say whether an operator ever said two things for one claim, or one that is none.

    Over all that it ever said for the claim: nothing is retried into success.
    """
    judged = [answer for answer in answers if answer.judged]
    return any(a.stand is Stand.DISSENT for a in judged) or len({a.made for a in judged}) > 1


def _why_not(position: Position, answer: Answer, shared: AbstractSet[str]) -> Why | None:
    """Return why what a center says does not count, or None."""
    if answer.stand is not Stand.MATCH:
        return _NEITHER.get(answer.stand)
    return Why.SHARED_KEY if position.key in shared else _UNPROVED.get(position.work)


def _result(voices: tuple[Voice, ...], rules: ConsensusRules) -> Result:  # noqa: PLR0911  # the order
    """Return the first result that holds."""
    stands = {voice.stand for voice in voices}
    matches = [voice for voice in voices if voice.matching]
    dissent = [voice for voice in voices if voice.dissents]
    made = Counter(voice.made for voice in voices if voice.stand is Stand.MISMATCH)
    if stands <= {Stand.UNCHECKED, Stand.UNTRIED}:
        return Result.NOT_CHECKED
    if not stands & BUILT:
        return Result.UNBUILDABLE
    if max(made.values(), default=0) >= max(rules.k, 1):
        return Result.SUSPECT
    if matches and dissent:
        return Result.SPLIT
    if _enough(matches, rules):
        return Result.CONFIRMED
    if len(made) > 1 or Stand.DISSENT in stands:
        return Result.NONDETERMINISTIC
    return Result.PENDING


def _enough(matches: list[Voice], rules: ConsensusRules) -> bool:
    """Say whether those who match are enough to confirm."""
    regions = {p.place.region for voice in matches for p in voice.matching}
    return 1 <= rules.k <= len(matches) and len(regions) >= rules.regions


def _passed(result: Result, voices: tuple[Voice, ...], rules: ConsensusRules) -> bool | None:
    """Return what a summary says; over a SPLIT, PASSED only within the dissent that is allowed."""
    match result:
        case Result.CONFIRMED:
            return True
        case Result.SPLIT:
            matches = [voice for voice in voices if voice.matching]
            dissent = sum(voice.dissents for voice in voices)
            return _enough(matches, rules) and dissent <= rules.max_dissent
        case Result.SUSPECT | Result.NONDETERMINISTIC:
            return False
        case Result.NOT_CHECKED | Result.UNBUILDABLE | Result.PENDING:
            return None


def _out(position: Position, why: Why, note: str = "") -> CountedOut:
    return CountedOut(
        center=position.place.center, why=why, what=position.comparison.name, note=note
    )
