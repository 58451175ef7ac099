"""The order in which releases are verified: the bases of an update before it."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def waves(releases: Sequence[tuple[str, Collection[str]]]) -> list[list[int]]:
    """Return the positions of releases in groups, each of which needs those before it alone.

    Of each the name is given, and those of the releases that it is based on. One that is not among
    them is waited for by nobody.
    """
    waiting = dict(enumerate(releases))
    found: list[list[int]] = []
    while waiting:
        left = {name for name, _ in waiting.values()}
        ready = [number for number, (_, bases) in waiting.items() if not left.intersection(bases)]
        found.append(ready or list(waiting))  # else they are based on each other
        for number in found[-1]:
            del waiting[number]
    return found
