"""A center: who rebuilds, and where its things are.

Without a center file there is an implicit center `local`, with everything below SAMEBITS_HOME.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from builders.errors import UsageError
from builders.yamlfile import load_document, parse_model
from pipelines.evidence.opening import StoreAddress, store_address
from pipelines.evidence.s3settings import S3Section

LOCAL = "local"
NAMESPACE = "https://samebits.example/centers/"

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[\x21\x23-\x7e]+$")]


class KeySource(BaseModel):
    """A private key that is no file of ours: securesystemslib's URI of it, and its public file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: Uri
    public: Path


class CenterFile(BaseModel):
    """The file that describes a center; relative paths start at its folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class Center(BaseModel):
    """One center, with its folders resolved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    home: Path
    store: StoreAddress
    mirrors: tuple[str, ...] = ()
    """Base addresses of further Debian mirrors, such as a snapshot service of the center's own."""

    operator: str | None = None
    """The legal body that runs it; the center itself when its file names none."""
    region: str = "unspecified"
    policy: Path | None = None
    """The file that says who may review source, and how many must; without one nobody has to."""
    builder_uri: str | None = None
    verifier_uri: str | None = None
    signer: Path | None = None
    """The socket of its signer; without one, statements are signed in this process."""
    key_sources: tuple[tuple[str, KeySource], ...] = ()
    """Keys that are no files below `home`, by use. (A model that is passed to a task of Prefect may
    not have a field named `keys`: Prefect then takes it for a mapping.)"""

    @property
    def builder_id(self) -> str:
        """Who it is as a builder (SLSA's builder.id)."""
        return self.builder_uri or f"{NAMESPACE}{self.id}/builder"

    @property
    def verifier_id(self) -> str:
        """Who it is as a verifier (SLSA's verifier.id)."""
        return self.verifier_uri or f"{NAMESPACE}{self.id}/verifier"

    @property
    def key_folder(self) -> Path:
        """Where its key files are."""
        return self.home / "keys"

    @property
    def runs(self) -> Path:
        """Where the folders of running rebuilds are."""
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

    `store`, or else SAMEBITS_STORE, is the address of a store in place of the one that the file
    names; relative paths in it start at the working folder. Raises `UsageError` for one that cannot
    be read.
    """
    store = store or os.environ.get("SAMEBITS_STORE")
    if path is None:
        home = samebits_home()
        return Center(id=LOCAL, home=home, store=store_address(store) if store else home / "store")
    center = parse_model(load_document(path), CenterFile)
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
    )


def _address(store: str | S3Section | None, base: Path, home: Path) -> StoreAddress:
    match store:
        case None:
            return home / "store"
        case str():
            return store_address(store, base)
        case S3Section():
            return store.settings()
