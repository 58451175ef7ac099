"""A center: its identity, folders, store and settings.

Without a center file there is an implicit center `local`, with everything below SAMEBITS_HOME.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from builders.core.errors import UsageError
from builders.core.yamlfile import load_document, parse_model
from pipelines.center.file import (
    SQLITE,
    CenterFile,
    KeySource,
    LimitsSection,
    NightSection,
    PrefectSection,
)
from pipelines.storage.opening import StoreAddress, store_address
from pipelines.storage.s3settings import S3Section

LOCAL = "local"
NAMESPACE = "https://samebits.example/centers/"
_CHECKOUT = Path(__file__).resolve().parents[2]


def recipes_folder() -> Path:
    """Return SAMEBITS_RECIPES, by default the `recipes` folder of this checkout."""
    return Path(os.environ.get("SAMEBITS_RECIPES") or _CHECKOUT / "recipes").absolute()


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another center; only the public part of its store is read."""

    id: str
    store: StoreAddress


@dataclass(frozen=True, kw_only=True)
class Prefect:
    """The Prefect API of a center, and the settings of its own server."""

    url: str
    port: int | None = None
    """The port of the center's own server, on loopback; None for another server."""
    database: str | None = None
    """URL of PostgreSQL without a password; None is SQLite in the center's home."""
    database_file: Path | None = None
    """A file that holds the URL."""
    auth: Path | None = None
    """A file that holds `user:password`."""


class Center(BaseModel):
    """One center, with absolute paths."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    home: Path
    store: StoreAddress
    mirrors: tuple[str, ...] = ()
    """Base addresses of further Debian mirrors, such as a snapshot service of the center's own."""

    operator: str | None = None
    """The legal entity that runs it; by default the id of the center."""
    region: str = "unspecified"
    policy: Path | None = None
    """The signed policy; without one no reviews are required."""
    builder_uri: str | None = None
    verifier_uri: str | None = None
    signer: Path | None = None
    """The socket of its signer; None signs statements in this process."""
    key_sources: tuple[tuple[str, KeySource], ...] = ()
    """Keys outside `key_folder`, by use. (The field is not named `keys`, because Prefect takes an
    argument of a task with such an attribute for a mapping.)"""

    file: Path | None = None
    """The file that describes it; None for the implicit center."""
    recipes: Path = Field(default_factory=recipes_folder)
    """The folder with `releases` and `images`."""
    peers: tuple[Peer, ...] = ()
    engine: str | None = None
    """Address of its container engine; None is DOCKER_HOST or the default socket."""
    prefect: Prefect | None = None
    pool_name: str | None = None
    workers: int = 1
    night: NightSection = NightSection()
    limits: LimitsSection = LimitsSection()

    @property
    def builder_id(self) -> str:
        """Its identifier as a builder (SLSA's builder.id)."""
        return self.builder_uri or f"{NAMESPACE}{self.id}/builder"

    @property
    def verifier_id(self) -> str:
        """Its identifier as a verifier (SLSA's verifier.id)."""
        return self.verifier_uri or f"{NAMESPACE}{self.id}/verifier"

    @property
    def pool(self) -> str:
        """The Prefect work pool of its flow runs."""
        return self.pool_name or self.id

    @property
    def origin(self) -> str:
        """The origin of its log (C2SP tlog-checkpoint: a URL without its scheme)."""
        return f"{NAMESPACE.removeprefix('https://')}{self.id}"

    @property
    def key_folder(self) -> Path:
        """The folder of its key files."""
        return self.home / "keys"

    @property
    def concurrency(self) -> int:
        """Flow runs that may rebuild at once on one machine."""
        return self.limits.concurrency or os.cpu_count() or 1

    @property
    def runs(self) -> Path:
        """The parent folder of running rebuilds."""
        return self.home / "runs"


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


def load_center(path: Path | None, store: str | None = None) -> Center:
    """Read a center file, or return the implicit center; raises `RecipeError`.

    `store`, or else SAMEBITS_STORE, is the address of a store that replaces the one in the file; a
    relative path starts at the working folder. Raises `UsageError` for an invalid address.
    """
    store = store or os.environ.get("SAMEBITS_STORE")
    if path is None:
        home = samebits_home()
        own = home / "policy" / "policy.dsse.json"
        return Center(
            id=LOCAL,
            home=home,
            store=store_address(store) if store else home / "store",
            policy=own if own.exists() else None,
        )
    center = parse_model(
        load_document(path), CenterFile, todo="infra/centers has examples of such a file"
    )
    base = path.parent.absolute()
    home = base / center.home if center.home else samebits_home() / "centers" / center.id
    return Center(
        id=center.id,
        home=home,
        store=store_address(store) if store else _address(center.store, base, home),
        mirrors=center.mirrors,
        operator=center.operator or center.id,
        region=center.region,
        policy=base / center.policy if center.policy else None,
        builder_uri=center.builder_id,
        verifier_uri=center.verifier_id,
        signer=base / center.signer if center.signer else None,
        key_sources=tuple(
            (use, KeySource(uri=key.uri, public=base / key.public))
            for use, key in sorted(center.keys.items())
        ),
        file=path.absolute(),
        recipes=base / center.recipes if center.recipes else recipes_folder(),
        peers=tuple(Peer(id=p.id, store=store_address(p.store, base)) for p in center.peers),
        engine=center.engine,
        prefect=_prefect(center.prefect, base, home) if center.prefect else None,
        pool_name=center.pool,
        workers=center.workers,
        night=center.night,
        limits=center.limits,
    )


def _prefect(section: PrefectSection, base: Path, home: Path) -> Prefect:
    auth = base / section.auth if section.auth else None
    if section.port is None:
        return Prefect(url=section.api or "", auth=auth)
    return Prefect(
        url=f"http://127.0.0.1:{section.port}/api",
        port=section.port,
        database=None if section.database == SQLITE else section.database,
        database_file=base / section.database_file if section.database_file else None,
        auth=auth or home / "standing" / "auth",
    )


def _address(store: str | S3Section | None, base: Path, home: Path) -> StoreAddress:
    match store:
        case None:
            return home / "store"
        case str():
            return store_address(store, base)
        case S3Section():
            return store.settings()
