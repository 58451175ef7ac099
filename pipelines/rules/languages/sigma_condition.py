"""Conditions of Sigma rules: read, checked against the names of searches, written in one way."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from pipelines.rules.languages.rule_text import bad_rule

_TOKEN = re.compile(r"\s*(?P<token>[()]|[\w.*?-]+)")
_MOST = 2000
"""Words of one condition."""
_DEPTH = 50
"""Brackets within brackets."""
_QUANTIFIERS = {"1": "1", "any": "1", "all": "all"}


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a condition as text, and how tightly its operator binds."""

    text: str
    strength: int

    def inside(self, strength: int) -> str:
        """Return the text, in brackets within an operator that binds more tightly."""
        return f"({self.text})" if self.strength < strength else self.text


_OR, _AND, _NOT, _NAME = range(4)


def normalized_condition(text: str, searches: Collection[str]) -> str:
    """Return a condition with the operands of `and` and `or` sorted, and no needless brackets.

    `searches` are the names that it may use. Raises `RuleSyntaxError`.
    """
    reader = _Reader(_tokens(text), searches)
    found = reader.either(0)
    if reader.tokens:
        raise bad_rule("a condition that goes on after its end", text)
    return found.text


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at, text = 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(tokens) >= _MOST:
            raise bad_rule("a condition that cannot be read", text[at:])
        tokens.append(match["token"])
        at = match.end()
    return tokens[::-1]


class _Reader:
    """Takes tokens from the end of a list, by recursive descent."""

    def __init__(self, tokens: list[str], searches: Collection[str]) -> None:
        self.tokens = tokens
        self._searches = searches

    def either(self, depth: int) -> _Part:
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        return _joined("or", parts, _OR)

    def _both(self, depth: int) -> _Part:
        parts = [self._negated(depth)]
        while self._take("and"):
            parts.append(self._negated(depth))
        return _joined("and", parts, _AND)

    def _negated(self, depth: int) -> _Part:
        negated = False
        while self._take("not"):
            negated = not negated
        part = self._single(depth)
        return _Part(f"not {part.inside(_NOT)}", _NOT) if negated else part

    def _single(self, depth: int) -> _Part:
        if self._take("("):
            if depth >= _DEPTH:
                raise bad_rule("a condition that is nested too deep")
            part = self.either(depth + 1)
            if not self._take(")"):
                raise bad_rule("a condition with a bracket that is not closed")
            return part
        if not self.tokens:
            raise bad_rule("a condition that ends too early")
        word = self.tokens.pop()
        if word.lower() in _QUANTIFIERS and self._take("of"):
            return _Part(f"{_QUANTIFIERS[word.lower()]} of {self._pattern()}", _NAME)
        if word not in self._searches:
            raise bad_rule("a condition that names no search of the rule", word)
        return _Part(word, _NAME)

    def _pattern(self) -> str:
        """Read the pattern of names, which may fit none: then it has no effect."""
        if not self.tokens or self.tokens[-1] in {"(", ")"}:
            raise bad_rule("a condition with a number of nothing")
        pattern = self.tokens.pop()
        return "them" if pattern.lower() == "them" else pattern

    def _take(self, word: str) -> bool:
        if self.tokens and self.tokens[-1].lower() == word:
            self.tokens.pop()
            return True
        return False


def _joined(word: str, parts: list[_Part], strength: int) -> _Part:
    if len(parts) == 1:
        return parts[0]
    return _Part(f" {word} ".join(sorted({part.inside(strength) for part in parts})), strength)
