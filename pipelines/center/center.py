"""A center: its identity, folders, store and settings.

Without a center file there is an implicit center `local`, with everything below SAMEBITS_HOME.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from builders.core.errors import UsageError
from builders.core.yamlfile import load_document, parse_model
from pipelines.center.file import (
    EngineHost,
    Identifier,
    KeySource,
    LimitsSection,
    LocalPath,
    NightSection,
    PeerSection,
    PrefectSection,
    Section,
    Uri,
)
from pipelines.evidence.publickey import KeyUse
from pipelines.storage.opening import StoreAddress, store_address
from pipelines.storage.s3settings import S3Settings

LOCAL = "local"
NAMESPACE = "https://samebits.example/centers/"
_CHECKOUT = Path(__file__).resolve().parents[2]


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


class _Settings(Section):
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


class _Format(Section):
    """The version of a center file."""

    schema_: Annotated[Literal["samebits/center/v1"], Field(alias="schema")]


class CenterFile(_Settings, _Format):
    """The file as a whole; relative paths start at its folder."""

    store: str | S3Settings | None = None
    peers: tuple[PeerSection, ...] = ()

    @model_validator(mode="after")
    def _peers_are_others(self) -> Self:
        names = [self.id, *(peer.id for peer in self.peers)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a peer is another center, and named once, got {twice[0]} twice")
        return self


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another center; only the public part of its store is read."""

    id: str
    store: StoreAddress


class Center(_Settings):
    """One center, with absolute paths."""

    store: StoreAddress
    peers: tuple[Peer, ...] = ()
    file: Path | None = None
    """The file that describes it; None for the implicit center."""

    def __hash__(self) -> int:
        """Return the hash of its places; the key sources have none."""
        return hash((self.id, self.file, self.home))

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


def load_center(path: Path | None, store: str | None = None) -> Center:
    """Read a center file, or return the implicit center; raises `RecipeError`.

    `store`, or else SAMEBITS_STORE, is the address of a store that replaces the one in the file; a
    relative path starts at the working folder. Raises `UsageError` for an invalid address.
    """
    store = store or os.environ.get("SAMEBITS_STORE")
    if path is None:
        home = samebits_home()
        return Center(id=LOCAL, home=home, store=store_address(store) if store else home / "store")
    base = path.parent.absolute()
    todo = "infra/centers has examples of such a file"
    given = parse_model(load_document(path), CenterFile, todo=todo, context=base)
    prefect = given.prefect
    if prefect and prefect.port and not prefect.auth:
        prefect = prefect.model_copy(update={"auth": given.home / "standing" / "auth"})
    settings = dict(given) | {
        "store": store_address(store) if store else _address(given.store, base, given.home),
        "peers": tuple(Peer(id=p.id, store=store_address(p.store, base)) for p in given.peers),
        "prefect": prefect,
    }
    del settings["schema_"]
    return Center.model_construct(file=path.absolute(), **settings)


def _address(store: str | S3Settings | None, base: Path, home: Path) -> StoreAddress:
    if store is None:
        return home / "store"
    return store_address(store, base) if isinstance(store, str) else store
