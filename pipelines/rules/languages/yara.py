"""YARA and YARA-X rules, read by their lexical grammar.

Source: https://yara.readthedocs.io/en/stable/writingrules.html. A condition is kept as its tokens:
what it means is judged elsewhere. Numbers are written decimal, strings and hex strings in one way,
so that a rule that is only written otherwise has the same logic. An `include` counts as a rule,
since it brings some. Compiled rules count as one: libyara trusts them, and so runs what they say.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from builders.core.digest import Digest
from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage, RuleSyntaxError
from pipelines.rules.languages.rule_text import text_of
from pipelines.rules.rule import Language, Pattern, Rule, make_rule

_SUFFIXES = (".yar", ".yara", ".yarax")
_TEXTS = (".adoc", ".htm", ".html", ".md", ".rst")
"""Files that may show rules, and have none."""
_LOOKS = re.compile(
    rb"^[ \t]*+(?:(?:private|global)\s{1,99}){0,9}rule\s{1,99}\w{1,999}\s{0,99}"
    rb"(?::[\w\s]{0,999})?\{",
    re.MULTILINE,
)
_COMPILED = b"YARA"
_HEAD = 1 << 16

_SPACE = r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
_TOKENS = r"""
    |(?P<open>/\*.*+)
    |(?P<text>"(?:[^"\\\n]|\\[^\n])*+")
    |(?P<regex>/(?:[^/\\\n]|\\[^\n])++/[a-z]*)
    |(?P<number>0x[0-9a-fA-F]+|0o[0-7]+|\d+\.\d+|\d+(?:KB|MB)?)
    |(?P<word>\$\w*\*?|[#@]\w*|!(?!=)\w*|[A-Za-z_]\w*)
    |(?P<sign>\.\.|[=!<>]=|<<|>>|\\[^\n]*+|.)
"""
"""A comment that does not end, and a backslash outside of a text, go with all that follows."""
_HEX = r"|(?P<hex>\{(?:[^{}/]|//[^\n]*+|/\*.*?\*/)*+\})"
_OUTSIDE = re.compile(_SPACE + _TOKENS, re.DOTALL | re.VERBOSE | re.ASCII)
_INSIDE = re.compile(_SPACE + _HEX + _TOKENS, re.DOTALL | re.VERBOSE | re.ASCII)
_COMMENTS = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.DOTALL)
_HEX_PART = re.compile(r"~?[0-9A-F?]{2}|\[[^\]]*\]|.")
_ESCAPE = re.compile(r'\\(?:x([0-9a-fA-F]{2})|(["\\nrt]))')
_PLAIN = {"n": "\n", "r": "\r", "t": "\t"}
_UNITS = {"KB": 1 << 10, "MB": 1 << 20}
_SECTIONS = (("word", "meta"), ("word", "strings"), ("word", "condition"))
_SCOPES, _BRINGS = ("private", "global"), ("include", "import")
_RULE = (*_SCOPES, "rule")
_BEGINS = frozenset((*_RULE, *_BRINGS))
_KEYWORDS = re.compile(
    "all|and|any|at|contains|defined|i?endswith|entrypoint|false|filesize|for|icontains|iequals|in|"
    "i?startswith|u?int(?:8|16|32)(?:be)?|matches|none|not|of|or|them|true|with"
)
_REVISIONS = ("revision", "rev", "version")

_Token = tuple[str, str]
"""The kind of a token, and its text."""


@dataclass
class _Tokens:
    """The tokens of one rule, or of an include, by their place."""

    header: list[_Token]
    sections: dict[str, list[_Token]] = field(default_factory=dict)

    @property
    def condition(self) -> list[_Token] | None:
        """Return the tokens of its condition, which is its last section."""
        return self.sections.get("condition")


def _is_rule_file(path: str, data: bytes) -> bool:
    if path.endswith(_SUFFIXES) or data[:4] == _COMPILED:
        return True
    head = data[:_HEAD]
    if path.endswith(_TEXTS) or b"\0" in head or b"condition" not in head:
        return False
    return _LOOKS.search(head) is not None


def _read_rules(path: str, data: bytes) -> Iterator[Rule | RuleFault]:
    if data[:4] == _COMPILED:
        yield _compiled(path, data)
        return
    text = text_of(data.removeprefix(BOM_UTF8))
    at, line = 0, 1
    for start, end, found in _cut(text):
        line += text.count("\n", at, start)
        at = start
        if isinstance(found, str):
            yield RuleFault(file=path, line=line, what=found)
            continue
        try:
            yield _rule(found, path, line, text[start:end])
        except RuleSyntaxError as error:
            yield RuleFault(file=path, line=line, what=str(error))


def _compiled(path: str, data: bytes) -> Rule:
    """Return the rules of a compiled file as one, of which the bytes alone are known."""
    maker = "YARA-X" if data.startswith(b"YARA-X") else "yarac"
    condition = f"compiled by {maker}: {Digest.of(data).hex}"
    return make_rule(
        language=Language.YARA,
        identity="(compiled rules)",
        name=path.rpartition("/")[2],
        file=path,
        line=1,
        text=data,
        normalized=condition,
        logic=condition,
        condition=condition,
    )


def _cut(text: str) -> Iterator[tuple[int, int, _Tokens | str]]:
    """Yield start and end of every rule and include, with its tokens; of what is none, a fault."""
    position = 0
    while header := _header(text, position):
        start, tokens, position = header
        first, last = tokens[0][1], tokens[-1][1]
        if first == "include":
            yield start, position, _Tokens(tokens)
        elif first not in _BEGINS:
            yield start, position, f"not the begin of a rule: {first[:40]}"
        elif first != "import":
            found = _Tokens(tokens)
            position, ended = _body(text, position, found) if last == "{" else (position, False)
            yield start, position, found if ended else "a rule without an end"


def _header(text: str, position: int) -> tuple[int, list[_Token], int] | None:
    """Read up to the body of a rule, or to the end of a line that brings others in.

    Returns where it starts, its tokens, and where it ends; None where nothing is left.
    """
    start, tokens = position, list[_Token]()
    for match in _OUTSIDE.finditer(text, position):
        kind, value = str(match.lastgroup), match[0]
        if kind == "space":
            continue
        if tokens and value in _BEGINS and tokens[-1][1] not in _SCOPES:
            break
        start = start if tokens else match.start()
        position = match.end()
        tokens.append((kind, value))
        if (value == "{" and tokens[0][1] in _RULE) or (kind == "text" and tokens[0][1] in _BRINGS):
            break
    return (start, tokens, position) if tokens else None


def _body(text: str, position: int, rule: _Tokens) -> tuple[int, bool]:
    """Read the sections of a rule; return where it ends, and whether it does."""
    section = rule.sections.setdefault("", [])
    for match in _INSIDE.finditer(text, position):
        kind, value = str(match.lastgroup), match[0]
        if kind == "space":
            continue
        if value == "}":
            return match.end(), True
        if kind == "word" and value == "rule":
            return match.start(), False
        if value == ":" and section and section[-1] in _SECTIONS and section is not rule.condition:
            section = rule.sections.setdefault(section.pop()[1], [])
            continue
        section.append((kind, value))
    return len(text), False


def _rule(found: _Tokens, path: str, line: int, source: str) -> Rule:
    words = [value for _, value in found.header]
    rule = partial(make_rule, language=Language.YARA, file=path, line=line)
    text = source.encode()
    if "rule" not in words and (words[0] != "include" or len(words) < 2):
        raise RuleSyntaxError("words that begin no rule", got=" ".join(words)[:80])
    if words[0] == "include":
        name = " ".join(words)
        brought = (words[1][1:-1],)
        return rule(identity=name, text=text, normalized=name, logic=name, includes=brought)
    at = words.index("rule")
    name, *tags = words[at + 1 : -1] or [""]
    if not name.isidentifier() or (tags and tags[0] != ":"):
        raise RuleSyntaxError("a rule without a name", got=" ".join(words)[:80])
    if found.condition is None or found.sections[""]:
        raise RuleSyntaxError("a rule without a condition", got=name)
    scopes = sorted(words[:at])
    condition = list(_condition(found.condition))
    patterns = tuple(_patterns(found.sections.get("strings", [])))
    metadata = _metadata(found.sections.get("meta", []))
    logic = repr((scopes, sorted(map(repr, patterns)), condition))
    revisions = (metadata[key] for key in _REVISIONS if metadata.get(key, "").isdecimal())
    return rule(
        identity=name,
        text=text,
        normalized=repr((name, tags, sorted(metadata.items()), logic)),
        logic=logic,
        condition=" ".join(condition),
        patterns=patterns,
        scope=("global",) if "global" in scopes else (),
        private="private" in scopes,
        tags=tuple(tags[1:]),
        metadata=metadata,
        references=tuple(value for key, value in metadata.items() if key.startswith("ref")),
        revision=next(map(int, revisions), None),
        needs=_needs(found.condition),
    )


def _needs(condition: Iterable[_Token]) -> tuple[str, ...]:
    """Return the names in a condition that are no keywords: of rules, modules and variables."""
    names = (value for kind, value in condition if kind == "word" and value[0] not in "$#@!")
    return tuple(dict.fromkeys(name for name in names if not _KEYWORDS.fullmatch(name)))


def _condition(tokens: Iterable[_Token]) -> Iterator[str]:
    for kind, value in tokens:
        match kind:
            case "number":
                yield _number(value)
            case "text":
                yield _text(value)
            case _:
                yield value


def _patterns(tokens: Sequence[_Token]) -> Iterator[Pattern]:
    """Yield the strings of a rule: each is a name, `=`, a value and its modifiers."""
    at = 0
    while at < len(tokens):
        name = tokens[at][1]
        if not name.startswith("$") or at + 2 >= len(tokens) or tokens[at + 1][1] != "=":
            raise RuleSyntaxError("a string of a rule is not read", got=name[:40])
        kind, value = tokens[at + 2]
        first = at = at + 3
        while at < len(tokens) and not tokens[at][1].startswith("$"):
            at += 1
        rest = tokens[first:at]
        match kind:
            case "text":
                value = _text(value)
            case "hex":
                value = _hex(value)
            case "regex":
                head, _, flags = value.rpartition("/")
                value = f"{head}/{''.join(sorted(flags))}"
            case _:
                raise RuleSyntaxError("a string of a rule is not read", got=value[:40])
        modifiers = _modifiers(rest)
        if "ascii" in modifiers and "wide" not in modifiers:
            modifiers.remove("ascii")  # it is what a string without modifiers has
        yield Pattern(name=name, value=value, modifiers=tuple(sorted(modifiers)))


def _modifiers(tokens: Iterable[_Token]) -> list[str]:
    """Return modifiers with their arguments: `nocase`, `xor(0x01-0xff)`."""
    found: list[str] = []
    depth = 0
    for kind, value in tokens:
        if value == "(" and found:
            depth += 1
        if depth:
            found[-1] += _number(value) if kind == "number" else value
            depth -= value == ")"
        elif kind == "word":
            found.append(value)
        else:
            raise RuleSyntaxError("a modifier of a string is not read", got=value[:40])
    return found


def _metadata(tokens: Sequence[_Token]) -> dict[str, str]:
    """Return the metadata; values of a key that is given again are joined."""
    found: dict[str, str] = {}
    at = 0
    while at < len(tokens):
        key, values = tokens[at][1], tokens[at + 1 : at + 4]
        if len(values) < 2 or values[0][1] != "=":
            raise RuleSyntaxError("metadata of a rule are not read", got=key[:40])
        size = 3 if values[1][1] == "-" and len(values) == 3 else 2
        kind, value = values[size - 1]
        value = f"-{value}" if size == 3 else value[1:-1] if kind == "text" else value
        found[key] = f"{found[key]}, {value}" if key in found else value
        at += 1 + size
    return found


def _hex(text: str) -> str:
    """Return a hex string in upper case, with a blank between its parts and none within."""
    parts = _HEX_PART.findall(_COMMENTS.sub("", text).upper())
    return " ".join(parts)


_LONGEST_NUMBER = 40


def _number(text: str) -> str:
    unit = _UNITS.get(text[-2:])
    if len(text) > _LONGEST_NUMBER or "." in text:
        return text
    if unit:
        return str(int(text[:-2]) * unit)
    return str(int(text, 0) if text[1:2] in {"o", "x"} else int(text))


def _text(quoted: str) -> str:
    """Return a text string with every escape written in one way."""

    def plain(match: re.Match[str]) -> str:
        code = int(match[1], 16) if match[1] else ord(_PLAIN.get(match[2], match[2]))
        if code == ord("\\"):
            return "\\\\"  # stays apart from the backslash of an escape
        return chr(code) if code < 0x80 else f"\\x{code:02x}"

    inside = _ESCAPE.sub(plain, quoted[1:-1])
    return f'"{inside}"'


LANGUAGE = RuleLanguage(name=Language.YARA, is_rule_file=_is_rule_file, read_rules=_read_rules)
