"""The file that describes a center: what may stand in it, and what each field takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from builders.core.units import Size, between, parse_size
from pipelines.center.schedule import parse_cron, parse_timezone
from pipelines.storage.s3settings import S3Section

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[\x21\x23-\x7e]+$")]
EngineHost = Annotated[str, StringConstraints(pattern=r"^(?:unix|tcp|ssh)://[\x21\x23-\x7e]+$")]
SQLITE = "sqlite"


class Section(BaseModel):
    """A part of the file: frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KeySource(Section):
    """A private key that is no file of ours: securesystemslib's URI of it, and its public file."""

    uri: Uri
    public: Path


class PeerSection(Section):
    """Another center, and the store whose public part is read of it."""

    id: Identifier
    store: str


class PrefectSection(Section):
    """The Prefect API of a center: one that is there (`api`), or a server of its own (`port`)."""

    api: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+/api$")] | None = None
    port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    database: str = SQLITE
    """`sqlite`, or a URL of PostgreSQL without a password."""
    database_file: str | None = None
    """A file (mode 0600) that holds the whole URL, password and all."""
    auth: str | None = None
    """A file (mode 0600) that holds `user:password`; for a server of its own it is made."""

    @field_validator("database")
    @classmethod
    def _known(cls, url: str) -> str:
        parts = urlsplit(url)
        if url != SQLITE and parts.scheme != "postgresql+asyncpg":
            message = "expected sqlite or postgresql+asyncpg://user@host:port/name"
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
        if self.api is not None and (self.database != SQLITE or self.database_file):
            message = "the database belongs to the server, which is not the center's own"
            raise ValueError(message)
        if self.database != SQLITE and self.database_file:
            message = "expected one of: database, database_file"
            raise ValueError(message)
        return self


class NightSection(Section):
    """When the night is, and what is done in it."""

    cron: Annotated[str, AfterValidator(parse_cron)] = "0 1 * * *"
    timezone: Annotated[str, AfterValidator(parse_timezone)] = "UTC"
    shard: Annotated[int, Field(ge=1, le=500)] = 10
    """Releases of one flow run: the 3 s of CPU that a flow run costs are shared by them."""
    rebuild_every: Annotated[int, Field(ge=1, le=365)] = 7
    """Nights after which an unchanged release is rebuilt at the latest."""
    robustness_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Part of the rebuilt releases that is rebuilt once more in a moved environment."""


class LimitsSection(Section):
    """What the rebuilds of a center may take of one machine; None is all of it."""

    concurrency: Annotated[int, Field(ge=1, le=256)] | None = None
    """Flow runs that rebuild at once; by default one for each core."""
    memory: Annotated[Size, between("256MiB", "64TiB", parse_size)] | None = None


class CenterFile(Section):
    """The file as a whole; relative paths start at its folder."""

    schema_: Annotated[Literal["samebits/center/v1"], Field(alias="schema")]
    id: Identifier
    home: str | None = None
    store: str | S3Section | None = None
    mirrors: tuple[str, ...] = ()
    operator: Identifier | None = None
    region: Identifier = "unspecified"
    policy: str | None = None
    builder_id: Uri | None = None
    verifier_id: Uri | None = None
    signer: str | None = None
    keys: dict[Literal["statements", "log", "witness"], KeySource] = Field(default_factory=dict)
    recipes: str | None = None
    """The folder with `releases` and `images`; by default the one of this checkout."""
    peers: tuple[PeerSection, ...] = ()
    engine: EngineHost | None = None
    """Where the container engine listens; by default DOCKER_HOST or the usual socket."""
    prefect: PrefectSection | None = None
    pool: Identifier | None = None
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    night: NightSection = NightSection()
    limits: LimitsSection = LimitsSection()

    @model_validator(mode="after")
    def _peers_are_others(self) -> Self:
        names = [self.id, *(peer.id for peer in self.peers)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            message = f"a peer is another center, and named once, got {twice[0]} twice"
            raise ValueError(message)
        return self
