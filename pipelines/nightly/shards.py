"""Dividing a night among flow runs: each costs some seconds, which its releases share."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from pipelines.nightly.due import DueRelease

_UNKNOWN_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_WORTH = 60.0
"""Seconds of work beside which the few seconds of a flow run do not count."""


def shards(
    dues: Sequence[DueRelease], *, size: int, places: int = 1
) -> list[tuple[DueRelease, ...]]:
    """Divide releases into shards of at most `size`, each of about the same length in time.

    There are as many as there are `places` to run them at once, as long as each has a minute of
    work: fewer would leave cores without a build, shorter ones would cost more than they do. The
    longest work is dealt out first, by what the last rebuild took, and comes first in its
    shard; the longest shard comes first, so that no worker is left with it at the end.
    """
    spread = min(places, len(dues), int(sum(map(_seconds, dues)) / _WORTH))
    count = max(math.ceil(len(dues) / size), spread)
    parts: list[list[DueRelease]] = [[] for _ in range(count)]
    lightest = [(0.0, index) for index in range(count)]
    for one in sorted(dues, key=lambda d: (-_seconds(d), d.release)):
        weight, index = heapq.heappop(lightest)
        parts[index].append(one)
        if len(parts[index]) < size:
            heapq.heappush(lightest, (weight + _seconds(one), index))
    return sorted((tuple(part) for part in parts), key=lambda part: -sum(map(_seconds, part)))


def _seconds(one: DueRelease) -> float:
    if not one.rebuild:
        return _LOOK_SECONDS
    return (one.before.seconds if one.before else 0.0) or _UNKNOWN_SECONDS
