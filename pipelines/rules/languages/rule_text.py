"""Text of rules: decoded without loss, and split as rule languages write it."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pipelines.rules.languages.rule_language import RuleFault, RuleSyntaxError
from pipelines.rules.rule import Bound, Language, Pattern, Rule, make_rule

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_ENCODED = _REPLACEMENT.encode()
_ERRORS = "rule-bytes"


def _keep(error: UnicodeError) -> tuple[str, int]:
    """Write bytes that are no UTF-8 as U+FFFD and their two digits each."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(f"{_REPLACEMENT}{byte:02x}" for byte in bad), error.end


codecs.register_error(_ERRORS, _keep)


def text_of(data: bytes) -> str:
    """Decode UTF-8 so that different bytes stay different texts, whatever they are."""
    if data.isascii():
        return data.decode("ascii")
    return data.replace(_ENCODED, _ENCODED + b"FFFD").decode("utf-8", _ERRORS)


def placed(one: Rule | RuleFault, path: str, line: int) -> Rule | RuleFault:
    """Return what was read of a part of a file, `line` lines below its start."""
    if isinstance(one, Rule):
        return replace(one, file=path, line=one.line + line)
    return RuleFault(file=path, line=one.line + line, what=one.what)


def lines_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line, without its end."""
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
        yield number, line.removesuffix(b"\r")


def _plain(value: object) -> object:
    match value:
        case Pattern():
            return [value.name, value.value, value.modifiers]
        case Bound():
            return [value.lowest, value.highest]
        case _:
            return str(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain)


def canonical(value: object) -> str:
    """Return a value as JSON with sorted keys: equal texts for equal values.

    Raises `RuleSyntaxError` for keys of several types, and numbers without end.
    """
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError) as error:
        raise bad_rule("values that cannot be written", str(error)) from error


def rule_of_facts(
    language: Language,
    identity: str,
    *,
    file: str,
    line: int,
    text: bytes,
    facts: Mapping[str, object],
    metadata: Mapping[str, object],
) -> Rule:
    """Return a rule whose logic is `facts`, and whose normalized form is all that is given.

    What an engine acts on has to be among the facts; a change of logic then shows in one of them.
    """
    logic = canonical(facts)
    return make_rule(
        language=language,
        identity=identity,
        file=file,
        line=line,
        text=text,
        normalized=f"{canonical([identity, metadata])}{logic}",
        logic=logic,
        **facts,
        **metadata,
    )


def bad_rule(what: str, got: str = "", expected: str | None = None) -> RuleSyntaxError:
    """Return the error for one rule, with the beginning of what was found."""
    return RuleSyntaxError(what, got=got[:80] or None, expected=expected)
