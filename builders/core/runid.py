"""Ids of runs."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import NewType

RunId = NewType("RunId", str)
_TIME = "%Y%m%dT%H%M%SZ"
_FORM = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


def new_run_id(now: datetime | None = None, *, token: str | None = None) -> RunId:
    """Return `<UTC time>-<8 hex digits>`; ids sort by time."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return RunId(f"{moment:{_TIME}}-{token or secrets.token_hex(4)}")


def run_started(run: str) -> datetime:
    """Return when a run began, which its id says: to the second, UTC."""
    return datetime.strptime(run[:16], _TIME).replace(tzinfo=UTC)


def parse_run_id(text: str) -> RunId:
    """Read a run id; raises ValueError."""
    if not _FORM.fullmatch(text):
        expected = "expected an id such as 20260102T030405Z-0a1b2c3d"
        raise ValueError(f"not a run id: got {text[:60]!r}, {expected}")
    return RunId(text)
