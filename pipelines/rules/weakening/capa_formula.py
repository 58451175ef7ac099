"""Trees of features of capa as formulas, and how their variables relate."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any, TypeAlias

from pipelines.rules.weakening.boolean_condition import OPAQUE, BooleanCondition
from pipelines.rules.weakening.formula import (
    TRUE,
    AtLeast,
    Atom,
    Formula,
    Not,
    implies,
    misses,
)
from pipelines.rules.weakening.pattern_relation import MatchRelation, of_regexes

Node: TypeAlias = "str | list[Any]"
"""A feature, or a list that begins with what is said of its other items."""

_SCANNED = ("bytes=", "os=", "regex=", "substring=")
"""Features that are looked for in others; counted, they are looked up as they stand."""
_UNRELATED = ("com/", "match=", "os=any", "regex=")
"""Features of which it is not known how they relate to others."""
_LIFTED = frozenset({"basic block", "call", "instruction", "span of calls", "thread"})
"""Scopes whose features are those of the scope around them, too."""
_MOST_RELATED = 40
"""Features of a kind that are compared with each other."""
_MOST_SCOPES = 5
"""Scopes of a side that are compared with each other."""
_DECIDED = frozenset({MatchRelation.EQUAL, MatchRelation.NARROWER, MatchRelation.WIDER})


class TreePair:
    """Two trees as formulas with the same variables, and what is known of those."""

    def __init__(self, old: Node, new: Node) -> None:
        names = [_named(node) for node in (old, new)]
        self._gone, self._come = (
            {name: node for name, node in a.items() if name not in b}
            for a, b in (names, names[::-1])
        )
        differ = {**self._gone, **self._come}
        self._facts = list(_implied({**names[0], **names[1]}, differ))
        self.unknown = {name for name, node in differ.items() if _is_unrelated(node)}
        """Variables that one side has alone, and of which nothing is known."""
        self.scopes: list[tuple[Node, Node]] = []
        """What is inside of scopes that one side has alone, of the same kind."""
        self._relate_regexes()
        self._relate_scopes()
        self.old, self.new = (_Reader(self.unknown).condition(node) for node in (old, new))
        self._lift(differ)
        self.old.facts = self._facts

    def relation(self) -> MatchRelation:
        """Return how the new tree relates to the old one; raises `UndecidedError`."""
        lost = misses(self.old.formula, self.new.formula, self._facts)
        gained = misses(self.new.formula, self.old.formula, self._facts)
        if lost and gained:
            return MatchRelation.UNKNOWN if self.unknown else MatchRelation.OTHER
        if lost:
            return MatchRelation.NARROWER
        return MatchRelation.WIDER if gained else MatchRelation.EQUAL

    def _relate_regexes(self) -> None:
        for one, two in product(_kind("regex=", self._gone), _kind("regex=", self._come)):
            (first, i), (second, j) = (_expression(name) for name in (one, two))
            self._relate(one, two, of_regexes(first, second, flags=(f"s{i}", f"s{j}")))

    def _relate_scopes(self) -> None:
        sides = ([(name, node) for name, node in names.items() if isinstance(node, list)]
                 for names in (self._gone, self._come))  # fmt: skip
        for (one, old), (two, new) in product(*(side[:_MOST_SCOPES] for side in sides)):
            if old[0] == new[0]:
                self.scopes.append((old[1], new[1]))
                self._relate(one, two, TreePair(old[1], new[1]).relation())

    def _relate(self, old: str, new: str, relation: MatchRelation) -> None:
        """Note how what a variable stands for relates to what another one does."""
        if relation in (MatchRelation.NARROWER, MatchRelation.EQUAL):
            self._facts.append(implies(Atom(new), Atom(old)))
        if relation in (MatchRelation.WIDER, MatchRelation.EQUAL):
            self._facts.append(implies(Atom(old), Atom(new)))
        if relation in _DECIDED:
            self.unknown -= {old, new}

    def _lift(self, differ: Mapping[str, Node]) -> None:
        """Note that features inside of a scope are in the scope around it."""
        for name, node in differ.items():
            if isinstance(node, list) and node[0] in _LIFTED and name not in self.unknown:
                inner = _Reader(self.unknown).condition(node[1]).formula
                self._facts.append(implies(Atom(name), _at_least(inner)))


class _Reader:
    """Makes a condition of a tree."""

    def __init__(self, unknown: Collection[str]) -> None:
        self._unknown = unknown
        self._result = BooleanCondition()

    def condition(self, root: Node) -> BooleanCondition:
        """Return the formula of a tree, what is counted in it, and what is excluded."""
        self._result.formula = self._formula(root)
        return self._result

    def _formula(self, node: Node) -> Formula:
        match node:
            case ["count", _, low, high]:
                return self._atom(_name(node), low, math.inf if high is None else high)
            case ["not", part]:
                self._result.excluded.add(json.dumps(part))
                return Not(self._formula(part))
            case ["and" | "or" | int() as kind, *parts]:
                count = len(parts) if kind == "and" else 1 if kind == "or" else int(kind)
                if isinstance(kind, int):
                    self._result.counts.append((json.dumps(parts), count))
                return AtLeast(count, tuple(map(self._formula, parts)))
        return self._atom(_name(node))

    def _atom(self, name: str, low: float = 1, high: float = math.inf) -> Formula:
        return Atom(f"{OPAQUE}{name}" if name in self._unknown else name, low, high)


def _name(node: Node) -> str:
    """Return the variable of a feature, a count of one, or a scope."""
    if isinstance(node, str):
        return node
    if node[0] == "count":
        return f"exact {node[1]}" if node[1].startswith(_SCANNED) else str(node[1])
    return json.dumps(node)


def _named(node: Node) -> dict[str, Node]:
    """Return the variables of a tree, and what each stands for."""
    match node:
        case ["count", feature, *_]:
            return {_name(node): feature}
        case ["not" | "and" | "or" | int(), *parts]:
            return {name: one for part in parts for name, one in _named(part).items()}
    return {_name(node): node}


def _is_unrelated(node: Node) -> bool:
    if isinstance(node, str):
        return node.startswith(_UNRELATED)
    return any(_is_unrelated(part) for part in node if isinstance(part, str | list))


def _kind(prefix: str, names: Collection[str]) -> list[str]:
    return [name for name in names if name.startswith(prefix)][:_MOST_RELATED]


def _expression(name: str) -> tuple[str, str]:
    """Return a regular expression, and its flag."""
    text = name.removeprefix("regex=/")
    return (text[:-2], "i") if text.endswith("/i") else (text[:-1], "")


def _implied(names: Collection[str], differ: Collection[str]) -> Iterator[Formula]:
    """Yield which features are there where others are, of those that differ."""
    begins, inside = (str.startswith, str.__contains__)
    for kinds, holds in ((("bytes=",), begins), (("substring=", "string="), inside)):
        others = [name for kind in kinds for name in _kind(kind, names)]
        for wide, other in product(_kind(kinds[0], names), others):
            values = (one.partition("=")[2] for one in (other, wide))
            if other != wide and not {other, wide}.isdisjoint(differ) and holds(*values):
                yield implies(Atom(other), Atom(wide))


def _at_least(formula: Formula) -> Formula:
    """Return what is true wherever a formula is, and stays true if more is found."""
    match formula:
        case Atom(variable, low):
            return Atom(variable, low) if low > 0 else TRUE
        case Not():
            return TRUE
        case AtLeast(count, parts):
            return AtLeast(count, tuple(map(_at_least, parts)))
