"""Which rule of one set is which of the other: by identity, else by logic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from pipelines.rules.rule import Rule

Pair = tuple[Rule | None, Rule | None]


def rule_pairs(old: Iterable[Rule], new: Iterable[Rule]) -> Iterator[Pair]:
    """Pair the rules of two sets; what one has alone is paired with None."""
    left, right = grouped(old, identity_of), grouped(new, identity_of)
    removed: list[Rule] = []
    added: list[Rule] = []
    for key in dict.fromkeys((*left, *right)):
        ours, theirs = left.get(key, []), right.get(key, [])
        if len(ours) > 1 or len(theirs) > 1:  # nearest first
            for near in (_by_text, _by_logic, _by_file):
                both, ours, theirs = _matched(ours, theirs, near)
                yield from both
        count = min(len(ours), len(theirs))
        yield from zip(ours[:count], theirs[:count], strict=True)
        removed += ours[count:]
        added += theirs[count:]
    both, removed, added = _matched(removed, added, _by_language_and_logic)
    yield from both
    yield from ((rule, None) for rule in removed)
    yield from ((None, rule) for rule in added)


def grouped(rules: Iterable[Rule], key: Any) -> dict[Hashable, list[Rule]]:
    """Return rules by a key, in their order."""
    groups: dict[Hashable, list[Rule]] = defaultdict(list)
    for rule in rules:
        groups[key(rule)].append(rule)
    return groups


def _matched(
    old: list[Rule], new: list[Rule], key: Any
) -> tuple[list[tuple[Rule, Rule]], list[Rule], list[Rule]]:
    """Pair rules of the same key in their order; return what is left of both, too."""
    waiting = grouped(reversed(new), key)
    pairs, left = [], []
    for rule in old:
        if found := waiting.get(key(rule)):
            pairs.append((rule, found.pop()))
        else:
            left.append(rule)
    return pairs, left, [rule for group in waiting.values() for rule in reversed(group)]


def identity_of(rule: Rule) -> tuple[str, str]:
    """Return language and identity."""
    return rule.language, rule.identity


def _by_text(rule: Rule) -> Hashable:
    return rule.text


def _by_logic(rule: Rule) -> Hashable:
    return rule.logic


def _by_file(rule: Rule) -> Hashable:
    return rule.file


def _by_language_and_logic(rule: Rule) -> Hashable:
    return rule.language, rule.logic, rule.enabled
