"""Sizes and durations with their unit: `4GiB`, `30min`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_TIME_UNITS = {"s": 1, "min": 60, "h": 3600}
_NUMBER_UNIT = re.compile(r"([0-9]{1,9}) ?([A-Za-z]+)")


def parse_size(text: object) -> int:
    """Return bytes for `512MiB`, `4GiB`; raises ValueError."""
    return _parse(text, _SIZE_UNITS, "a size such as 512MiB or 4GiB")


def parse_duration(text: object) -> int:
    """Return seconds for `90s`, `30min`, `2h`; raises ValueError."""
    return _parse(text, _TIME_UNITS, "a time such as 90s, 30min or 2h")


def format_size(count: int) -> str:
    """Write bytes in the largest unit that keeps them whole."""
    return _format(count, _SIZE_UNITS)


def format_duration(seconds: int) -> str:
    """Write seconds in the largest unit that keeps them whole."""
    return _format(seconds, _TIME_UNITS)


def _format(count: int, units: dict[str, int]) -> str:
    whole = [unit for unit in units if count % units[unit] == 0 and (count or units[unit] == 1)]
    return f"{count // units[whole[-1]]}{whole[-1]}"


def _parse(text: object, units: dict[str, int], example: str) -> int:
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = _NUMBER_UNIT.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in units:
        raise ValueError(f"expected {example}")
    return int(match[1]) * units[match[2]]


def _schema(units: dict[str, int], description: str, *examples: str) -> WithJsonSchema:
    pattern = f"^[0-9]{{1,9}} ?({'|'.join(units)})$"
    text = {"type": "string", "description": description, "pattern": pattern}
    return WithJsonSchema({**text, "examples": list(examples)})


def between(low: str, high: str, parse: Callable[[object], int]) -> AfterValidator:
    """Return a validator that refuses values outside of `low` to `high`, both with their unit."""

    def check(value: int) -> int:
        if not parse(low) <= value <= parse(high):
            raise ValueError(f"expected between {low} and {high}")
        return value

    return AfterValidator(check)


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size),
    _schema(_SIZE_UNITS, "A number of bytes, with its unit.", "512MiB", "4GiB"),
]
Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    _schema(_TIME_UNITS, "A length of time, with its unit.", "90s", "30min", "2h"),
]
