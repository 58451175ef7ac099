"""Features of a capa rule: the tree of what has to be found, in one spelling.

Source: capa-rules/doc/format.md, and flare-capa 10. A node is the text of a
feature, or a list that begins with its kind: `["and", ...]`, `["or", ...]`, `["not", node]`,
`[2, ...]` for two or more of them, `["count", feature, least, most]`, `["basic block", node]`.
What is optional is `[0]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pipelines.rules.languages.rule_text import bad_rule, canonical
from pipelines.rules.rule import Pattern

Node: TypeAlias = "str | list[Any]"

STATIC = ("file", "function", "basic block", "instruction")
DYNAMIC = ("file", "process", "thread", "span of calls", "call")
"""Scopes, each of which may hold those after it."""
_TEXTS = frozenset({
    "api", "arch", "characteristic", "class", "export", "format", "function-name", "import",
    "match", "mnemonic", "namespace", "os", "property", "section", "string", "substring",
})  # fmt: skip
_TYPED = frozenset({"com/class", "com/interface", "property/read", "property/write"})
"""Kinds that cannot be counted."""
_NUMBERS = re.compile(r"number|offset|operand\[[0-4]\]\.(?:number|offset)")
_UNDESCRIBED = frozenset({"arch", "format", "os", "string"})
"""Kinds whose values have no description behind them."""
_BLOCKS = "basic blocks"
_COUNT = re.compile(r"(?s)count\(([^()]*)(?:\((.+)\))?\)")
_SEVERAL = re.compile(r"(\d{1,9}) or more")
_RANGE = re.compile(r"\(([^,]*)(?:,(.*))?\)")
_DESCRIBED = " = "
_MOST_BYTES = 256


@dataclass
class FeatureTree:
    """The features of a rule, and what is only told of them."""

    static: str | None
    """The scope in static analysis; None where the rule has none."""
    dynamic: str | None
    root: Node = ""
    features: set[tuple[str, str]] = field(default_factory=set)
    """Kind and value of each that has an effect."""
    told: list[str] = field(default_factory=list)
    """Descriptions, and what is optional."""

    def read(self, value: Any) -> None:
        """Read the one statement that a rule begins with; raises `RuleSyntaxError`."""
        if not isinstance(value, list) or len(value) != 1:
            raise bad_rule("features that are not one statement", _shown(value))
        self.root = self._node(value[0], (self.static, self.dynamic))
        self._check_root(self.root)
        self.features |= set(_leaves(self.root))

    def patterns(self) -> tuple[Pattern, ...]:
        """Return the features, sorted."""
        return tuple(Pattern(name=kind, value=value) for kind, value in sorted(self.features))

    def _node(self, value: Any, scopes: Sequence[str | None]) -> Node:
        if not isinstance(value, dict) or not value:
            raise bad_rule("a statement that is no mapping", _shown(value))
        key, *others = value
        if others not in ([], ["description"]):
            raise bad_rule("a statement beside another, which the engine passes over", str(others))
        if others:
            self.told.append(canonical(value["description"]))
        if not isinstance(key, str):
            raise bad_rule("a statement that is no text", str(key))
        found = self._statement(key, value[key], scopes)
        return (
            found if found is not None else self._feature(key, value[key], described=bool(others))
        )

    def _statement(self, key: str, value: Any, scopes: Sequence[str | None]) -> Node | None:
        """Return a node of several; None for a feature."""
        several = _SEVERAL.fullmatch(key)
        if key in ("and", "or") or several or key == "optional":
            parts = self._parts(key, value, scopes)
            if key == "optional" or (several and int(several[1]) == 0):
                self.told.append(canonical(parts))
                return [0]
            if key == "and":
                parts = [part for part in parts if part != [0]] or parts[:1]
            return [int(several[1]) if several else key, *_once(parts)]
        if key == "not":
            return ["not", self._only(key, self._parts(key, value, scopes))]
        for order, outer in ((STATIC, scopes[0]), (DYNAMIC, scopes[1])):
            if key in order[1:]:
                if outer is None or order.index(key) < order.index(outer):
                    raise bad_rule("a scope that is not inside of the rule's", key)
                inner = (key, None) if order is STATIC else (None, key)
                parts = self._parts(key, value, inner)
                if key == "instruction" and len(parts) > 1:
                    parts = [["and", *_once(parts)]]
                node = self._only(key, parts)
                self._check_root(node)
                return [key, node]
        return None

    def _parts(self, key: str, value: Any, scopes: Sequence[str | None]) -> list[Node]:
        if not isinstance(value, list):
            raise bad_rule(f"a statement without a list: {key}", _shown(value))
        about = [v for v in value if isinstance(v, dict) and [*v] == ["description"]]
        if len(about) > 1:
            raise bad_rule(f"two descriptions of one statement: {key}")
        self.told += [canonical(one["description"]) for one in about]
        return [self._node(one, scopes) for one in value if one not in about]

    def _only(self, key: str, parts: Sequence[Node]) -> Node:
        if len(parts) != 1:
            raise bad_rule(f"a statement that needs one part: {key}", str(len(parts)))
        return parts[0]

    def _check_root(self, node: Node) -> None:
        """Refuse what ends the engine when it sorts rules by features that have to be there."""
        if isinstance(node, list) and node[0] in (*STATIC, *DYNAMIC):
            raise bad_rule("a scope that is not inside of a statement", str(node[0]))
        if not _is_indexed(node):
            raise bad_rule("features that need not be there, which the engine refuses")

    def _feature(self, key: str, value: Any, *, described: bool) -> Node:
        if key.startswith("count("):
            return self._counted(key, value)
        if key in _TYPED:
            return self._text(key, value, described=described)
        return self._single(key, value, described=described)

    def _single(self, kind: str, value: Any, *, described: bool) -> str:
        if kind == _BLOCKS:
            return _BLOCKS
        if kind == "bytes":
            return f"bytes={_hex(self._value(kind, value, described=described))}"
        if _NUMBERS.fullmatch(kind):
            if isinstance(value, str):
                value = _number(self._value(kind, value, described=described))
            if not isinstance(value, int):
                raise bad_rule(f"a {kind} that is none", _shown(value))
            return f"{kind}={int(value):#x}"
        if kind not in _TEXTS:
            raise bad_rule("an unknown statement", kind)
        return self._text(kind, value, described=described)

    def _text(self, kind: str, value: Any, *, described: bool) -> str:
        text = self._value(kind, value, described=described)
        if kind == "api" and text.count(".") == 1 and ".#" not in text and "::" not in text:
            text = text.partition(".")[2]  # the library is not looked at
        if kind == "string" and text.startswith("/") and text.endswith(("/", "/i")):
            return f"regex={text}"
        return f"{kind}={text}"

    def _value(self, kind: str, value: Any, *, described: bool) -> str:
        """Return a text without the description behind it."""
        if not isinstance(value, str):
            raise bad_rule(f"a value of {kind} that is no text", _shown(value))
        if kind in _UNDESCRIBED or _DESCRIBED not in value:
            return value
        text, _, about = value.partition(_DESCRIBED)
        if described or not about:
            raise bad_rule(f"two descriptions of one {kind}, or an empty one", value)
        self.told.append(canonical(about))
        return text

    def _counted(self, key: str, value: Any) -> Node:
        match = _COUNT.fullmatch(key)
        if match is None or (match[2] is None) != (match[1] == _BLOCKS):
            raise bad_rule("a count that cannot be read", key)
        feature = self._single(match[1], match[2], described=False)
        return ["count", feature, *_ends(value)]


def _ends(value: Any) -> tuple[int, int | None]:
    """Return how often a feature has to be there, at least and at most."""
    if isinstance(value, int):
        return int(value), int(value)
    if isinstance(value, str):
        if value.endswith(" or more"):
            return _number(value.removesuffix(" or more")), None
        if value.endswith(" or fewer"):
            return 0, _number(value.removesuffix(" or fewer"))
        if match := _RANGE.fullmatch(value):
            low, high = ((one or "").strip() for one in match.groups())
            ends = (_number(low) if low else 0, _number(high) if high else None)
            if ends[0] < 0 or (ends[1] is not None and ends[1] < ends[0]):
                raise bad_rule("a range that ends before it begins", value)
            return ends
        number = _number(value)
        return number, number
    raise bad_rule("a count that is no number and no range", _shown(value))


def _number(text: str) -> int:
    try:
        return int(text, 16 if text.startswith(("0x", "-0x")) else 10)
    except ValueError as error:
        raise bad_rule("a value that is no number", text) from error


def _hex(text: str) -> str:
    try:
        found = bytes.fromhex(text.replace(" ", ""))
    except ValueError as error:
        raise bad_rule("bytes that are not written in hex", text) from error
    if len(found) > _MOST_BYTES:
        raise bad_rule("too many bytes", str(len(found)), f"at most {_MOST_BYTES}")
    return found.hex()


def _once(parts: Sequence[Node]) -> list[Node]:
    """Return parts sorted; of equal features one, as the engine counts them."""
    features = {part for part in parts if isinstance(part, str)}
    return sorted([*features, *(part for part in parts if isinstance(part, list))], key=canonical)


def _is_indexed(node: Node) -> bool:
    """Say whether some feature has to be there for a node to be true, as the engine sorts rules.

    Raises `RuleSyntaxError` for parts that the engine cannot sort.
    """
    match node:
        case ["not", *_] | [0] | ["count", _, 0, _]:
            return False
        case ["and" | "or" | int() as kind, *parts]:
            indexed = [_is_indexed(part) for part in parts]
            if any(indexed) if kind == "and" else all(indexed):
                return True
            raise bad_rule("parts of which none has to be there, which the engine refuses")
    return True


def _leaves(node: Node) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        kind, _, value = node.partition("=")
        yield kind, value
    elif node[0] == "count":
        yield from _leaves(node[1])
    else:
        for part in node[1:]:
            yield from _leaves(part)


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {value}"
