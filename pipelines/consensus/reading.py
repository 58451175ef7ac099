"""From the records of one center to its positions on one release.

A run counts as a whole: a comparison without the attempt that it rests on, or an attempt whose
artefacts were not all compared, is no position. Of a run with a record that cannot be read no match
counts, and of a center whose newest run is such a one none at all: what it would say is not known.
A mismatch stays: nobody hides one by laying rubbish beside it. Nor does a match count where the log
has a statement about the release that is not among the records: it may be one that says otherwise.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.consensus.position import CountedOut, Position, Signed, Why
from pipelines.consensus.verified import (
    IndexOf,
    Logged,
    SilentError,
    Source,
    names_below,
    read_signed,
)
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.signed import SUFFIX
from pipelines.evidence.statements.attempt import AttemptStatement, Purpose
from pipelines.evidence.statements.comparison import Comparison, ComparisonStatement
from pipelines.evidence.statements.statement import Subject
from pipelines.log.errors import LogError
from pipelines.storage.names import encode, release_prefix

if TYPE_CHECKING:
    from pipelines.policy import Policy

MAX_RECORDS = 20_000
"""Of one release, by one center."""
MATCHES = frozenset({Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED})
"""The verdicts that can be a match."""
_NO_POSITION = ("provenance-", "robustness-")
"""Records that say nothing of what was shipped, and are not opened."""
_RANKS = {Purpose.JUDGED: 0, Purpose.RETRY: 0, Purpose.RUN: 1}


@dataclass(frozen=True, kw_only=True)
class Read:
    """What one center says of one release."""

    positions: tuple[Position, ...]
    counted_out: tuple[CountedOut, ...]


@dataclass(frozen=True, kw_only=True)
class _RunRead:
    run: str
    positions: tuple[Position, ...]
    counted_out: tuple[CountedOut, ...]
    seen: frozenset[Digest]
    """The PAE digests of the statements that are there, whether they count or not."""

    @property
    def readable(self) -> bool:
        return all(out.why is not Why.UNREADABLE for out in self.counted_out)


def center_prefix(release: ReleaseName, center: str) -> str:
    """Return the folder of a center's runs of a release."""
    folder = release_prefix(release.vendor, release.product, release.version)
    return f"{folder}{encode(center)}/"


def read_center(
    source: Source, release: ReleaseName, *, policy: Policy, index_of: IndexOf, logged: Logged
) -> Read:
    """Return what a center says of a release; whatever does not count is there with a reason."""
    if all(center.id != source.center for center in policy.centers):
        return _nothing(source, Why.UNKNOWN_CENTER)
    prefix = center_prefix(release, source.center)
    try:
        # First the log, then the store: a run that ends meanwhile is in both, or in the store.
        told = _told(source, release, logged)
        names = names_below(source.store, prefix, limit=MAX_RECORDS)
        runs = [
            _read_run(source, release, run, list(keys), policy=policy, index_of=index_of)
            for run, keys in groupby(
                names, key=lambda name: name.removeprefix(prefix).split("/")[0]
            )
        ]
    except SilentError as error:
        return _nothing(source, Why.SILENT, note=f"{error.got}")
    except LogError as error:
        return _nothing(source, Why.LOG_BROKEN, note=ascii(str(error))[1:-1][:160])
    withheld = told - frozenset[Digest]().union(*(run.seen for run in runs))
    if not names and not withheld:
        return _nothing(source, Why.NOTHING)
    positions = tuple(p for run in runs for p in run.positions)
    out = [o for run in runs for o in run.counted_out]
    if withheld:
        out.append(_withheld(source, withheld))
    if withheld or not max(runs, key=lambda run: run.run).readable:
        positions = _doubted(positions)
    return Read(positions=positions, counted_out=tuple(out))


def _told(source: Source, release: ReleaseName, logged: Logged) -> AbstractSet[Digest]:
    try:
        return logged(source.center, str(release))
    except LogError:  # of a log that is broken, or none, no record counts: each of them says so
        return frozenset()


def _read_run(
    source: Source,
    release: ReleaseName,
    run: str,
    keys: list[str],
    *,
    policy: Policy,
    index_of: IndexOf,
) -> _RunRead:
    comparisons: list[tuple[Signed, ComparisonStatement]] = []
    attempts: list[tuple[Signed, AttemptStatement]] = []
    out: list[CountedOut] = []
    seen: set[Digest] = set()
    for key in keys:
        if not key.endswith(SUFFIX) or key.rpartition("/")[2].startswith(_NO_POSITION):
            continue
        found = read_signed(source, key, policy=policy, index_of=index_of)
        if found.pae is not None:
            seen.add(found.pae)
        if isinstance(found, CountedOut):
            out.append(found)
            continue
        match found.statement:
            case ComparisonStatement() as statement if _of(statement, release, run):
                comparisons.append((found, statement))
            case AttemptStatement() as statement if _of(statement, release, run):
                attempts.append((found, statement))
            case _:
                out.append(_out(found, Why.MISPLACED))
    positions, left = _positions(comparisons, attempts)
    read = _RunRead(
        run=run,
        positions=tuple(positions),
        counted_out=(*out, *left),
        seen=frozenset(seen),
    )
    return read if read.readable else replace(read, positions=_doubted(read.positions))


def _doubted(positions: tuple[Position, ...]) -> tuple[Position, ...]:
    """Return the positions that count in any case."""
    return tuple(position for position in positions if position.verdict not in MATCHES)


def _of(statement: ComparisonStatement | AttemptStatement, release: ReleaseName, run: str) -> bool:
    named = statement.predicate
    return named.release == str(release) and encode(named.run) == run


def _positions(
    comparisons: list[tuple[Signed, ComparisonStatement]],
    attempts: list[tuple[Signed, AttemptStatement]],
) -> tuple[list[Position], list[CountedOut]]:
    last = max(
        (a for a in attempts if a[1].predicate.purpose in _RANKS),
        key=lambda a: (_RANKS[a[1].predicate.purpose], a[1].predicate.number),
        default=None,
    )
    if last is None:
        return [], [_out(signed, Why.INCOMPLETE, note="no attempt") for signed, _ in comparisons]
    missing = _missing(last[1].subject, [statement for _, statement in comparisons])
    if missing:
        every = [*(signed for signed, _ in comparisons), last[0]]
        return [], [_out(signed, Why.INCOMPLETE, note=missing) for signed in every]
    seals = {a.predicate.seal.sha256 for _, a in attempts if a.predicate.seal}
    seal = seals.pop() if len(seals) == 1 else None
    made = [_position(signed, statement, *last, seal=seal) for signed, statement in comparisons]
    return (
        [one for one in made if isinstance(one, Position)],
        [one for one in made if isinstance(one, CountedOut)],
    )


def _missing(subjects: tuple[Subject, ...], compared: list[ComparisonStatement]) -> str:
    """Return the name of an artefact that is only in the attempt, or only compared, if any."""
    named = {(s.name, s.digest) for s in subjects}
    judged = {(c.subject[0].name, c.subject[0].digest) for c in compared if c.predicate.shipped}
    return min((name for name, _ in named ^ judged), default="")


def _position(
    signed: Signed,
    statement: ComparisonStatement,
    ending: Signed,
    attempt: AttemptStatement,
    *,
    seal: Digest | None,
) -> Position | CountedOut:
    said, about = statement.predicate, statement.subject[0]
    if said.shipped is None:
        return _out(signed, Why.UNDECLARED, note=about.name)
    published = said.shipped.published.sha256
    if said.claim is None:
        return _out(signed, Why.NO_CLAIM)
    if published is None or said.claim != attempt.predicate.claim or len(statement.subject) != 1:
        return _out(signed, Why.INCOMPLETE, note="another claim or subject than its attempt")
    if about.digest != said.shipped.published:
        return _out(signed, Why.INCOMPLETE, note="about other bytes than it says were published")
    return Position(
        place=signed.place,
        key=signed.key.material,
        artefact=about.name,
        published=published,
        claim=said.claim,
        run=said.run,
        outcome=attempt.predicate.outcome,
        verdict=said.verdict,
        served=said.shipped.served.digest.sha256 if said.shipped.served else None,
        rebuilt=said.rebuilt.digest if said.rebuilt else None,
        grafted=published if _grafted(said) else None,
        normalizers=frozenset(n.name for n in said.normalizers),
        causes=frozenset(said.causes),
        comparison=signed.basis,
        attempt=ending.basis,
        time=said.compared_on,
        index=signed.index,
        seal=seal,
    )


def _grafted(said: Comparison) -> bool:
    """Say whether the shipped file came of our bytes with the vendor's signature on them."""
    return said.verdict is Verdict.IDENTICAL_SIGNED and said.signature is not None


def _out(signed: Signed, why: Why, *, note: str = "") -> CountedOut:
    return CountedOut(center=signed.place.center, why=why, what=signed.name, note=note)


def _withheld(source: Source, withheld: AbstractSet[Digest]) -> CountedOut:
    first = min(withheld, key=str)
    return CountedOut(
        center=source.center,
        why=Why.WITHHELD,
        note=f"{len(withheld)} that its log has, such as {first.hex[:16]}",
    )


def _nothing(source: Source, why: Why, *, note: str = "") -> Read:
    return Read(positions=(), counted_out=(CountedOut(center=source.center, why=why, note=note),))
