"""What is different between two policies, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.evidence.publickey import read_public_key
from pipelines.policy.plain import to_dict
from pipelines.policy.value import Policy

_NAMES = {"operators": "operator", "centers": "center", "reviewers": "reviewer"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """A part of a policy; None where it is not."""

    part: str
    before: str | None
    after: str | None

    def told(self) -> str:
        """Return it in words."""
        if self.before is None:
            return f"{self.part}: added, {self.after}"
        if self.after is None:
            return f"{self.part}: removed, was {self.before}"
        return f"{self.part}: {self.before} becomes {self.after}"

    def to_dict(self) -> dict[str, str | None]:
        """Return plain data for `--json` output."""
        return {"part": self.part, "before": self.before, "after": self.after}


def changes(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Return every part in which `new` is not `old`; the order of a policy's lists says nothing."""
    before, after = dict(_parts(to_dict(old))), dict(_parts(to_dict(new)))
    return tuple(
        Change(part=part, before=before.get(part), after=after.get(part))
        for part in {**before, **after}
        if before.get(part) != after.get(part)
    )


def _parts(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("version", "expires", "threshold"):
        yield name, str(data[name])
    for list_, word in _NAMES.items():
        for entry in data[list_]:
            yield from _entry(word, entry)
    for line in data["witnesses"].splitlines():
        word, name, *rest = line.split()
        yield (f"{word} {name}", " ".join(rest)) if rest else (word, name)
    for keyid in data["revoked"]:
        yield f"revoked key {keyid}", "revoked"
    for part in ("reviews", "consensus"):
        kinds = data[part]["kinds"]
        for kind, rules in [("every kind", _without(data[part], "kinds")), *sorted(kinds.items())]:
            numbers = rules if isinstance(rules, Mapping) else {"minimum": rules}
            for field, value in numbers.items():
                yield f"{part} of {kind}: {field}", _shown(value)


def _entry(word: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if word == "reviewer":  # one person may have several keys
        yield f"reviewer {entry['name']}: {_key(entry['key'])}", "counts"
        return
    name = f"{word} {entry['name' if word == 'operator' else 'id']}"
    for field, value in entry.items():
        if field == "key":
            yield f"{name}: key", _key(value)
        elif field == "keys":
            for key in value:
                yield f"{name}: {_key(key['key'])}", _range(key["from"], key["until"])
        elif field == "log":
            yield f"{name}: log", f"{value['origin']}, {value['key']}"
        elif field not in {"id", "name"}:
            yield f"{name}: {field}", _shown(value)


def _range(start: int, end: int | None) -> str:
    until = "without an end" if end is None else f"until log size {end}"
    return f"from log size {start} {until}"


def _key(text: str) -> str:
    return f"key {read_public_key(text.encode()).keyid}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _without(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {field: value for field, value in data.items() if field != name}
