"""The declared clock and declared file times, in whole seconds since 1970 (UTC).

A time is written `2021-05-05T14:18:17Z`, which a reviewer can read, or as a number of seconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from builders.core.frozen_model import FrozenModel

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
            raise ValueError("no such date or time of day") from error
    raise ValueError(
        "expected a time in UTC such as 2021-05-05T14:18:17Z, or whole seconds since 1970"
    )


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


class Clock(FrozenModel):
    """What the build reads as the time, and as the times of files that it makes."""

    time: Annotated[
        Timestamp, Field(ge=EARLIEST, description="The time at which the build starts.")
    ]
    mode: Annotated[
        ClockMode, Field(description="Whether the clock is frozen, or advances from there.")
    ] = "frozen"
    then: Annotated[
        Timestamp | None,
        Field(description="The second time of a frozen clock, for builds of wheels."),
    ] = None
    before: Annotated[
        ClockStep,
        Field(
            description="When the second time begins. `wheel`: after the metadata and before the "
            "wheel is made, in one run, as `setup.py sdist bdist_wheel` does. `record`: after the "
            "files of the wheel are made and before they are packed; it shows in RECORD only."
        ),
    ] = "wheel"

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        if self.then is None:
            if "before" in self.model_fields_set:
                raise ValueError("expected `then` beside `before`: the time of the second step")
        elif self.mode != "frozen":
            raise ValueError("expected mode frozen beside `then`: only a frozen clock has steps")
        elif self.then <= self.time:
            first = format_timestamp(self.time)
            raise ValueError(f"expected `then` after {first}, the time of the first step")
        return self

    def declared(self) -> dict[str, str]:
        """Return the clock as the claim contains it."""
        declared = {"mode": str(self.mode), "time": format_timestamp(self.time)}
        if self.then is not None:
            declared |= {"then": format_timestamp(self.then), "before": str(self.before)}
        return declared

    def configuration(self) -> bytes:
        """Return the file that the preloaded library and its probe read."""
        then = "" if self.then is None else f" {self.then}"
        return f"{self.mode} {self.time}{then}\n".encode()
