"""What will stop counting soon: told while there is time to sign a new policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pipelines.evidence.statements.statement import show_time
from pipelines.policy.value import Policy, PolicyCenter

AHEAD = timedelta(days=30)


def warnings(
    policy: Policy, now: datetime, sizes: Mapping[str, int] | None = None
) -> tuple[str, ...]:
    """Return one sentence for each thing that ends soon, seen at `now` (UTC).

    The expiry is told 30 days ahead. A log size has no date, so the end of a center's last key is
    told from the day the policy says it; `sizes` gives the present log size by center id.
    """
    found = []
    if policy.expires is not None and policy.expires - now <= AHEAD:
        found.append(_expiry(policy.expires, now))
    return (*found, *endings(policy, sizes))


def endings(policy: Policy, sizes: Mapping[str, int] | None = None) -> tuple[str, ...]:
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
    if size is None:
        left = ""
    elif size >= end:
        return (
            f"center {center.id} has no key any more: its last one ended at log size {end}, and "
            f"its log has {size}"
        )
    else:
        left = f", {end - size} entries from now"
    return f"the last key of center {center.id} ends at log size {end}{left}: name the next one"
