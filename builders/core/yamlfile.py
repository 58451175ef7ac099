"""Strict YAML: plain data with the line of every field, and nothing that can surprise.

Every scalar is text; what type it has is the schema's business (so `version: 1.10` stays "1.10").
Tags, anchors, aliases, merge keys, duplicate keys and several documents are refused, and so are
files that are too large or too deep. The parser's events become plain data in one pass: no YAML
node or object is ever composed.
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
from builders.core.smallfile import read_small_file

MAX_BYTES = 4 << 20
MAX_VALUES = 200_000
MAX_DEPTH = 32
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_SENTENCES = {
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
_NO_YAML = "Write plain keys, lists and values"

FieldPath = tuple[str | int, ...]
Model = TypeVar("Model")


class FieldError(ValueError):
    """Raised in a validator of pydantic by a field that has more to say than one message."""

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        expected: object = None,
        todo: str | None = None,
        line: int = 0,
    ) -> None:
        """Keep the parts of the message apart; `line` counts from the line of the field."""
        self.what, self.got, self.expected = what, got, expected
        self.todo, self.line = todo, line
        super().__init__(what)


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
    """Return the text of a small regular file, or one clear `RecipeError`."""
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
    """Like `load_document`, from text already read."""
    lines: dict[FieldPath, int] = {}
    try:
        loader = yaml.SafeLoader(text)
    except ReaderError as error:
        raise RecipeError(
            "not valid YAML",
            file=file,
            line=text.count("\n", 0, error.position) + 1,
            got=f"character {ord(text[error.position]):#x}",
            expected="printable text",
        ) from error
    try:
        data = _Reader(loader, file, lines).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RecipeError(
            "not valid YAML",
            file=file,
            line=mark.line + 1 if mark else None,
            got=ascii(error.problem or error.context)[1:-1],
            todo="Mend the syntax at that line",
        ) from error
    except (ValueError, OverflowError) as error:  # an escape that names no character
        raise RecipeError(
            "not valid YAML",
            file=file,
            line=loader.line + 1,
            got="an escape that names no character",
            todo="Mend the escape",
        ) from error
    return Document(file, data, lines)


def parse_model(
    document: Document,
    model: type[Model] | TypeAdapter[Model],
    *,
    todo: str | None = None,
    context: Any = None,
) -> Model:
    """Validate `document` as `model`; the first fault is raised as a `RecipeError`.

    `todo` says where its reader finds what each field takes; validators are given `context`.
    """
    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
    try:
        return adapter.validate_python(document.data, context=context)
    except ValidationError as error:
        faults = _own_faults(error.errors(include_url=False))
        # A key nobody knows is often a slip that leaves another one missing: it is named first.
        first = min(faults, key=lambda fault: fault["type"] not in _UNKNOWN_KEY)
        path = _document_path(document.data, first)
        line = document.line_of(path)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        missing = first["type"] in {"missing", "union_tag_not_found"}
        fault = FieldError(
            _sentence(first), got=None if missing else _shown(document.data, path, first["input"])
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


def _own_faults(faults: list[ErrorDetails]) -> list[ErrorDetails]:
    """Drop "too few items" of a list whose items are what is wrong."""
    places = {fault["loc"][:end] for fault in faults for end in range(len(fault["loc"]))}
    return [f for f in faults if f["type"] != "too_short" or f["loc"] not in places]


def _document_path(data: Any, fault: ErrorDetails) -> FieldPath:
    """Drop from pydantic's location what names no field of the file (union tags, validators)."""
    loc = fault["loc"]
    path: list[str | int] = []
    for index, step in enumerate(loc):
        if isinstance(data, dict):
            if step not in data and not (fault["type"] == "missing" and index == len(loc) - 1):
                continue
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            continue
        path.append(step)
    if fault["type"].startswith("union_tag_"):
        path.append(fault["ctx"]["discriminator"].strip("'"))
    return tuple(path)


def _sentence(fault: ErrorDetails) -> str:
    kind = fault["type"]
    if kind in _SENTENCES:
        return _SENTENCES[kind].format(**fault.get("ctx", {}))
    message = fault["msg"].removeprefix("Value error, ").replace("\n", " ")
    return re.sub("^Input should be ", "expected ", message)


def _shown(data: Any, path: FieldPath, got: Any) -> str:
    """Show the value that stands at `path`, or the kind of value it is."""
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
    """Write a path for people; a key is somebody else's text and may hold anything."""
    return ".".join(ascii(str(step))[1:-1][:120] for step in path)


class _Reader:
    """Turns the events of one file into plain data; refuses what a recipe never needs."""

    def __init__(self, loader: yaml.SafeLoader, file: str, lines: dict[FieldPath, int]) -> None:
        self._next: Callable[[], yaml.Event] = loader.get_event
        self._file, self._lines = file, lines
        self._values = 0

    def document(self) -> Any:
        self._next()  # the start of the stream
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise RecipeError("empty file", file=self._file, expected="a mapping of fields")
        data = self._value(self._next(), ())
        self._next()  # the end of the document
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            self._refuse(event, "more than one document", expected="one document")
        return data

    def _value(self, event: yaml.Event, path: FieldPath) -> Any:
        self._plain_only(event, path)
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
            self._plain_only(event, path)
            merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<"
            if not isinstance(event, yaml.ScalarEvent) or (merge and event.style is None):
                self._refuse(event, "keys are plain text", todo=_NO_YAML)
            here = (*path, event.value)
            if event.value in result:
                first = f"Line {self._lines[here]} has it already: keep one of them"
                self._refuse(event, "duplicate key", field=_dotted(here), todo=first)
            self._lines[here] = _line(event)
            result[event.value] = self._value(self._next(), here)
        return result

    def _plain_only(self, event: yaml.Event, path: FieldPath) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._refuse(event, "too many values", expected=f"at most {MAX_VALUES}")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "YAML anchors and aliases are refused", todo=_NO_YAML)
        if tag := getattr(event, "tag", None):
            self._refuse(event, "YAML tags are refused", got=ascii(tag)[:80], todo=_NO_YAML)
        if len(path) >= MAX_DEPTH:
            self._refuse(event, "nested too deep", expected=f"at most {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent) and not _encodable(event.value):
            self._refuse(event, "not Unicode text", got=ascii(event.value)[:80], todo=_NO_YAML)

    def _refuse(
        self,
        event: yaml.Event,
        what: str,
        *,
        field: str | None = None,
        got: str | None = None,
        expected: str | None = None,
        todo: str | None = None,
    ) -> NoReturn:
        line = _line(event)
        raise RecipeError(
            what, file=self._file, line=line, field=field, got=got, expected=expected, todo=todo
        )


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _encodable(text: str) -> bool:
    """Say whether `text` is free of lone surrogates, which escapes can smuggle in."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
