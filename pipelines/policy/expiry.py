"""Warnings of what will stop counting soon, while there is time to sign a new policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pipelines.evidence.statements.statement import show_time
from pipelines.policy.model import Policy, PolicyCenter

AHEAD = timedelta(days=30)


def expiry_warnings(
    policy: Policy, now: datetime, sizes: Mapping[str, int] | None = None
) -> tuple[str, ...]:
    """Return one sentence for each thing that ends soon, as of `now` (UTC).

    The expiry is warned of 30 days ahead. A log size has no date, so the end of a center's last key
    is warned of from the day the policy sets it; `sizes` gives the present log size by center id.
    """
    found = []
    if policy.expires - now <= AHEAD:
        found.append(_expiry(policy.expires, now))
    return (*found, *key_endings(policy, sizes))


def key_endings(policy: Policy, sizes: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """Return one sentence for each center whose last key has a known end."""
    return tuple(
        _end(center, (sizes or {}).get(center.id))
        for center in policy.centers
        if all(key.end is not None for key in center.keys)
    )


def _expiry(expires: datetime, now: datetime) -> str:
    days = (expires - now).days
    if now >= expires:
        return f"the policy expired on {show_time(expires)}"
    left = f"in {days} days" if days > 1 else "in a day" if days else "in less than a day"
    return f"the policy expires {left}, on {show_time(expires)}: sign a new version"


def _end(center: PolicyCenter, size: int | None) -> str:
    end = max(key.end or 0 for key in center.keys)
    if size is not None and size >= end:
        return (
            f"center {center.id} has no key any more: its last one ended at log size {end}, and "
            f"its log has {size}"
        )
    left = "" if size is None else f", {end - size} entries from now"
    return f"the last key of center {center.id} ends at log size {end}{left}: name the next one"
