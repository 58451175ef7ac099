"""Sizes and times as people write them: `4GiB`, `30min`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_TIME_UNITS = {"s": 1, "min": 60, "h": 3600}
_NUMBER_UNIT = re.compile(r"(\d{1,9})\s?([A-Za-z]+)")


def parse_size(text: object) -> int:
    """Return bytes for `512MiB`, `4GiB`; raises ValueError."""
    return _parse(text, _SIZE_UNITS, "a size such as 512MiB or 4GiB")


def parse_time(text: object) -> int:
    """Return seconds for `90s`, `30min`, `2h`; raises ValueError."""
    return _parse(text, _TIME_UNITS, "a time such as 90s, 30min or 2h")


def show_size(count: int) -> str:
    """Write bytes in the largest unit that keeps them whole."""
    unit = max((u for u in _SIZE_UNITS if count % _SIZE_UNITS[u] == 0), key=_SIZE_UNITS.__getitem__)
    return f"{count // _SIZE_UNITS[unit]}{unit}"


def show_time(seconds: int) -> str:
    """Write seconds in the largest unit that keeps them whole."""
    unit = max(
        (u for u in _TIME_UNITS if seconds % _TIME_UNITS[u] == 0), key=_TIME_UNITS.__getitem__
    )
    return f"{seconds // _TIME_UNITS[unit]}{unit}"


def _parse(text: object, units: dict[str, int], example: str) -> int:
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = _NUMBER_UNIT.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in units:
        message = f"expected {example}"
        raise ValueError(message)
    return int(match[1]) * units[match[2]]


Size = Annotated[
    int,
    BeforeValidator(parse_size, json_schema_input_type=str),
    PlainSerializer(show_size),
]
Duration = Annotated[
    int,
    BeforeValidator(parse_time, json_schema_input_type=str),
    PlainSerializer(show_time),
]
