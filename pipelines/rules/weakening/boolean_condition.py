"""A condition over patterns as a formula: YARA's, with those of other languages as parts of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipelines.rules.weakening.formula import (
    FALSE,
    TRUE,
    AtLeast,
    Atom,
    Formula,
    Not,
    UndecidedError,
    both,
    either,
)

_TOKEN = re.compile(
    r'"(?:\\.|[^"\\])*"|(?<=matches )\s*/(?:\\.|[^/\\\n])+/[a-z]*|0x[0-9a-fA-F]+|0o[0-7]+'
    r"|\d+\.\d+|\d+(?:KB|MB)?|[$#@!]?[A-Za-z_][\w.]*\*?|[$#@!]\w*\*?"
    r"|\.\.|<=|>=|==|!=|<<|>>|\S"
)
_MAX_DEPTH = 40
_MAX_TOKENS = 20_000
_OPEN, _CLOSE = {"(", "["}, {")", "]"}
_UNITS = {"KB": 1024, "MB": 1024 * 1024}
_COUNTS = re.compile(r"filesize|[#@!]\w*|uint(?:8|16|32)(?:be)? \( \w+ \)")
"""What is a whole number, and not below 0."""
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}

OPAQUE = "? "
"""What the name of a variable begins with whose meaning is not known."""


@dataclass
class BooleanCondition:
    """A condition, and what names its parts."""

    formula: Formula = TRUE
    counts: list[tuple[str, int]] = field(default_factory=list)
    """How many of which sets are wanted, in order."""
    excluded: set[str] = field(default_factory=set)
    """Texts of the parts that must not be true."""
    facts: list[Formula] = field(default_factory=list)
    """What holds of its variables whatever the sample."""


def yara_condition(text: str, patterns: Sequence[tuple[str, str]]) -> BooleanCondition:
    """Parse a condition of YARA; raises `UndecidedError` for one that is too large or deep.

    `patterns` are the names in the rule, such as `$a`, and the variable of each.
    """
    tokens = [token.strip() for token in _TOKEN.findall(text)]
    if len(tokens) > _MAX_TOKENS:
        raise UndecidedError
    found = BooleanCondition()
    named = [(_unique(name, number), variable) for number, (name, variable) in enumerate(patterns)]
    found.formula = _Parser(named, found).expression(tokens, 0)
    return found


def _unique(name: str, number: int) -> str:
    """Return the name of a pattern; one of its own for each that has none."""
    return f"$ {number}" if name == "$" else name


class _Parser:
    """Parses tokens by splitting them at their outermost operators."""

    def __init__(self, patterns: Sequence[tuple[str, str]], found: BooleanCondition) -> None:
        self._patterns = patterns
        self._names = dict(patterns)
        self._found = found

    def expression(self, tokens: Sequence[str], depth: int) -> Formula:
        """Parse "or", then "and", then "not"."""
        if depth > _MAX_DEPTH:
            raise UndecidedError
        for word, combine in (("or", either), ("and", both)):
            parts = split(tokens, word)
            if len(parts) > 1:
                return combine(*(self.expression(part, depth + 1) for part in parts))
        if tokens and tokens[0] == "not":
            self._found.excluded.add(self._text(tokens[1:]))
            return Not(self.expression(tokens[1:], depth + 1))
        if tokens and tokens[0] == "(" and _end(tokens, 0) == len(tokens) - 1:
            return self.expression(tokens[1:-1], depth + 1)
        if tokens and tokens[0] == "for":
            return self._loop(tokens, depth)
        return self._leaf(tokens)

    def _leaf(self, tokens: Sequence[str]) -> Formula:
        if len(tokens) == 1 and tokens[0] in ("true", "false"):
            return TRUE if tokens[0] == "true" else FALSE
        if len(tokens) == 1 and tokens[0] in self._names:
            return Atom(self._names[tokens[0]])
        if "of" in tokens:
            at = tokens.index("of")
            return self._several(tokens[:at], tokens[at + 1 :])
        if len(tokens) > 2 and tokens[0] in self._names and tokens[1] in ("at", "in"):
            return Atom(self._text(tokens))
        return comparison(tokens, self._text) or Atom(OPAQUE + self._text(tokens))

    def _several(self, quantifier: Sequence[str], rest: Sequence[str]) -> Formula:
        """Parse `2 of ($a, $b*)`, with what may follow: `at 0`, `in (0..100)`."""
        end = _end(rest, 0) + 1 if rest and rest[0] == "(" else 1
        where = " ".join(rest[end:])
        names = self._set(rest[:end])
        parts: list[Formula]
        if names is None:
            words = [one for part in split(rest[1:-1], ",") for one in part]
            parts = [Atom(OPAQUE + word) for word in words]
        else:
            variables = (self._patterns[number][1] for number in names)
            parts = [Atom(f"{one} {where}" if where else one) for one in variables]
        count = _count(quantifier, len(parts))
        if count is None or (names is None and any("*" in word for word in rest)):
            return Atom(OPAQUE + self._text([*quantifier, "of", *rest]))
        return self._quantified(count, parts, self._text(rest))

    def _loop(self, tokens: Sequence[str], depth: int) -> Formula:
        """Parse `for any of ($a*) : ( body )`; the body is written out for each pattern."""
        opaque = Atom(OPAQUE + self._text(tokens))
        heads = split(tokens[1:], ":")
        if len(heads) != 2 or "of" not in heads[0]:
            return opaque
        at = heads[0].index("of")
        numbers = self._set(heads[0][at + 1 :])
        count = None if numbers is None else _count(heads[0][:at], len(numbers))
        if numbers is None or count is None:
            return opaque
        names = [self._patterns[number][0] for number in numbers]
        parts = []
        for name in names:
            signs = {sign: f"{sign}{name[1:]}" for sign in "$#@!"}
            body = [signs.get(token, token) for token in heads[1]]
            parts.append(self.expression(body, depth + 1))
        return self._quantified(count, parts, self._text(heads[0][at + 1 :]))

    def _quantified(self, count: int, parts: Sequence[Formula], named: str) -> Formula:
        if count < 0:  # none of them
            self._found.excluded.add(named)
            return Not(AtLeast(1, tuple(parts)))
        self._found.counts.append((named, count))
        return AtLeast(count, tuple(parts))

    def _set(self, tokens: Sequence[str]) -> list[int] | None:
        """Return the numbers of the patterns of a set; None if it is a set of rules."""
        if list(tokens) == ["them"]:
            return list(range(len(self._patterns)))
        found: list[int] = []
        for part in split(tokens[1:-1], ","):
            name = part[0] if len(part) == 1 else ""
            if not name.startswith("$"):
                return None
            start = name.removesuffix("*")
            found += [
                number
                for number, (known, _) in enumerate(self._patterns)
                if known == name or (name != start and known.startswith(start))
            ]
        return found

    def _text(self, tokens: Sequence[str]) -> str:
        """Return tokens with the variables of patterns in place of their names."""
        return " ".join(self._renamed(token) for token in tokens)

    def _renamed(self, token: str) -> str:
        if token[:1] in "#@!" and (name := f"${token[1:]}") in self._names:
            return f"{token[0]}{self._names[name]}"
        return self._names.get(token, token)


def split(tokens: Sequence[str], word: str) -> list[list[str]]:
    """Split tokens at a word outside of all brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in _OPEN) - (token in _CLOSE)
        if token == word and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _end(tokens: Sequence[str], at: int) -> int:
    """Return the index of the bracket that closes the one at `at`."""
    depth = 0
    for number in range(at, len(tokens)):
        depth += (tokens[number] in _OPEN) - (tokens[number] in _CLOSE)
        if depth == 0:
            return number
    return len(tokens) - 1


def _count(quantifier: Sequence[str], total: int) -> int | None:
    """Return how many a quantifier wants; -1 for none; None if that is not a number."""
    match list(quantifier):
        case ["any"]:
            return 1
        case ["all"]:
            return total
        case ["none"] | ["0"]:
            return -1
        case [number] if number.isdecimal():
            return int(number)
        case [number, "%"] if number.isdecimal():
            return math.ceil(total * int(number) / 100)
    return None


def comparison(tokens: Sequence[str], text: Callable[[Sequence[str]], str]) -> Formula | None:
    """Return an interval for `variable < number`, either way round; None for anything else."""
    for sign in ("<=", ">=", "==", "!=", "<", ">"):
        sides = split(tokens, sign)
        if len(sides) != 2:
            continue
        left, right = sides
        value, compared = number(right), sign
        if value is None:
            left, right, compared = right, left, _MIRRORED.get(sign, sign)
            value = number(right)
        if value is None or not left:
            return None
        name = text(left)
        if left[0].startswith("#") and len(left) == 1:
            name = name.removeprefix("#")
        counts = _COUNTS.fullmatch(" ".join(left)) is not None
        return interval(name, compared, value, counts=counts)
    return None


def interval(variable: str, sign: str, value: float, *, counts: bool = True) -> Formula:
    """Return the formula of `variable sign value`, for one of the six signs."""
    low, high = -math.inf, math.inf
    if sign in ("==", "!=", ">="):
        low = value
    if sign in ("==", "!=", "<="):
        high = value
    step = 1 if counts and value == int(value) else 0
    if sign == ">":
        low = value + step if step else math.nextafter(value, math.inf)
    if sign == "<":
        high = value - step if step else math.nextafter(value, -math.inf)
    found = Atom(variable, low, high, counts)
    return Not(found) if sign == "!=" else found


def number(tokens: Sequence[str]) -> float | None:
    """Return the value of tokens that are one number; None if they are not."""
    if len(tokens) != 1:
        return None
    text, unit = tokens[0], 1
    if text[-2:] in _UNITS:
        text, unit = text[:-2], _UNITS[text[-2:]]
    try:
        return unit * (float(text) if "." in text else int(text, 0))
    except ValueError:
        return None
