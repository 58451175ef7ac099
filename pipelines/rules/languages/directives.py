"""Directives of ModSecurity, as Apache reads a configuration: lines, arguments and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.rules.languages.rule_text import bad_rule, lines_of, text_of

_ARGUMENT = re.compile(
    r'"(?P<double>(?:[^"\\]|\\.)*)"(?=\s|$)'
    r"|'(?P<single>(?:[^'\\]|\\.)*)'(?=\s|$)"
    r"|(?P<bare>[^\s\"']\S*)",
    re.DOTALL,
)
_COMMENT = re.compile(rb"[ \t]*#[# \t]*")
_RULE = re.compile(rb"[ \t]*Sec(?:Rule|Action|RuleScript)[ \t]", re.IGNORECASE)
_ACTION = re.compile(
    r"\s*+(?P<name>[A-Za-z]\w*+)\s*+(?::\s*+(?P<value>'(?:[^'\\]|\\.)*+'|[^,']*+))?\s*+(?:,|$)",
    re.DOTALL,
)
_VARIABLE = re.compile(
    r"(?P<variable>[^|:]*(?::(?:'(?:[^'\\]|\\.)*'|(?!')[^|]*))?)(?:\||$)", re.DOTALL
)
_ALIASES = {"@pmf": "@pmfromfile", "@ipmatchf": "@ipmatchfromfile"}


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive, with the line where it begins; a comment that may be one is not enabled."""

    line: int
    text: bytes
    enabled: bool

    def is_rule(self) -> bool:
        """Say whether it is a rule, by its name."""
        return _RULE.match(self.text) is not None

    def words(self) -> tuple[str, list[str]]:
        """Return name and arguments, without their quotes; raises `RuleSyntaxError`."""
        text = text_of(self.text).strip()
        if text.startswith("<"):
            text = text.removesuffix(">")
        name = re.match(r"<?/?\w+", text)
        if name is None:
            raise bad_rule("a line that is no directive", text)
        return name.group(), list(_arguments(text[name.end() :].strip()))


def _arguments(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        match = _ARGUMENT.match(text, at)
        if match is None:
            raise bad_rule("an argument that cannot be read", text[at:], "closed quotes")
        quote = {"double": '"', "single": "'"}.get(str(match.lastgroup))
        found = match[str(match.lastgroup)]
        yield found.replace(f"\\{quote}", quote) if quote else found
        at = match.end()
        while at < len(text) and text[at].isspace():
            at += 1


def directives(data: bytes) -> Iterator[Directive]:
    """Yield the directives of a file, and comments; a line that ends in a backslash goes on.

    Comments go on too, as Apache reads them: `hidden` names those that take a directive along.
    """
    start, pieces = 0, list[bytes]()
    for number, line in lines_of(data):
        if not start and not line.strip():
            continue
        start = start or number
        commented = bool(pieces) and pieces[0].lstrip().startswith(b"#")
        pieces.append(_COMMENT.sub(b"", line, count=1) if commented else line)
        if line.endswith(b"\\"):
            pieces[-1] = pieces[-1][:-1]
            continue
        yield _directive(start, pieces)
        start, pieces = 0, []
    if start:
        yield _directive(start, pieces)


def _directive(start: int, pieces: list[bytes]) -> Directive:
    text = b"".join(pieces)
    if _COMMENT.match(text):
        return Directive(start, _COMMENT.sub(b"", text, count=1), enabled=False)
    return Directive(start, text, enabled=True)


def hidden(data: bytes) -> Iterator[int]:
    """Yield the lines of directives that Apache takes for the rest of a comment, others do not."""
    before = b""
    for number, line in lines_of(data):
        comment = line.lstrip().startswith(b"#")
        if before.lstrip().startswith(b"#") and before.endswith(b"\\") and not comment:
            if line.strip():
                yield number
            before = b"#\\" if line.endswith(b"\\") else b""
        else:
            before = line


def actions(text: str) -> list[tuple[str, str]]:
    """Split a list of actions into names, in lower case, and values ("" for none)."""
    found, at, text = [], 0, text.strip()
    while at < len(text):
        match = _ACTION.match(text, at)
        if match is None:
            raise bad_rule("an action that cannot be read", text[at:])
        value = (match["value"] or "").strip()
        if value.startswith("'"):
            value = value[1:-1].replace("\\'", "'")
        found.append((match["name"].lower(), value))
        at = match.end()
    return found


def variables(text: str) -> list[str]:
    """Split a list of variables at `|`, but not within quotes."""
    found, at = [], 0
    while at < len(text) and (match := _VARIABLE.match(text, at)):
        found.append(_variable(match["variable"].strip()))
        at = match.end()
    if at < len(text) or not found or not all(found) or text.endswith("|"):
        raise bad_rule("variables that cannot be read", text)
    return found


def _variable(text: str) -> str:
    """Write the name of a variable in capitals, and what is selected of it as it is."""
    name, colon, selected = text.partition(":")
    return f"{name.upper()}{colon}{selected}"


def operator(text: str) -> str:
    """Return an operator as `@name argument`, `!` in front if it is negated."""
    text = text.strip()
    negated = text.startswith("!")
    text = text[negated:].lstrip()
    name, _, argument = text.partition(" ")
    if not name.startswith("@"):
        name, argument = "@rx", text
    name = _ALIASES.get(name.lower(), name.lower())
    return f"{'!' if negated else ''}{name} {argument.strip()}".rstrip()
