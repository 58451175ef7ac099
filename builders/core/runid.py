"""Ids of runs."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from functools import lru_cache
from typing import NewType

RunId = NewType("RunId", str)
_TIME = "%Y%m%dT%H%M%SZ"
_FORM = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


def new_run_id(now: datetime | None = None, *, token: str | None = None) -> RunId:
    """Return `<UTC time>-<8 hex digits>`; ids sort by time, to 1/4096 s.

    The first three digits are the part of the second that has passed, the other five are random:
    two runs of one second have an order too, and the newest run of a release is the last in order.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    passed = moment.microsecond * 4096 // 1_000_000
    return RunId(f"{moment:{_TIME}}-{token or f'{passed:03x}{secrets.randbits(20):05x}'}")


def run_started(run: str) -> datetime:
    """Return when a run began, which its id says: to the second, UTC."""
    return _moment(run[:16])


@lru_cache(1024)  # the runs of a night began in a few hours
def _moment(text: str) -> datetime:
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)


def is_run_id(text: str) -> bool:
    """Say whether a text is the id of a run."""
    return _FORM.fullmatch(text) is not None


def parse_run_id(text: str) -> RunId:
    """Read a run id; raises ValueError."""
    if not is_run_id(text):
        expected = "expected an id such as 20260102T030405Z-0a1b2c3d"
        raise ValueError(f"not a run id: got {text[:60]!r}, {expected}")
    return RunId(text)
