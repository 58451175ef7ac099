"""What a language of rules brings: how its files are known, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from builders.core.errors import SamebitsError
from builders.core.frozen_model import FrozenModel
from pipelines.rules.rule import Language, Rule


class RuleSyntaxError(SamebitsError):
    """A file of rules, or one rule, that cannot be read."""


class RuleFault(FrozenModel):
    """A rule, or all rules of a file, that were not read. What they do is not known."""

    file: str
    line: int
    what: str


@dataclass(frozen=True, kw_only=True)
class RuleLanguage:
    """One language. Its functions run in the jail, where no file can be opened or imported.

    They may raise anything: their text is hostile.
    """

    name: Language
    is_rule_file: Callable[[str, bytes], bool]
    """Says by the path and the bytes of a file whether it has rules of this language."""
    read_rules: Callable[[str, bytes], Iterable[Rule | RuleFault]]
    """Reads the rules of a file, given its path and bytes; goes on after a faulty rule.

    Raises `RuleSyntaxError` for a file of which nothing can be read."""
    ordered: bool = False
    """Whether the order of the rules of a file changes what they do."""
