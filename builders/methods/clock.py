"""The declared clock and declared file times: whole seconds since 1970 (UTC), never more.

A time is a scalar that a reviewer can read, so it is written `2021-05-05T14:18:17Z` or as a number
of seconds, and kept as the number.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

# Before 1985 a deadline cannot be told from a monotonic one (builders/preload/clock.c), and after
# 2107 no zip archive has a date.
EARLIEST = 473_385_600
LATEST = 4_354_819_199
_FORM = "%Y-%m-%dT%H:%M:%SZ"
_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_PATTERN = r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z|\d{1,10})$"


def parse_timestamp(value: object) -> int:
    """Return seconds since 1970 for `2021-05-05T14:18:17Z` or a number; raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}", value, re.ASCII):
        return int(value)
    if isinstance(value, str) and _TEXT.fullmatch(value):
        try:
            return int(datetime.strptime(value, _FORM).replace(tzinfo=UTC).timestamp())
        except ValueError as error:
            message = "no such date or time of day"
            raise ValueError(message) from error
    message = "expected a time in UTC such as 2021-05-05T14:18:17Z, or whole seconds since 1970"
    raise ValueError(message)


def format_timestamp(seconds: int) -> str:
    """Write seconds since 1970 as `2021-05-05T14:18:17Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_FORM)


Timestamp = Annotated[
    int,
    BeforeValidator(parse_timestamp),
    Field(ge=0, le=LATEST),
    PlainSerializer(format_timestamp),
    WithJsonSchema(
        {
            "type": ["string", "integer"],
            "description": "A time in UTC, or whole seconds since 1970.",
            "pattern": _PATTERN,
            "minimum": 0,
            "maximum": LATEST,
            "examples": ["2021-05-05T14:18:17Z", 1620224297],
        }
    ),
]
ClockMode = Literal["frozen", "advancing"]
ClockStep = Literal["wheel", "record"]


class Clock(BaseModel):
    """What the build reads as the time, and as the times of files that it makes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: Annotated[
        Timestamp, Field(ge=EARLIEST, description="The time at which the build starts.")
    ]
    mode: Annotated[
        ClockMode, Field(description="Whether the clock stands still, or goes on from there.")
    ] = "frozen"
    then: Annotated[
        Timestamp | None,
        Field(
            description="The time to which the clock of a wheel's build goes on once; frozen too."
        ),
    ] = None
    before: Annotated[
        ClockStep,
        Field(
            description="When it goes on. `wheel`: once the metadata is made and before the wheel "
            "is, in one run, as `setup.py sdist bdist_wheel` does. `record`: once all files of the "
            "wheel are made and before it is packed, which only its RECORD shows."
        ),
    ] = "wheel"

    @model_validator(mode="after")
    def _steps(self) -> Self:
        if self.then is None:
            if "before" in self.model_fields_set:
                message = "expected `then` beside `before`: the time to which the clock goes on"
                raise ValueError(message)
            return self
        if self.mode != "frozen":
            message = "expected mode frozen beside `then`: a clock that goes on has no second step"
            raise ValueError(message)
        if self.then <= self.time:
            message = (
                f"expected `then` after {format_timestamp(self.time)}, the time of the first step"
            )
            raise ValueError(message)
        return self

    def declared(self) -> dict[str, str]:
        """Return what the claim holds of the clock."""
        declared = {"mode": str(self.mode), "time": format_timestamp(self.time)}
        if self.then is not None:
            declared |= {"then": format_timestamp(self.then), "before": str(self.before)}
        return declared

    def configuration(self) -> bytes:
        """Return the file that the preload and its probe read."""
        then = "" if self.then is None else f" {self.then}"
        return f"{self.mode} {self.time}{then}\n".encode()
