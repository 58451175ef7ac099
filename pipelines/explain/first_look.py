"""First looks: what the artefacts of one run show at once, read in the parser jail.

All looks of a run share one deadline, so that no number of files can hold it. A look that does not
come to its end raises, and decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

from builders.archives import ArchiveError, MonotonicClock
from builders.jail.errors import JailEnd, JailFailedError
from builders.jail.file_reader import Jail, Nothing
from pipelines.judge.difference import Cause, QuickDiff
from pipelines.rules.rule_files import may_hold_rules

if TYPE_CHECKING:
    from pipelines.explain.quickdiff import Look
    from pipelines.judge.copied import CheckedInput, Contents
    from pipelines.judge.finding import Carried

DEADLINE = 60.0
"""Seconds for all looks of a run."""
DIFFERENCE = 30.0
"""Seconds for the difference of one artefact."""
_GRACE = 1.0
_CARRIED = 30.0
"""Seconds for listing the files of one artefact."""


def look_at(
    jail: Jail, shipped: BinaryIO, rebuilt: BinaryIO, *, seconds: float = DIFFERENCE
) -> Look:
    """Compare two files within `seconds`; raises as `Jail.run` does.

    If their formats cannot be read to the end, they are compared once more without that, for a
    third of the time.
    """
    from pipelines.explain.quickdiff import LOOK, LookTime  # noqa: PLC0415  # readers of formats

    given = LookTime(seconds=seconds)
    try:
        return jail.run(LOOK, [shipped, rebuilt], given, seconds=seconds + _GRACE)
    except JailFailedError:
        given = LookTime(seconds=seconds / 3, fields=False)
        return jail.run(LOOK, [shipped, rebuilt], given, seconds=given.seconds + _GRACE)


def may_differ_in_rules(name: str, look: Look) -> bool:
    """Say whether what differs is worth comparing as rules; of no archives, by their name."""
    return look.rules if look.diff.members is not None else may_hold_rules(name)


class FirstLooks:
    """The looks of one run, until their time is used up.

    Each raises as `Jail.run` does; a look that is not begun in time is one that timed out.
    """

    def __init__(
        self, jail: Jail, seconds: float = DEADLINE, clock: MonotonicClock = time.monotonic
    ) -> None:
        """Begin now; no look is begun after `seconds`, nor goes on beyond them."""
        self._jail = jail
        self._clock = clock
        self._seconds = seconds
        self._deadline = clock() + seconds

    def difference(self, shipped: BinaryIO, rebuilt: BinaryIO) -> Look:
        """Compare two files that differ."""
        return look_at(self._jail, shipped, rebuilt, seconds=self._share(DIFFERENCE))

    def rules(
        self, name: str, shipped: BinaryIO, rebuilt: BinaryIO, look: Look
    ) -> tuple[QuickDiff, tuple[Cause, ...], str | None]:
        """Add the detection rules that differ to what was seen; return the causes they are.

        Where they could not be compared, what was seen stands, and a note says why.
        """
        from pipelines.explain.rule_differences import with_rule_changes  # noqa: PLC0415  # as above

        seen = look.diff
        if not may_differ_in_rules(name, look):
            return seen, (), None
        try:
            seconds = self._share(DIFFERENCE)
            told, causes = with_rule_changes(
                self._jail, name, shipped, rebuilt, seen, seconds=seconds
            )
        except JailFailedError as error:
            return seen, (), f"its rules were not compared: {error}"
        return told, causes, None

    def carried(
        self, rebuilt: BinaryIO, scanned: Iterable[tuple[CheckedInput, Contents]]
    ) -> tuple[Carried, ...]:
        """Return the files carried over from inputs; none of what is no sound archive."""
        from pipelines.judge.copied import FILES, carried  # noqa: PLC0415  # readers of inputs

        try:
            files = self._jail.run(FILES, [rebuilt], Nothing(), seconds=self._share(_CARRIED))
        except ArchiveError:
            return ()
        return carried(files, scanned)

    def _share(self, most: float) -> float:
        left = self._deadline - self._clock() - _GRACE
        if left <= 0:
            raise JailFailedError(
                JailEnd.TIMED_OUT,
                "the time for the first looks of a run is used up",
                got=f"more than {self._seconds:g} s",
            )
        return min(most, left)
