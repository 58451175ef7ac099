"""Header and options of a rule of Suricata or Snort, as text.

Suricata ends an option at every `;` that no backslash precedes, in quotes too; Snort reads quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.rules.languages.rule_text import bad_rule

_UNQUOTED_END = re.compile(r"(?<!\\);")
_QUOTED_OPTION = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^;"])*;', re.DOTALL)
_PLAIN_CONTENT = re.compile(r'[^"|\\;:\x00-\x1f\x7f-\U0010ffff]*')
_HEADER = 7
"""Words before the options, the action among them."""
_HEX = re.compile(r"(?:\s*[0-9A-Fa-f]{2})+\s*|\s*")
_EXPRESSION = re.compile(
    r"(?P<expression>/?.*/)(?P<flags>[A-Za-z]*)\s*(?P<captures>,[^/]*)?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class NetworkRule:
    """The parts of one rule: words of the header, and options with their values ("" for none)."""

    action: str
    header: tuple[str, ...]
    options: tuple[tuple[str, str], ...]


def network_rule(text: str, *, quotes: bool) -> NetworkRule:
    """Split one rule, decoded as Latin-1; raises `RuleSyntaxError`.

    The brackets around the options may be missing: Suricata takes that.
    """
    head, _, body = text.partition("(")
    action, *header = _words(head)
    if len(header) >= _HEADER:
        action, *header, body = text.split(maxsplit=_HEADER)
    body = body.rstrip()
    if not body:
        raise bad_rule("a rule without options", text)
    options = _options(body.removesuffix(")"), quotes=quotes)
    return NetworkRule(action.lower(), tuple(header), tuple(options))


def _words(head: str) -> list[str]:
    """Split a header at blanks; those inside of the brackets of a list are dropped."""
    words: list[str] = []
    depth = 0
    for part in head.split():
        if depth and words:
            words[-1] += part
        else:
            words.append(part)
        depth += part.count("[") - part.count("]")
    if depth or not words:
        raise bad_rule("a header that cannot be read", head, "an action, addresses and ports")
    return words


def _options(body: str, *, quotes: bool) -> Iterator[tuple[str, str]]:
    if not quotes:
        parts = _UNQUOTED_END.split(body)
        rest = parts.pop()
    else:
        parts, at = [], 0
        while match := _QUOTED_OPTION.match(body, at):
            parts.append(match.group()[:-1])
            at = match.end()
        rest = body[at:]
    if rest.strip():
        raise bad_rule("an option that does not end", rest, "`;` after each option")
    for part in parts:
        name, _, value = part.partition(":")
        name = name.strip().lower()
        if name:
            yield name, value.strip()
        elif value:
            raise bad_rule("an option without a name", part)


def split_value(value: str) -> list[str]:
    """Split the value of an option at commas, without the blanks around them."""
    return [part.strip() for part in value.split(",")]


def unquoted(value: str) -> tuple[bool, str]:
    """Return whether a value is negated, and the text between its quotes."""
    negated = value.startswith("!")
    inner = value[1:].lstrip() if negated else value
    if len(inner) < 2 or inner[0] != '"' or inner[-1] != '"':
        raise bad_rule("a value that is not in quotes", value)
    return negated, inner[1:-1]


def content(value: str) -> str:
    """Return the value of a `content` in one way of writing: `"GET|0D 0A|"`, `!` if negated."""
    negated, text = unquoted(value)
    if not _PLAIN_CONTENT.fullmatch(text):
        text = _written(_content_bytes(text))
    if not text:
        raise bad_rule("a content without bytes", value)
    return f'{"!" if negated else ""}"{text}"'


def _content_bytes(text: str) -> bytes:
    found = bytearray()
    for number, piece in enumerate(_pipes(text)):
        if number % 2:
            if not _HEX.fullmatch(piece):
                raise bad_rule("hexadecimal digits that cannot be read", piece)
            found += bytes.fromhex(piece)
        else:
            found += re.sub(r"\\(.)", r"\1", piece, flags=re.DOTALL).encode("latin-1")
    return bytes(found)


def _pipes(text: str) -> list[str]:
    """Split at the `|` that begin and end hexadecimal digits; no backslash takes their meaning."""
    pieces = text.split("|")
    if len(pieces) % 2 == 0:
        raise bad_rule("a `|` that has no second one", text)
    return pieces


def _written(data: bytes) -> str:
    out: list[str] = []
    digits: list[str] = []
    for byte in data:
        if 0x20 <= byte < 0x7F and byte not in b'"|\\;:':
            if digits:
                out.append(f"|{' '.join(digits)}|")
                digits = []
            out.append(chr(byte))
        else:
            digits.append(f"{byte:02X}")
    if digits:
        out.append(f"|{' '.join(digits)}|")
    return "".join(out)


def expression(value: str) -> str:
    """Return a `pcre` as `/expression/flags`, with sorted flags, `!` if negated, and its captures.

    Its quotes are optional.
    """
    negated = value.startswith("!")
    text = value[negated:].strip()
    if text.startswith('"'):
        _, text = unquoted(text)
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise bad_rule("an expression that cannot be read", value, '"/expression/flags"')
    flags = "".join(sorted(set(match["flags"])))
    captures = ",".join(split_value(match["captures"] or ""))
    return f"{'!' if negated else ''}{match['expression']}{flags}{captures}"
