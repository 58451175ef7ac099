"""Bounded reading of YAML: documents and the parts of them, with their lines and texts.

Tags of Python are refused by the safe loader. Aliases are followed, and what they would unfold to
is counted, so that a small file stays small.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from builders.core.frozen_model import duplicate
from pipelines.rules.languages.rule_language import RuleSyntaxError
from pipelines.rules.languages.rule_text import text_of

MOST_VALUES = 500_000
MOST_DEPTH = 50
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlPart:
    """A value, and where it is written."""

    line: int
    text: bytes
    value: Any


def load_documents(data: bytes) -> list[YamlPart]:
    """Return the documents of a file; raises `RuleSyntaxError`."""
    return list(_parts(data, None))


def load_items(data: bytes, key: str) -> list[YamlPart]:
    """Return the items of the list that all documents have at `key`; raises `RuleSyntaxError`."""
    return list(_parts(data, key))


def _parts(data: bytes, key: str | None) -> Iterator[YamlPart]:
    text = text_of(data.removeprefix(BOM_UTF8))
    try:
        loader = _Loader(text)
        try:
            while loader.check_node():
                document = loader.get_node()
                left = [MOST_VALUES]
                _count(document, MOST_DEPTH, left)
                for node in [document] if key is None else _items(document, key):
                    yield YamlPart(
                        line=node.start_mark.line + 1,
                        text=text[node.start_mark.index : node.end_mark.index].encode(),
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
