"""Members of JSON objects with their places, so that those of one name are all found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from pipelines.rules.languages.rule_text import bad_rule

JOINED = "\x01"
"""Stands where a line goes on in the next one, and is read as nothing."""
_BLANK = re.compile(rf"[ \t\r\n{JOINED}]*")


@dataclass(frozen=True, slots=True)
class JsonMember:
    """A member of an object."""

    name: str
    start: int
    """Where its name begins."""
    value: int
    """Where its value begins."""
    end: int

    def read(self, text: str) -> Any:
        """Return its value; raises `RuleSyntaxError` if an object in it has a name twice."""
        return _decoded(_STRICT, text, self.value)[0]


def members_of(text: str, at: int = 0) -> Iterator[JsonMember]:
    """Yield the members of the object at `at`; raises `RuleSyntaxError`."""
    at = _expected("{", text, _blank(text, at))
    while text[at : at + 1] != "}":
        start = at
        if text[at : at + 1] != '"':
            raise bad_rule("no name of a member of JSON", text[at : at + 40])
        name, at = _decoded(_LOOSE, text, at)
        value = _expected(":", text, _blank(text, at))
        end = _decoded(_LOOSE, text, value)[1]
        yield JsonMember(name.replace(JOINED, ""), start, value, end)
        at = _blank(text, end)
        if text[at : at + 1] == ",":
            at = _blank(text, at + 1)
            if text[at : at + 1] == "}":
                raise bad_rule("a comma before the end of an object of JSON", name)
        elif text[at : at + 1] != "}":
            raise bad_rule("no comma between members of JSON", text[at : at + 40])


def end_of_object(text: str) -> int:
    """Return where the first value of `text` ends; raises `RuleSyntaxError`."""
    return _blank(text, _decoded(_LOOSE, text, _blank(text, 0))[1])


def _expected(letter: str, text: str, at: int) -> int:
    if text[at : at + 1] != letter:
        raise bad_rule("not valid JSON", text[at : at + 40], f"`{letter}`")
    return _blank(text, at + 1)


def _blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _decoded(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        raise bad_rule("not valid JSON", str(error)) from error


def _no_number(text: str) -> NoReturn:
    raise bad_rule("a number that JSON does not have", text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad_rule("an object of JSON that has a name twice", ", ".join(k for k, _ in pairs))
    return found


_LOOSE = json.JSONDecoder(parse_constant=_no_number, strict=False)
_STRICT = json.JSONDecoder(parse_constant=_no_number, strict=False, object_pairs_hook=_once)
