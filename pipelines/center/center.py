"""A center: its identity, folders, store and settings.

Without a center file there is an implicit center `local`, with everything below SAMEBITS_HOME.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from builders.core.yamlfile import load_document, parse_model
from pipelines.center.file import NAMESPACE, CenterFile, CenterSettings, samebits_home
from pipelines.storage.bounded import BYTES, SECONDS, BoundedStore, PeerBudget
from pipelines.storage.opening import StoreAddress, open_peer_store, store_address
from pipelines.storage.s3settings import S3Settings

LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another center; only the public part of its store is read."""

    id: str
    store: StoreAddress
    time: int = SECONDS
    """Seconds that reading it may take in one round."""
    traffic: int = BYTES
    """Bytes that it may send in one round."""

    def open(self) -> BoundedStore:
        """Open its store for one round."""
        return open_peer_store(self.store, PeerBudget(self.time, self.traffic))


class Center(CenterSettings):
    """One center, with absolute paths."""

    store: StoreAddress
    portal: StoreAddress | None = None
    """Where each night builds the portal."""
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


def load_center(
    path: Path | None, store: str | None = None, *, stands_for: Path | None = None
) -> Center:
    """Read a center file, or return the implicit center; raises `RecipeError`.

    `store`, or else SAMEBITS_STORE, is the address of a store that replaces the one in the file; a
    relative path starts at the working folder. `stands_for` is the file that `path` is a copy of.
    Raises `UsageError` for an invalid address.
    """
    store = store or os.environ.get("SAMEBITS_STORE")
    if path is None:
        home = samebits_home()
        return Center(id=LOCAL, home=home, store=store_address(store) if store else home / "store")
    file = (stands_for or path).absolute()
    base = file.parent
    todo = "infra/centers has examples of such a file"
    given = parse_model(load_document(path), CenterFile, todo=todo, context=base)
    prefect = given.prefect
    if prefect and prefect.port and not prefect.auth:
        prefect = prefect.model_copy(update={"auth": given.home / "standing" / "auth"})
    settings = dict(given) | {
        "store": store_address(store)
        if store
        else _address(given.store, base) or given.home / "store",
        "portal": _address(given.portal, base),
        "peers": tuple(
            Peer(**{**dict(p), "store": store_address(p.store, base)}) for p in given.peers
        ),
        "prefect": prefect,
    }
    del settings["schema_"]
    return Center.model_construct(file=file, **settings)


def _address(store: str | S3Settings | None, base: Path) -> StoreAddress | None:
    return store_address(store, base) if isinstance(store, str) else store
