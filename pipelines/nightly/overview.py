"""A night in short: how many of what, what is new, changed or worse, and who has to look."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipelines.nightly.alarms import is_worse
from pipelines.nightly.record import (
    DueReason,
    Mode,
    NightAlarm,
    NightEntry,
    NightRecord,
    RobustnessResult,
)

_LISTS = ("new", "changed", "worse", "better", "fragile", "not_run", "unusable")


@dataclass(frozen=True, kw_only=True)
class NightSummary:
    """What the night's table, its lines and its JSON say; names are releases."""

    center: str
    night: str
    number: int
    verdicts: tuple[tuple[str, int], ...]
    rebuilt: int
    fresh: int
    not_run: tuple[str, ...]
    new: tuple[str, ...]
    changed: tuple[str, ...]
    worse: tuple[str, ...]
    better: tuple[str, ...]
    fragile: tuple[str, ...]
    """Releases that came out otherwise in a moved environment."""
    moved: tuple[tuple[str, RobustnessResult], ...]
    """By release, what each second rebuild elsewhere showed."""
    unusable: tuple[str, ...]
    alarms: tuple[NightAlarm, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json` and for events."""
        return {
            "center": self.center,
            "night": self.night,
            "number": self.number,
            "verdicts": dict(self.verdicts),
            "rebuilt": self.rebuilt,
            "fresh": self.fresh,
            **{name: list(getattr(self, name)) for name in _LISTS},
            "robustness": [
                {"release": name, **moved.model_dump(mode="json")} for name, moved in self.moved
            ],
            "alarms": [alarm.model_dump(mode="json") for alarm in self.alarms],
        }

    def lines(self) -> list[str]:
        """Return it for people, the alarms first."""
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts) or "nothing"
        shown = [f"ALARM {a.kind}: {a.about}: {a.text}" for a in self.alarms]
        shown.append(f"night {self.night} of {self.center}: {counts}")
        shown.append(f"{self.rebuilt} rebuilt, {self.fresh} looked at again")
        shown += [
            f"{name.replace('_', ' ')}: {', '.join(found)}"
            for name in _LISTS
            if (found := getattr(self, name))
        ]
        shown += [f"elsewhere, {name}: {moved}" for name, moved in self.moved]
        return shown


def summarise(record: NightRecord, before: NightRecord | None) -> NightSummary:
    """Compare a night with the one before it."""
    known = {} if before is None else {entry.release: entry for entry in before.releases}
    entries = record.releases

    def names(holds: Any) -> tuple[str, ...]:
        return tuple(e.release for e in entries if holds(e, known.get(e.release)))

    modes = Counter(entry.mode for entry in entries)
    return NightSummary(
        center=record.center,
        night=record.night,
        number=record.number,
        verdicts=tuple(sorted(Counter(str(entry.verdict) for entry in entries).items())),
        rebuilt=modes[Mode.REBUILT],
        fresh=modes[Mode.FRESH],
        not_run=names(lambda e, _: e.mode is Mode.NOT_RUN),
        new=names(lambda e, _: e.why is DueReason.NEW),
        changed=names(lambda e, _: e.why in {DueReason.CHANGED, DueReason.SHIPPED_CHANGED}),
        worse=names(lambda e, b: is_worse(e.verdict, b.settled if b else e.expected)),
        better=names(_better),
        fragile=names(lambda e, _: e.moved is not None and e.moved.fragile),
        moved=tuple((e.release, e.moved) for e in entries if e.moved is not None),
        unusable=tuple(one.recipe for one in record.unusable),
        alarms=record.alarms,
    )


def _better(entry: NightEntry, before: NightEntry | None) -> bool:
    return before is not None and is_worse(before.verdict, entry.verdict)
