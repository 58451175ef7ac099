"""Strict YAML: plain data, with the line of every field.

Every scalar is read as text, and the schema decides its type (so `version: 1.10` stays "1.10").
Tags, anchors, aliases, merge keys, duplicate keys, several documents, and files that are too large
or nested too deep are refused. The parser's events are turned into plain data in one pass, so the
YAML library never builds an object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from yaml.reader import ReaderError

from builders.core.errors import RecipeError
from builders.core.escaping import escaped
from builders.core.smallfile import read_small_file

MAX_BYTES = 4 << 20
MAX_VALUES = 200_000
MAX_DEPTH = 32
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_MESSAGES = {
    "extra_forbidden": "unknown key",
    "unexpected_keyword_argument": "unknown key",
    "missing": "missing field",
    "union_tag_not_found": "missing field",
    "union_tag_invalid": "expected one of {expected_tags}",
    "too_short": "expected at least {min_length} item",
    "tuple_type": "expected a list",
    "frozen_set_type": "expected a list",
    "model_type": "expected a mapping of fields",
    "dataclass_type": "expected a mapping of fields",
    "dict_type": "expected a mapping of fields",
}
_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
_PLAIN_YAML = "Write plain keys, lists and values"

FieldPath = tuple[str | int, ...]
ModelT = TypeVar("ModelT")


class FieldError(ValueError):
    """Raised by validators of pydantic whose error has more parts than one message."""

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        expected: object = None,
        todo: str | None = None,
        line: int = 0,
    ) -> None:
        """Keep the parts of the message; `line` counts from the line of the field."""
        self.what, self.got, self.expected = what, got, expected
        self.todo, self.line = todo, line
        super().__init__(what)


@dataclass(frozen=True)
class Document:
    """The plain data of one YAML file, and the line of each of its fields."""

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
    """Return the text of a small regular file; raises `RecipeError`."""
    raw = read_small_file(path, limit=MAX_BYTES, file=str(path))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(
            "not UTF-8 text",
            file=str(path),
            line=raw.count(b"\n", 0, error.start) + 1,
            got=f"byte {raw[error.start]:#04x} at {error.start}",
            todo="Save the file as UTF-8",
        ) from error


def load_document(path: Path) -> Document:
    """Read one YAML file into plain data; raises `RecipeError` with file, line and field."""
    return parse_document(read_text(path), file=str(path))


def parse_document(text: str, *, file: str) -> Document:
    """Like `load_document`, from text that was already read."""
    lines: dict[FieldPath, int] = {}
    what = "not valid YAML"
    try:
        loader = yaml.SafeLoader(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        got = f"character {ord(text[error.position]):#x}"
        raise RecipeError(what, file=file, line=line, got=got, expected="printable text") from error
    try:
        data = _Reader(loader, file, lines).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RecipeError(
            what,
            file=file,
            line=mark.line + 1 if mark else None,
            got=escaped(str(error.problem or error.context)),
            todo="Correct the syntax at that line",
        ) from error
    except (ValueError, OverflowError) as error:
        got = "an escape that is no character"
        line = loader.line + 1
        raise RecipeError(what, file=file, line=line, got=got, todo="Correct the escape") from error
    return Document(file, data, lines)


def parse_model(
    document: Document,
    model: type[ModelT] | TypeAdapter[ModelT],
    *,
    todo: str | None = None,
    context: Any = None,
) -> ModelT:
    """Validate `document` as `model`; raises the first error as a `RecipeError`.

    `todo` tells the user where the allowed values of each field are described; `context` is passed
    to validators.
    """
    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
    try:
        return adapter.validate_python(document.data, context=context)
    except ValidationError as error:
        errors = _without_consequences(error.errors(include_url=False))
        # An unknown key is often a misspelt one, which is then missing: report it first.
        first = min(errors, key=lambda each: each["type"] not in _UNKNOWN_KEY)
        path = _document_path(document.data, first)
        line = document.line_of(path)
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        missing = first["type"] in {"missing", "union_tag_not_found"}
        fault = FieldError(
            _message(first), got=None if missing else _shown(document.data, path, first["input"])
        )
        if isinstance(raised := first.get("ctx", {}).get("error"), FieldError):
            fault = raised
        raise RecipeError(
            fault.what + more,
            file=document.file,
            line=line + fault.line if line else None,
            field=_dotted(path) or None,
            got=fault.got,
            expected=fault.expected,
            todo=fault.todo or todo,
        ) from error


def _without_consequences(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Drop "too few items" of a list that has errors in its items, and defaults not computed."""
    parents = {error["loc"][:end] for error in errors for end in range(len(error["loc"]))}
    return [
        error
        for error in errors
        if error["type"] != "default_factory_not_called"
        and (error["type"] != "too_short" or error["loc"] not in parents)
    ]


def _document_path(data: Any, error: ErrorDetails) -> FieldPath:
    """Drop the parts of pydantic's location that are no fields of the file, such as union tags."""
    loc = error["loc"]
    path: list[str | int] = []
    for index, step in enumerate(loc):
        if isinstance(data, dict):
            if step not in data and not (error["type"] == "missing" and index == len(loc) - 1):
                continue
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            continue
        path.append(step)
    if error["type"].startswith("union_tag_"):
        path.append(error["ctx"]["discriminator"].strip("'"))
    return tuple(path)


def _message(error: ErrorDetails) -> str:
    if error["type"] in _MESSAGES:
        return _MESSAGES[error["type"]].format(**error.get("ctx", {}))
    message = error["msg"].removeprefix("Value error, ").replace("\n", " ")
    return re.sub("^Input should be ", "expected ", message)


def _shown(data: Any, path: FieldPath, got: Any) -> str:
    """Return the value at `path` for a message, or the type of a value that is no scalar."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(str(step), got)
        elif isinstance(data, list):
            data = data[int(step)]
    match data:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "nothing"
        case _:
            return ascii(data)[:120]


def _dotted(path: FieldPath) -> str:
    """Write a path for a message; keys are text of others, so they are escaped and shortened."""
    return ".".join(escaped(str(step))[:120] for step in path)


class _Reader:
    """Turns the events of one file into plain data, and refuses what a recipe never needs."""

    def __init__(self, loader: yaml.SafeLoader, file: str, lines: dict[FieldPath, int]) -> None:
        self._next: Callable[[], yaml.Event] = loader.get_event
        self._file, self._lines = file, lines
        self._values = 0

    def document(self) -> Any:
        self._next()  # start of the stream
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise RecipeError("empty file", file=self._file, expected="a mapping of fields")
        data = self._value(self._next(), ())
        self._next()  # end of the document
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            self._refuse(event, "more than one document", expected="one document")
        return data

    def _value(self, event: yaml.Event, path: FieldPath) -> Any:
        self._check_plain(event, path)
        self._lines.setdefault(path, _line(event))
        match event:
            case yaml.ScalarEvent():
                plain = event.style is None
                return None if plain and event.value in _NULLS else event.value
            case yaml.SequenceStartEvent():
                return self._list(path)
            case _:
                return self._mapping(path)

    def _list(self, path: FieldPath) -> list[Any]:
        result: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            result.append(self._value(event, (*path, len(result))))
        return result

    def _mapping(self, path: FieldPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            self._check_plain(event, path)
            merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<"
            if not isinstance(event, yaml.ScalarEvent) or (merge and event.style is None):
                self._refuse(event, "keys are plain text", todo=_PLAIN_YAML)
            here = (*path, event.value)
            if event.value in result:
                todo = f"Line {self._lines[here]} has it already: keep one of them"
                self._refuse(event, "duplicate key", field=_dotted(here), todo=todo)
            self._lines[here] = _line(event)
            result[event.value] = self._value(self._next(), here)
        return result

    def _check_plain(self, event: yaml.Event, path: FieldPath) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._refuse(event, "too many values", expected=f"at most {MAX_VALUES}")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "YAML anchors and aliases are refused", todo=_PLAIN_YAML)
        if tag := getattr(event, "tag", None):
            self._refuse(event, "YAML tags are refused", got=ascii(tag)[:80], todo=_PLAIN_YAML)
        if len(path) >= MAX_DEPTH:
            self._refuse(event, "nested too deep", expected=f"at most {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent) and not _encodable(event.value):
            got = ascii(event.value)[:80]
            self._refuse(event, "not Unicode text", got=got, todo=_PLAIN_YAML)

    def _refuse(self, event: yaml.Event, what: str, **parts: str) -> NoReturn:
        raise RecipeError(what, file=self._file, line=_line(event), **parts)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _encodable(text: str) -> bool:
    """Say whether `text` has no lone surrogates, which escapes can produce."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
