"""The chain of each release: its leaves are numbered, and each statement names the leaf before it.

A leaf that is left out is therefore visible. Memory grows with the releases, not with the leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.log.leaf import FIRST, LeafFields

Link = tuple[int, str]
"""What the next leaf of a release has to say: its sequence number and, in hex, its previous."""
START: Link = (0, FIRST.hex)


@dataclass(frozen=True, kw_only=True)
class ChainBreak:
    """A leaf that does not follow the one before it of its release."""

    index: int
    release: str
    what: str
    """`sequence` or `previous`."""
    got: str
    expected: str

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"leaf {self.index} of {self.release}: {self.what} is {self.got}, "
            f"expected {self.expected}"
        )


class ReleaseChains:
    """The chains of all releases of a log, followed leaf by leaf."""

    def __init__(self, known: Callable[[str], Link | None] | None = None) -> None:
        """Start at the first leaf of a log, or where `known` gives the next link of a release."""
        self._known = known
        self._links: dict[str, Link] = {}

    def next(self, release: str) -> Link:
        """Return what the next leaf of a release has to say."""
        link = self._links.get(release)
        if link is None:
            link = (self._known(release) if self._known else None) or START
        return link

    def follow(self, index: int, leaf_hash: bytes, fields: LeafFields) -> ChainBreak | None:
        """Take in a leaf; returns what is wrong with its place, or None."""
        sequence, previous = self.next(fields.release)
        self._links[fields.release] = (fields.sequence + 1, leaf_hash.hex())
        if fields.sequence != sequence:
            return _gap(index, fields, "sequence", got=fields.sequence, expected=sequence)
        if fields.previous is not None and fields.previous != previous:
            return _gap(index, fields, "previous", got=fields.previous, expected=previous)
        return None


def _gap(index: int, fields: LeafFields, what: str, *, got: object, expected: object) -> ChainBreak:
    return ChainBreak(
        index=index, release=fields.release, what=what, got=str(got), expected=str(expected)
    )
