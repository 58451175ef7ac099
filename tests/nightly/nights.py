"""Releases, entries and nights made to measure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.nightly.night_plan import DueRelease, NightPlan, Release
from pipelines.nightly.record import ArtefactVerdict, DueReason, Mode, NightEntry, NightRecord


def release(name: str = "lab/one@1", **fields: Any) -> Release:
    given = {
        "recipe": f"releases/{name}.yaml",
        "release": name,
        "claim": Digest.of(b"claim"),
        "published": Digest.of(b"published"),
        "expected": None,
    }
    return Release(**{**given, **fields})


def entry(name: str = "lab/one@1", verdict: str = "IDENTICAL", **fields: Any) -> NightEntry:
    found = Verdict(verdict)
    given: dict[str, Any] = {
        "release": name,
        "claim": Digest.of(b"claim"),
        "published": Digest.of(b"published"),
        "mode": Mode.REBUILT,
        "why": DueReason.NEW,
        "verdict": found,
        "artefacts": (ArtefactVerdict(name="out.bin", verdict=found),),
        "rebuilt": 1,
        "settled": None if found is Verdict.NOT_CHECKED else found,
        "run": "20260102T030405Z-0a1b2c3d",
    }
    return NightEntry(**{**given, **fields})


def night(*entries: NightEntry, number: int = 1, **fields: Any) -> NightRecord:
    given: dict[str, Any] = {
        "center": "lab",
        "night": f"2026010{number}T010000Z-00000000",
        "number": number,
        "started": "2026-01-01T01:00:00+00:00",
        "finished": "2026-01-01T02:00:00+00:00",
        "releases": entries,
    }
    return NightRecord(**{**given, **fields})


def plan(name: str, *, releases: int, started: datetime) -> NightPlan:
    """Return the plan of a night of new releases, `lab/r0@1` and so on."""
    ones = [release(f"lab/r{number}@1") for number in range(releases)]
    dues = tuple(DueRelease(**dict(one), why=DueReason.NEW, number=1) for one in ones)
    return NightPlan(
        night=name,
        number=1,
        started=started,
        before=None,
        dues=dues,
        shards=(dues,),
        unusable=(),
    )
