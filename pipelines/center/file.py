"""The sections of a center file, with the checks of each field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from builders.core.units import Size, between, parse_size

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[\x21\x23-\x7e]+$")]
EngineHost = Annotated[str, StringConstraints(pattern=r"^(?:unix|tcp|ssh)://[\x21\x23-\x7e]+$")]
SQLITE = "sqlite"
_CRON_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day", 1, 31),
    ("month", 1, 12),
    ("weekday", 0, 7),
)
_CRON_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def _from_file(path: Path, info: ValidationInfo) -> Path:
    """Return a path that starts at the folder of the center file, the context of validation."""
    return path if info.context is None else info.context / path


LocalPath = Annotated[Path, AfterValidator(_from_file)]


def parse_cron(text: str) -> str:
    """Return five fields of cron in one spelling; raises ValueError that names the wrong field.

    A field is `*`, a number, a range, `*` or a range with a step, or a list of those. Names of days
    and months are refused, because not every implementation of cron reads them in the same way.
    """
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS):
        message = f"expected five fields of cron (minute hour day month weekday), got {len(fields)}"
        raise ValueError(message)
    for field, (name, low, high) in zip(fields, _CRON_FIELDS, strict=True):
        if not all(_cron_part_fits(part, low, high) for part in field.split(",")):
            message = f"expected a {name} of {low} to {high}, a range, a step or *, got {field!a}"
            raise ValueError(message)
    return " ".join(fields)


def parse_timezone(text: str) -> str:
    """Return the name of a time zone that this machine knows; raises ValueError."""
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            f"expected a time zone such as UTC or Europe/Berlin, got {text!a}"
        ) from error
    return text


def _cron_part_fits(part: str, low: int, high: int) -> bool:
    match = _CRON_PART.fullmatch(part)
    if match is None:
        return False
    first, last, step = (None if number is None else int(number) for number in match.groups())
    if step == 0 or (first is not None and last is None and step is not None):
        return False
    numbers = [number for number in (first, last) if number is not None]
    return all(low <= number <= high for number in numbers) and numbers == sorted(numbers)


class Section(BaseModel):
    """A part of the file: frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KeySource(Section):
    """A private key outside the key folder: its securesystemslib URI, and its public key file."""

    uri: Uri
    public: LocalPath


class PeerSection(Section):
    """Another center, and the address of its store."""

    id: Identifier
    store: str


class PrefectSection(Section):
    """The Prefect API of a center: an existing one (`api`), or its own server (`port`)."""

    api: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+/api$")] | None = None
    port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    database: str = SQLITE
    """`sqlite`, or a URL of PostgreSQL without a password."""
    database_file: LocalPath | None = None
    """A file (mode 0600) that holds the whole URL, including the password."""
    auth: LocalPath | None = None
    """A file (mode 0600) that holds `user:password`; it is created for the center's own server."""

    @property
    def url(self) -> str:
        """The URL of the API; the center's own server listens on loopback."""
        return self.api or f"http://127.0.0.1:{self.port}/api"

    @field_validator("database")
    @classmethod
    def _known(cls, url: str) -> str:
        parts = urlsplit(url)
        if url != SQLITE and parts.scheme != "postgresql+asyncpg":
            raise ValueError("expected sqlite or postgresql+asyncpg://user@host:port/name")
        if parts.password is not None:
            message = "a password does not belong here; put the URL into a file: database_file"
            raise ValueError(message)
        return url

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.api is None) == (self.port is None):
            message = "expected one of: api (a server that is there), port (a server of its own)"
            raise ValueError(message)
        if self.api is not None and (self.database != SQLITE or self.database_file):
            raise ValueError("the database belongs to the server, which is not the center's own")
        if self.database != SQLITE and self.database_file:
            raise ValueError("expected one of: database, database_file")
        return self


class NightSection(Section):
    """The schedule of the nightly runs, and their extent."""

    cron: Annotated[str, AfterValidator(parse_cron)] = "0 1 * * *"
    timezone: Annotated[str, AfterValidator(parse_timezone)] = "UTC"
    shard: Annotated[int, Field(ge=1, le=500)] = 10
    """Releases in one flow run; each flow run costs 3 s of CPU."""
    rebuild_every: Annotated[int, Field(ge=1, le=365)] = 7
    """Nights after which an unchanged release is rebuilt at the latest."""
    robustness_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the rebuilt releases that is rebuilt again in a varied environment."""


class LimitsSection(Section):
    """Limits of a center's rebuilds on one machine; None is the whole machine."""

    concurrency: Annotated[int, Field(ge=1, le=256)] | None = None
    """Flow runs that rebuild at once; by default one for each core."""
    memory: Annotated[Size, between("256MiB", "64TiB", parse_size)] | None = None
