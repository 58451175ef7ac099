"""The format of a center file, with the checks of each field."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from builders.core.errors import UsageError
from builders.core.units import Duration, Size, between, parse_duration, parse_size
from builders.core.yamlfile import FieldError
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.publickey import KeyUse
from pipelines.evidence.tokenuri import names_token, parse_token_uri
from pipelines.storage.bounded import BYTES, SECONDS
from pipelines.storage.s3settings import S3Settings


def _identifier(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text):
        message = "expected at most 63 lower-case letters, digits and hyphens, as in europe-trust"
        raise ValueError(message)
    return text


Identifier = Annotated[str, AfterValidator(_identifier)]
Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[\x21\x23-\x7e]+$")]
EngineHost = Annotated[str, StringConstraints(pattern=r"^(?:unix|tcp|ssh)://[\x21\x23-\x7e]+$")]
NAMESPACE = "https://samebits.example/centers/"
_CHECKOUT = Path(__file__).resolve().parents[2]
AUTO, POSTGRESQL, SQLITE = "auto", "postgresql", "sqlite"
"""Databases of a center's own Prefect server that have no URL."""
_CRON = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
"""The fields of cron, each with its lowest and its highest number."""
_CRON_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def _from_file(path: Path, info: ValidationInfo) -> Path:
    """Return a path that starts at the folder of the center file, the context of validation."""
    if path == Path():
        raise ValueError("expected a path that is not empty")
    return path if info.context is None else info.context / path


LocalPath = Annotated[Path, AfterValidator(_from_file)]


def parse_cron(text: str) -> str:
    """Return five fields of cron in one spelling; raises ValueError that names the wrong field.

    A field is `*`, a number, a range, `*` or a range with a step, or a list of those. Names of days
    and months are refused, because not every implementation of cron reads them in the same way.
    """
    fields = text.split()
    if len(fields) != len(_CRON):
        message = f"expected five fields of cron (minute hour day month weekday), got {len(fields)}"
        raise ValueError(message)
    for field, (name, (low, high)) in zip(fields, _CRON.items(), strict=True):
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


def _key_uri(text: object) -> object:
    """Check a `pkcs11:` URI before anything shows it; raises `FieldError`."""
    if isinstance(text, str) and names_token(text):
        try:
            parse_token_uri(text)
        except KeyFileError as error:
            raise FieldError(
                error.what, got=error.got, expected=error.expected, todo=error.todo
            ) from error
    return text


class KeySource(Section):
    """A private key outside the key folder: its URI, and its public key file."""

    uri: Annotated[Uri, BeforeValidator(_key_uri)]
    """`pkcs11:` (RFC 7512), or what securesystemslib has a signer for."""
    public: LocalPath


class PeerSection(Section):
    """Another center, the address of its store, and what reading it may cost in one round."""

    id: Identifier
    store: str
    time: Annotated[Duration, between("1s", "1h", parse_duration)] = SECONDS
    traffic: Annotated[Size, between("1MiB", "1TiB", parse_size)] = BYTES


class PrefectSection(Section):
    """The Prefect API of a center: an existing one (`api`), or its own server (`port`)."""

    api: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+/api$")] | None = None
    port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    database: str = AUTO
    """`postgresql` (the center's own), `sqlite`, or the URL of a PostgreSQL without a password;
    `auto` is a PostgreSQL of its own where that is installed, else SQLite."""
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
        if url not in {AUTO, POSTGRESQL, SQLITE} and parts.scheme != "postgresql+asyncpg":
            message = (
                "expected sqlite or postgresql, auto (postgresql where it is installed), or "
                "postgresql+asyncpg://user@host:port/name"
            )
            raise ValueError(message)
        if parts.password is not None:
            message = "a password does not belong here; put the URL into a file: database_file"
            raise ValueError(message)
        return url

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.api is None) == (self.port is None):
            message = "expected one of: api (a server that is there), port (a server of its own)"
            raise ValueError(message)
        no_url = self.database in {AUTO, SQLITE}
        if self.api is not None and (not no_url or self.database_file):
            raise ValueError("the database belongs to the server, which is not the center's own")
        if not no_url and self.database_file:
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


class KeepSection(Section):
    """How long `samebits center prune` keeps what is not needed."""

    inputs: Annotated[int, Field(ge=1, le=36500)] = 30
    """Days for inputs that nothing names, and for entries of caches."""
    nights: Annotated[int, Field(ge=1, le=36500)] = 90
    """Records of nights: the newest ones."""


def recipes_folder() -> Path:
    """Return SAMEBITS_RECIPES, by default the `recipes` folder of this checkout."""
    return Path(os.environ.get("SAMEBITS_RECIPES") or _CHECKOUT / "recipes").absolute()


def samebits_home() -> Path:
    """Return SAMEBITS_HOME, by default `samebits` in the user's data folder."""
    if home := os.environ.get("SAMEBITS_HOME"):
        return Path(home).absolute()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    try:
        return Path(data).expanduser().absolute() / "samebits"
    except RuntimeError as error:
        raise UsageError(
            "this user has no home folder", got=error, todo="Set SAMEBITS_HOME to a folder"
        ) from error


def local_policy_file(home: Path) -> Path:
    """Return the path of the signed local policy of the center whose home is `home`."""
    return home / "policy" / "policy.dsse.json"


class CenterSettings(Section):
    """What a center's file and the center have in common."""

    id: Identifier
    home: LocalPath = Field(default_factory=lambda data: samebits_home() / "centers" / data["id"])
    mirrors: tuple[str, ...] = ()
    """Base addresses of further Debian mirrors, such as a snapshot service of the center's own."""
    operator: Identifier = Field(default_factory=lambda data: data["id"])
    """The legal entity that runs it."""
    region: Identifier = "unspecified"
    policy: LocalPath = Field(default_factory=lambda data: local_policy_file(data["home"]))
    """The signed policy; by default the one that `samebits center init` makes."""
    builder_id: Uri = Field(default_factory=lambda data: f"{NAMESPACE}{data['id']}/builder")
    """Its identifier as a builder (SLSA's builder.id)."""
    verifier_id: Uri = Field(default_factory=lambda data: f"{NAMESPACE}{data['id']}/verifier")
    """Its identifier as a verifier (SLSA's verifier.id)."""
    signer: LocalPath | None = None
    """The socket of its signer; None signs statements in this process."""
    key_sources: Annotated[dict[KeyUse, KeySource], Field(alias="keys")] = Field(
        default_factory=dict
    )
    """Keys outside `key_folder`, by use. (The field is not named `keys`, because Prefect takes an
    argument of a task with such an attribute for a mapping.)"""
    recipes: LocalPath = Field(default_factory=recipes_folder)
    """The folder with `releases` and `images`."""
    engine: EngineHost | None = None
    """Address of its container engine; None is DOCKER_HOST or the default socket."""
    prefect: PrefectSection | None = None
    pool: Identifier = Field(default_factory=lambda data: data["id"])
    """The Prefect work pool of its flow runs."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    night: NightSection = NightSection()
    limits: LimitsSection = LimitsSection()
    keep: KeepSection = KeepSection()


class _Format(Section):
    """The version of a center file."""

    schema_: Annotated[Literal["samebits/center/v1"], Field(alias="schema")]


class CenterFile(CenterSettings, _Format):
    """The file as a whole; relative paths start at its folder."""

    store: str | S3Settings | None = None
    portal: str | S3Settings | None = None
    """Where each night builds the portal: a folder or a store of its own; None builds none."""
    peers: tuple[PeerSection, ...] = ()

    @model_validator(mode="after")
    def _peers_are_others(self) -> Self:
        names = [self.id, *(peer.id for peer in self.peers)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a peer is another center, and named once, got {twice[0]} twice")
        return self
