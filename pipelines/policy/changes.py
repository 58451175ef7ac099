"""What people are told of policies: what differs between two, and what of one ends soon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from pipelines.evidence.statements.statement import show_time
from pipelines.policy.model import CenterKey, Policy, PolicyCenter

_SCALARS = ("version", "expires", "threshold", "min_evidence", "max_open")
AHEAD = timedelta(days=30)
"""Of its expiry a policy is warned of in this time."""


@dataclass(frozen=True, kw_only=True)
class PolicyChange:
    """A part of a policy; None where it is not."""

    part: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Return one line for people."""
        if self.before is None:
            return f"{self.part}: added, {self.after}"
        if self.after is None:
            return f"{self.part}: removed, was {self.before}"
        return f"{self.part}: {self.before} becomes {self.after}"

    def to_dict(self) -> dict[str, str | None]:
        """Return plain data for `--json` output."""
        return asdict(self)


def changes(old: Policy, new: Policy) -> tuple[PolicyChange, ...]:
    """Return every part in which `new` is not `old`; the order of lists is ignored."""
    before, after = dict(_parts(old)), dict(_parts(new))
    return tuple(
        PolicyChange(part=part, before=before.get(part), after=after.get(part))
        for part in {**before, **after}
        if before.get(part) != after.get(part)
    )


def _parts(policy: Policy) -> Iterator[tuple[str, str]]:
    plain = policy.to_dict()
    yield from ((f"resolution of {one.log}", str(one)) for one in policy.resolutions)
    for name in filter(plain.__contains__, _SCALARS):
        yield name, str(plain[name])
    for operator in policy.operators:
        yield f"operator {operator.name}: legal", operator.legal
        yield f"operator {operator.name}: key", f"key {operator.key.keyid}"
    for center in policy.centers:
        yield from _center_parts(center)
    for reviewer in policy.reviewers:  # one person may have several keys
        yield f"reviewer {reviewer.name}: key {reviewer.key.keyid}", "counts"
    for line in plain["witnesses"].splitlines():
        word, name, *rest = line.split()
        yield (f"{word} {name}", " ".join(rest)) if rest else (word, name)
    for keyid in plain["revoked"]:
        yield f"revoked key {keyid}", "revoked"
    for part in ("reviews", "consensus"):
        kinds = plain[part].pop("kinds")
        for kind, rules in [("every kind", plain[part]), *kinds.items()]:
            numbers = rules if isinstance(rules, Mapping) else {"minimum": rules}
            for field, value in numbers.items():
                yield f"{part} of {kind}: {field}", _shown(value)


def _center_parts(center: PolicyCenter) -> Iterator[tuple[str, str]]:
    name = f"center {center.id}"
    for field in ("operator", "region", "builder", "verifier"):
        yield f"{name}: {field}", _shown(getattr(center, field))
    yield f"{name}: log", f"{center.log.origin}, {center.log.key}"
    yield f"{name}: witness", _shown(center.witness)
    for key in center.keys:
        yield f"{name}: key {key.key.keyid}", _range(key)


def _range(key: CenterKey) -> str:
    until = "without an end" if key.end is None else f"until log size {key.end}"
    return f"from log size {key.start} {until}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def expiry_warnings(
    policy: Policy, now: datetime, sizes: Mapping[str, int] | None = None
) -> tuple[str, ...]:
    """Return one sentence for each thing that ends soon, as of `now` (UTC).

    The expiry is warned of 30 days ahead. A log size has no date, so the end of a center's last key
    is warned of from the day the policy sets it; `sizes` gives the present log size by center id.
    """
    found, days = [], (policy.expires - now).days
    if now >= policy.expires:
        found.append(f"the policy expired on {show_time(policy.expires)}")
    elif policy.expires - now <= AHEAD:
        left = f"in {days} days" if days > 1 else "in a day" if days else "in less than a day"
        ends = show_time(policy.expires)
        found.append(f"the policy expires {left}, on {ends}: sign a new version")
    return (*found, *key_endings(policy, sizes))


def key_endings(policy: Policy, sizes: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """Return one sentence for each center whose last key has a known end.

    A center without a witness, whose operator has another center, was given up: nothing is to do.
    """
    return tuple(
        _end(center, (sizes or {}).get(center.id))
        for center in policy.centers
        if _ends(center) and not (center.witness is None and _goes_on(policy, center.operator))
    )


def _ends(center: PolicyCenter) -> bool:
    return all(key.end is not None for key in center.keys)


def _goes_on(policy: Policy, operator: str) -> bool:
    return any(one.operator == operator and not _ends(one) for one in policy.centers)


def _end(center: PolicyCenter, size: int | None) -> str:
    end = max(key.end or 0 for key in center.keys)
    if size is not None and size >= end:
        return (
            f"center {center.id} has no key any more: its last one ended at log size {end}, and "
            f"its log has {size}"
        )
    left = "" if size is None else f", {end - size} entries from now"
    return f"the last key of center {center.id} ends at log size {end}{left}: name the next one"
