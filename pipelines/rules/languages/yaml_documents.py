"""Bounded reading of YAML: documents and the parts of them, with their lines and texts.

Tags of Python are refused by the safe loader. Aliases are followed, and what they would unfold to
is counted, so that a small file stays small.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import yaml

from builders.core.frozen_model import duplicate
from pipelines.rules.languages.rule_language import RuleSyntaxError
from pipelines.rules.languages.rule_text import text_of

MOST_VALUES = 500_000
MOST_DEPTH = 50
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_EMPTY = rb"(?: *(?:#[^\n]*)?\r?\n)*"
_ONE_LIST = re.compile(
    _EMPTY + rb"(?:---[ \t]*\r?\n)?([\w-]+):[ \t]*(?:#[^\n]*)?\r?\n" + _EMPTY + rb"( *)-[ \r\n]"
)
"""The start of a file that is one list: its key, and how far its items are indented."""


@dataclass(frozen=True, slots=True)
class YamlPart:
    """A value, and where it is written."""

    line: int
    text: bytes
    value: Any


def load_documents(data: bytes) -> list[YamlPart]:
    """Return the documents of a file; raises `RuleSyntaxError`."""
    return list(_parts(data, lambda document: (document,)))


def load_items(data: bytes, key: str) -> list[YamlPart]:
    """Return the items of the list that all documents have at `key`; raises `RuleSyntaxError`."""
    return list(_parts(data, partial(_items, key=key)))


def load_list(data: bytes) -> list[YamlPart]:
    """Return the items of a list; raises `RuleSyntaxError`."""
    return list(
        _parts(
            data, lambda document: document.value if isinstance(document, yaml.SequenceNode) else ()
        )
    )


def split_items(data: bytes, key: str) -> list[tuple[int, bytes]]:
    """Return each item of a file that is one list at `key`, as a list of its own.

    The number of lines before it goes with it. Nothing is returned where lines do not tell items
    apart. If each can be read alone, they say together what the file says: an item that is not
    closed, or that refers to another, cannot. Two may use one anchor, as in YAML and not in PyYAML.
    """
    head = _ONE_LIST.match(data)
    if head is None or head[1] != key.encode():
        return []
    indent, first = len(head[2]), head.start(2)
    item = rb" {%d}-(?=[ \r\n])" % indent
    other = rb"^(?! {%d}|%b| *(?:#|\r?$))" % (indent + 1, item)
    if re.compile(other, re.MULTILINE).search(data, first):
        return []
    starts = [one.start() for one in re.compile(rb"^" + item, re.MULTILINE).finditer(data, first)]
    found, line = list[tuple[int, bytes]](), data.count(b"\n", 0, first)
    for at, end in pairwise((*starts, len(data))):
        found.append((line, data[at:end]))
        line += data.count(b"\n", at, end)
    return found


def _parts(data: bytes, nodes: Callable[[yaml.Node], Iterable[yaml.Node]]) -> Iterator[YamlPart]:
    text = text_of(data.removeprefix(BOM_UTF8))
    try:
        loader = _Loader(text)
        try:
            while loader.check_node():
                document = loader.get_node()
                left = [MOST_VALUES]
                _count(document, MOST_DEPTH, left)
                for node in nodes(document):
                    written = text[node.start_mark.index : node.end_mark.index]
                    yield YamlPart(
                        line=node.start_mark.line + 1,
                        text=written.rstrip().encode(),  # the end of a block is where more begins
                        value=loader.construct_document(node),
                    )
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        said = getattr(error, "problem", None) or error
        raise RuleSyntaxError("not valid YAML", got=f"{where}{said}"[:200]) from error


def _items(document: yaml.Node, key: str) -> Iterator[yaml.Node]:
    if isinstance(document, yaml.MappingNode):
        for name, value in document.value:
            if name.value == key and isinstance(value, yaml.SequenceNode):
                yield from value.value


def _count(node: yaml.Node, depth: int, left: list[int]) -> None:
    """Count what a node unfolds to; raises `RuleSyntaxError` where that is too much."""
    left[0] -= 1
    if left[0] < 0:
        raise RuleSyntaxError("too many values", got=f"more than {MOST_VALUES}")
    if depth == 0:
        raise RuleSyntaxError("nested too deep", got=f"more than {MOST_DEPTH} levels")
    match node:
        case yaml.SequenceNode():
            for item in node.value:
                _count(item, depth - 1, left)
        case yaml.MappingNode():
            names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
            if (twice := duplicate(names)) is not None:
                line = node.start_mark.line + 1
                raise RuleSyntaxError(f"line {line}: a key is given twice", got=twice[:80])
            for name, value in node.value:
                _count(name, depth - 1, left)
                _count(value, depth - 1, left)
