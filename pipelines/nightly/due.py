"""What a night does for each release: a true rebuild, or a look at what is shipped now.

A pure function of the releases and the last night. Whoever knows the rule can tell beforehand which
night rebuilds which release, and check afterwards that it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.frozen_model import FrozenModel
from pipelines.nightly.record import DueReason, Mode, NightEntry, NightRecord
from pipelines.nightly.releases import Release

_SPAN = 1 << 64


class DueRelease(FrozenModel):
    """One release of one night, as its flow run gets it."""

    recipe: str
    release: str
    claim: Digest
    published: Digest
    expected: Verdict | None = None
    why: DueReason
    number: int
    """The number of the night."""
    before: NightEntry | None = None
    """What the last night found, without its artefacts."""
    robustness: bool = False
    """Whether it is rebuilt once more in a moved environment."""

    @property
    def rebuild(self) -> bool:
        """Whether it is truly rebuilt."""
        return self.why is not DueReason.UNCHANGED


def due(
    releases: Iterable[Release],
    before: NightRecord | None,
    *,
    rebuild_every: int,
    robustness_share: float = 0.0,
) -> Iterator[DueRelease]:
    """Yield what the night after `before` does for each release.

    Unchanged releases are rebuilt in the nights whose number, moved by a hash of the release, is a
    multiple of `rebuild_every`, so that every night has its share; and in any case when the last
    rebuild is that many nights ago.
    """
    number = 1 if before is None else before.number + 1
    known = {} if before is None else {entry.release: entry for entry in before.releases}
    for one in releases:
        why = _why(one, known.get(one.release), number, rebuild_every)
        moved = _fraction(one.release, "robustness", number) < robustness_share
        yield DueRelease(
            recipe=one.recipe,
            release=one.release,
            claim=one.claim,
            published=one.published,
            expected=one.expected,
            why=why,
            number=number,
            before=_short(known.get(one.release)),
            robustness=moved and why is not DueReason.UNCHANGED,
        )


def _short(entry: NightEntry | None) -> NightEntry | None:
    """Leave out what may be long: the parameters of a flow run have a limit."""
    return None if entry is None else entry.model_copy(update={"artefacts": ()})


def _why(one: Release, entry: NightEntry | None, number: int, rebuild_every: int) -> DueReason:
    if entry is None:
        return DueReason.NEW
    if entry.claim != one.claim or entry.published != one.published:
        return DueReason.CHANGED
    unsettled = entry.verdict in {Verdict.NOT_CHECKED, Verdict.SHIPPED_MISMATCH}
    if unsettled or entry.mode is Mode.NOT_RUN:
        return DueReason.UNSETTLED
    turn = (int(_hash(one.release, "rotation"), 16) + number) % rebuild_every == 0
    if turn or number - entry.rebuilt >= rebuild_every:
        return DueReason.ROTATION
    return DueReason.UNCHANGED


def _hash(*words: object) -> str:
    return Digest.of("\n".join(map(str, words)).encode()).hex[:16]


def _fraction(*words: object) -> float:
    """Return a number in [0, 1) that those words always give."""
    return int(_hash(*words), 16) / _SPAN
