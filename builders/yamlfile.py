"""Strict YAML: plain data with the line of every field, and nothing that can surprise.

Every scalar is text; what type it has is the schema's business (so `version: 1.10` stays "1.10").
Tags, anchors, aliases, merge keys, duplicate keys and several documents are refused, and so are
files that are too large or too deep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from builders.errors import RecipeError

MAX_BYTES = 8 << 20
MAX_DEPTH = 32
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NO_YAML = "Write plain keys, lists and values"

FieldPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """Plain data of one YAML file, and where each of its fields stands."""

    file: str
    data: Any
    lines: dict[FieldPath, int] = field(repr=False)

    def line_of(self, path: FieldPath) -> int | None:
        """Return the line of the field at `path`, or of its nearest parent."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


def read_text(path: Path) -> str:
    """Return the text of a small file, or one clear `RecipeError`."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(
            "cannot be read",
            file=str(path),
            got=error.strerror or error,
            todo="Check the path and its permissions",
        ) from error
    if len(raw) > MAX_BYTES:
        raise RecipeError(
            "file too large", file=str(path), got="more", expected=f"at most {MAX_BYTES} bytes"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(
            "not UTF-8 text", file=str(path), got=f"byte {raw[error.start]:#04x} at {error.start}"
        ) from error


def load_document(path: Path) -> Document:
    """Read one YAML file into plain data; raises `RecipeError` with file, line and field."""
    return parse_document(read_text(path), file=str(path))


def parse_document(text: str, *, file: str) -> Document:
    """Like `load_document`, from text already read."""
    _refuse_tricks(text, file=file)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RecipeError(
            "not valid YAML",
            file=file,
            line=mark.line + 1 if mark else None,
            got=error.problem or error.context,
            todo="Mend the syntax at that line",
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError("not valid YAML", file=file, got=error) from error
    if node is None:
        raise RecipeError("empty file", file=file, expected="a mapping of fields")
    lines: dict[FieldPath, int] = {}
    return Document(file, _plain(node, (), lines, file), lines)


def parse_model(document: Document, model: type[Model]) -> Model:
    """Validate `document` as `model`; the first fault is raised as a `RecipeError`."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        first = faults[0]
        path = _document_path(document.data, first["loc"])
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        got = first["input"]
        shown = repr(got)[:120] if isinstance(got, str | int | float) else type(got).__name__
        raise RecipeError(
            _sentence(first["type"], first["msg"]) + more,
            file=document.file,
            line=document.line_of(path),
            field=".".join(map(str, path)) or None,
            got=None if first["type"] == "missing" else shown,
            todo="`samebits recipe schema` prints what each field takes",
        ) from error


def _document_path(data: Any, loc: FieldPath) -> FieldPath:
    """Drop from pydantic's location what names no field of the file (union tags, validators)."""
    path: list[str | int] = []
    for index, step in enumerate(loc):
        if isinstance(data, dict):
            if step not in data and index < len(loc) - 1:
                continue
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            continue
        path.append(step)
    return tuple(path)


def _sentence(kind: str, message: str) -> str:
    match kind:
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return "missing field"
        case _:
            return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _refuse_tricks(text: str, *, file: str) -> None:
    """Refuse what safe YAML allows and a recipe never needs, before anything is composed."""
    depth = documents = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else None
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise RecipeError(
                    "YAML anchors and aliases are refused", file=file, line=line, todo=_NO_YAML
                )
            if tag := getattr(event, "tag", None):
                raise RecipeError(
                    "YAML tags are refused",
                    file=file,
                    line=line,
                    got=str(tag)[:80],
                    todo=_NO_YAML,
                )
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH or documents > 1:
                what = "nested too deep" if depth > MAX_DEPTH else "more than one document"
                raise RecipeError(what, file=file, line=line, expected="one flat document")
    except yaml.MarkedYAMLError:
        return  # the composer reports it with its place
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError("not valid YAML", file=file, got=error) from error


def _plain(node: yaml.Node, path: FieldPath, lines: dict[FieldPath, int], file: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in _NULLS else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, i), lines, file) for i, item in enumerate(node.value)]
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode) or (key == "<<" and key_node.style is None):
            raise RecipeError("keys are plain text", file=file, line=line, todo=_NO_YAML)
        if key in result:
            raise RecipeError(
                "duplicate key", file=file, line=line, field=".".join(map(str, (*path, key)))
            )
        lines[*path, key] = line
        result[key] = _plain(value_node, (*path, key), lines, file)
    return result
