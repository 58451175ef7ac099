"""Pairs of wheels, each written as changes to a plain one, and what is read from a pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.infer.journal import WheelDifferences
from pipelines.infer.wheel.clues import Clues
from pipelines.infer.wheel.comparison import compare_wheels
from tests.fakes.jail import OpenJail
from tests.infer.workbench import Entries, Entry, clues, source_files, wheel, wheel_files

DIST = "tool-1.0.dist-info"
NAME = "tool-1.0-py3-none-any.whl"
Changes = dict[str, Entry | None]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both wheels, as changes to the plain one; None takes a member away."""

    shipped: Changes = field(default_factory=dict)
    rebuilt: Changes = field(default_factory=dict)
    source: dict[str, Entry] = field(default_factory=dict)
    level: int | None = None
    reverse_record: bool = False
    record: str | None = None
    """The RECORD of the rebuilt one, word by word."""

    def compared(self, folder: Path) -> tuple[Clues, WheelDifferences]:
        """Write both below `folder`, and compare them."""
        found = self.clues(folder)
        other = wheel(
            folder / "rebuilt.whl",
            changed(self.rebuilt),
            level=self.level,
            reverse_record=self.reverse_record,
            record=self.record,
        )
        return found, compare_wheels(folder / NAME, other, NAME, OpenJail())

    def clues(self, folder: Path) -> Clues:
        """Return what is known before anything is rebuilt."""
        source = {**source_files(), **self.source}
        return clues(folder, shipped=changed(self.shipped), source=source)


def changed(changes: Changes) -> Entries:
    """Return the members of the plain wheel with changes."""
    files: Changes = {**wheel_files(), **changes}
    return {name: entry for name, entry in files.items() if entry is not None}
