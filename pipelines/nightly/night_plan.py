"""The plan of a night: every release of the recipes, what is due for each, and who does it when.

A release is truly rebuilt, or what is shipped now is looked at. That is a pure function of the
releases and the last night: whoever knows the rule can tell beforehand which night rebuilds which
release, and check afterwards that it did.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Verdict
from builders.core.errors import UsageError
from builders.core.frozen_model import FrozenModel
from builders.images import ImageCatalogue
from builders.images.provide import claimed_digest
from builders.recipe.claim import claim_of
from builders.recipe.recipe import load_recipe
from builders.recipe.scope import scope_of
from pipelines.nightly.record import (
    DueReason,
    Mode,
    NightEntry,
    NightRecord,
    UnusableRecipe,
    by_release,
    last_night,
)
from pipelines.verify.session import Session

_SPAN = 1 << 64
_UNKNOWN_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_WORTH = 60.0
"""Seconds of work beside which the few seconds of a flow run do not count."""


class Release(FrozenModel):
    """One release, by its recipe; `recipe` is relative to the folder of recipes."""

    recipe: str
    release: str
    claim: Digest
    scope: Digest | None = None
    published: Digest
    """One digest over the names and published digests of all artefacts."""
    expected: Verdict | None = None
    bases: tuple[str, ...] = ()
    """The releases that an update is based on."""


class DueRelease(Release):
    """One release of one night, as its flow run gets it."""

    why: DueReason
    number: int
    """The number of the night."""
    before: NightEntry | None = None
    """What the last night found, without its artefacts."""
    robustness: bool = False
    """Whether it is rebuilt once more in a varied environment."""

    @property
    def rebuild(self) -> bool:
        """Whether it is truly rebuilt."""
        return self.why is not DueReason.UNCHANGED

    def entry(self, mode: Mode, verdict: Verdict, **found: Any) -> NightEntry:
        """Return the entry of the release in the record of the night, with what was found."""
        given = self.only("release", "claim", "scope", "published", "expected", "why")
        return NightEntry(**{**given, **found}, mode=mode, verdict=verdict)


@dataclass(frozen=True, kw_only=True)
class NightPlan:
    """What a night does, and where it starts from."""

    night: str
    number: int
    started: datetime
    before: NightRecord | None
    dues: tuple[DueRelease, ...]
    shards: tuple[tuple[DueRelease, ...], ...]
    unusable: tuple[UnusableRecipe, ...]


def plan_night(session: Session, night: str, *, now: datetime) -> NightPlan:
    """Read recipes and the last night, and divide what is due; raises `StoreError`."""
    center = session.center
    session.check_store()
    before = last_night(session.store, center.id, before=night)
    found = list(releases(center.recipes, session.images))
    dues = tuple(
        due(
            [one for one in found if isinstance(one, Release)],
            before,
            rebuild_every=center.night.rebuild_every,
            robustness_share=center.night.robustness_share,
        )
    )
    return NightPlan(
        night=night,
        number=_number(before),
        started=now.astimezone(UTC),
        before=before,
        dues=dues,
        shards=tuple(shards(dues, size=center.night.shard, places=center.concurrency)),
        unusable=tuple(one for one in found if isinstance(one, UnusableRecipe)),
    )


def releases(folder: Path, images: ImageCatalogue) -> Iterator[Release | UnusableRecipe]:
    """Yield every release below `<folder>/releases`, in order of its file's name.

    A recipe that cannot be used is yielded as such and stops nobody; so is the second of two
    recipes for one release.
    """
    seen: dict[str, str] = {}
    for path in sorted((folder / "releases").rglob("*.yaml")):
        name = path.relative_to(folder).as_posix()
        try:
            one = _release(path, name, images)
        except UsageError as error:
            yield UnusableRecipe(recipe=name, error=str(error))
            continue
        if one.release in seen:
            yield UnusableRecipe(recipe=name, error=f"{one.release} is also in {seen[one.release]}")
            continue
        seen[one.release] = name
        yield one


def due(
    ones: Iterable[Release],
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
    number, known = _number(before), by_release(before)
    for one in ones:
        last = known.get(one.release)
        why = _why(one, last, number, rebuild_every)
        moved = _hash(one.release, "robustness", number) / _SPAN < robustness_share
        yield DueRelease(
            **dict(one),
            why=why,
            number=number,
            # The artefacts may be long: the parameters of a flow run have a limit.
            before=last.model_copy(update={"artefacts": ()}) if last else None,
            robustness=moved and why is not DueReason.UNCHANGED,
        )


def shards(
    dues: Sequence[DueRelease], *, size: int, places: int = 1
) -> list[tuple[DueRelease, ...]]:
    """Divide releases into shards of at most `size`, each of about the same length in time.

    Updates stay in one shard with the releases that they are based on, however many those are.
    Each shard is one flow run, whose few seconds its releases share. There are as many as there are
    `places` to run them at once, as long as each has a minute of work: fewer would leave cores
    without a build, shorter ones would cost more than they do. The longest work is dealt out first,
    by what the last rebuild took, and comes first in its shard; the longest shard comes first, so
    that no worker is left with it at the end.
    """
    spread = min(places, len(dues), int(sum(map(_seconds, dues)) / _WORTH))
    count = max(math.ceil(len(dues) / size), spread)
    parts: list[list[DueRelease]] = [[] for _ in range(count)]
    lightest = [(0.0, index) for index in range(count)]
    for chain in sorted(_chains(dues), key=lambda c: (-sum(map(_seconds, c)), c[0].release)):
        weight, index = heapq.heappop(lightest)
        parts[index] += chain
        if len(parts[index]) < size:
            heapq.heappush(lightest, (weight + sum(map(_seconds, chain)), index))
    return sorted((tuple(part) for part in parts), key=lambda part: -sum(map(_seconds, part)))


def _chains(dues: Sequence[DueRelease]) -> list[list[DueRelease]]:
    """Return releases in groups: those that are based on each other in one."""
    found = {one.release: [one] for one in dues}
    for one in dues:
        for base in one.bases:
            other, mine = found.get(base, []), found[one.release]
            if other is not mine:
                mine += other
                found |= {each.release: mine for each in other}
    return list({id(chain): chain for chain in found.values()}.values())


def _release(path: Path, name: str, images: ImageCatalogue) -> Release:
    loaded = load_recipe(path)
    recipe = loaded.recipe
    published = sorted([a.name, str(a.published.sha256)] for a in recipe.artefacts)
    return Release(
        recipe=name,
        release=recipe.release,
        claim=claim_of(loaded, claimed_digest(recipe.build.image, images)).digest,
        scope=scope_of(recipe).digest,
        published=Digest.of(canonical_json(published)),
        expected=recipe.expect.verdict if recipe.expect else None,
        bases=tuple(recipe.bases.values()),
    )


def _number(before: NightRecord | None) -> int:
    return 1 if before is None else before.number + 1


def _why(one: Release, last: NightEntry | None, number: int, rebuild_every: int) -> DueReason:
    if last is None:
        return DueReason.NEW
    if last.claim != one.claim or last.published != one.published:
        return DueReason.CHANGED
    if last.scope not in {None, one.scope}:  # None was written before there were scopes
        return DueReason.CHANGED
    unsettled = last.verdict in {Verdict.NOT_CHECKED, Verdict.SHIPPED_MISMATCH}
    if unsettled or last.mode is Mode.NOT_RUN:
        return DueReason.UNSETTLED
    turn = (_hash(one.release, "rotation") + number) % rebuild_every == 0
    if turn or number - last.rebuilt >= rebuild_every:
        return DueReason.ROTATION
    return DueReason.UNCHANGED


def _hash(*words: object) -> int:
    """Return the number below `_SPAN` that those words always give."""
    return int(Digest.of("\n".join(map(str, words)).encode()).hex[:16], 16)


def _seconds(one: DueRelease) -> float:
    if not one.rebuild:
        return _LOOK_SECONDS
    return (one.before.seconds if one.before else 0.0) or _UNKNOWN_SECONDS
