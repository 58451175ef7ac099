"""When a night begins: five fields of cron in a named time zone, checked where they are written."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def parse_cron(text: str) -> str:
    """Return five fields of cron in one spelling; raises ValueError that names the wrong field.

    A field is `*`, a number, a range, any of them with a step, or a list of those; names of days
    and months are not taken, so that every reader of cron reads the same.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        message = f"expected five fields of cron (minute hour day month weekday), got {len(fields)}"
        raise ValueError(message)
    for field, (name, low, high) in zip(fields, _FIELDS, strict=True):
        if not all(_fits(part, low, high) for part in field.split(",")):
            message = f"expected a {name} of {low} to {high}, a range, a step or *, got {field!a}"
            raise ValueError(message)
    return " ".join(fields)


def parse_timezone(text: str) -> str:
    """Return the name of a time zone that this machine knows; raises ValueError."""
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError) as error:
        message = f"expected a time zone such as UTC or Europe/Berlin, got {text!a}"
        raise ValueError(message) from error
    return text


def _fits(part: str, low: int, high: int) -> bool:
    match = _PART.fullmatch(part)
    if match is None:
        return False
    first, last, step = (None if number is None else int(number) for number in match.groups())
    if step == 0 or (first is not None and last is None and step is not None):
        return False
    numbers = [number for number in (first, last) if number is not None]
    return all(low <= number <= high for number in numbers) and numbers == sorted(numbers)
