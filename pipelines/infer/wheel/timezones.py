"""The vendor's time zone, from the local times that its build wrote into a wheel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# One zone for each set of rules, the likely ones first.
ZONES = (
    "UTC", "America/Los_Angeles", "America/New_York", "Europe/Berlin", "Europe/London",
    "America/Chicago", "America/Denver", "Asia/Shanghai", "Asia/Tokyo", "Asia/Kolkata",
    "Australia/Sydney", "America/Sao_Paulo", "Europe/Helsinki", "Europe/Moscow",
    "America/Phoenix", "Asia/Jerusalem", "America/Argentina/Buenos_Aires", "Australia/Brisbane",
    "Australia/Adelaide", "Australia/Perth", "Pacific/Auckland", "Asia/Dubai", "Asia/Karachi",
    "Asia/Dhaka", "Asia/Bangkok", "Asia/Tehran", "Asia/Kathmandu", "America/Halifax",
    "America/St_Johns", "America/Anchorage", "Pacific/Honolulu", "America/Bogota",
    "America/Caracas", "Africa/Lagos", "Africa/Johannesburg", "Africa/Nairobi",
    "Atlantic/Reykjavik", "Europe/Istanbul",
)  # fmt: skip
# Seconds: a zip keeps even ones only, and tools round up or down.
TOLERANCE = 2


def zones_for(pairs: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the zones that explain every pair of (time since 1970, local time read as UTC)."""
    known = list(pairs)
    for name in ZONES:
        try:
            zone = ZoneInfo(name)
        except ZoneInfoNotFoundError:
            continue
        if all(abs(local(at, zone) - seen) <= TOLERANCE for at, seen in known):
            yield name


def local(at: int, zone: ZoneInfo) -> int:
    """Return the local time of `at` in `zone`, written as seconds since 1970 as if it were UTC."""
    moment = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return int(moment.replace(tzinfo=UTC).timestamp())
