"""The live things of a center in one process: store, vault, fetcher, images, engine.

Flows and tasks pass frozen values around; whoever needs a client asks here.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from builders.core.errors import CancelledError
from builders.engine import Engine
from builders.images import Images
from builders.inputs.vault import Vault
from builders.locators.aptstate import AptStates
from builders.locators.machine import MachineFetcher
from pipelines.center.center import Center
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from pipelines.storage.nearby import NearbyStore
from pipelines.storage.opening import CenterStore, open_center_store
from pipelines.storage.outbox import Flushed, OutboxStore
from pipelines.verify.budget import Ledger

if TYPE_CHECKING:
    from pipelines.center.logbook import Logbook

_REPOSITORY = Path(__file__).resolve().parents[2]


def recipes_folder() -> Path:
    """Return SAMEBITS_RECIPES, by default the `recipes` folder of this checkout."""
    return Path(os.environ.get("SAMEBITS_RECIPES") or _REPOSITORY / "recipes").absolute()


class Workshop:
    """Everything that a center's runs share within one process; each part is made when needed."""

    def __init__(self, center: Center) -> None:
        """Work for `center`."""
        self.center = center
        self.cancelled = threading.Event()
        self._image_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    @cached_property
    def store(self) -> CenterStore:
        """The center's evidence store."""
        return open_center_store(self.center.store, self.center.home / "outbox")

    def prepare(self) -> None:
        """Make the parts that runs share, before threads could make two of one."""
        _ = self.vault, self.fetcher, self.images, self.engine, self.budget

    def go_on(self) -> None:
        """Raise `CancelledError` once somebody asked for everything to stop."""
        if self.cancelled.is_set():
            raise CancelledError("the run was cancelled")

    def check_store(self) -> None:
        """Write a few bytes, so that a store that takes none is found out before anything runs."""
        self.store.put_cas(Visibility.PRIVATE, b"samebits can write here\n")

    @cached_property
    def vault(self) -> Vault:
        """The center's inputs; those of a store far away are kept here too."""
        if isinstance(self.store, DirectoryStore):
            return Vault(self.store)
        return Vault(NearbyStore(self.center.home / "vault", self.store))

    def flush(self) -> Flushed | None:
        """Send the evidence that waits; None for a store that nothing waits for."""
        return self.store.flush() if isinstance(self.store, OutboxStore) else None

    def logbook(self) -> Logbook:
        """Return the center's log; raises `KeyFileError` without its key."""
        from pipelines.center.logbook import open_logbook  # noqa: PLC0415  # it asks for a workshop's parts

        return open_logbook(self.center, self.store, self.vault)

    @cached_property
    def states(self) -> AptStates:
        """The center's private apt states."""
        return AptStates(self.center.home / "apt", self.center.mirrors)

    @cached_property
    def fetcher(self) -> MachineFetcher:
        """The way to whatever this machine is configured for."""
        return MachineFetcher(self.states)

    @cached_property
    def images(self) -> Images:
        """The builder images of the recipes folder."""
        folder = self.center.recipes or recipes_folder()
        return Images(
            folder / "images",
            self.vault,
            self.fetcher,
            self.workdir,
            self.states,
            derived=self.center.home / "images",
        )

    @cached_property
    def engine(self) -> Engine:
        """The container engine; raises `EngineError` when none answers."""
        return Engine.connect(self.center.engine)

    @cached_property
    def budget(self) -> Ledger:
        """The cores and memory of the machine, or of the center's limit, for all its rebuilds."""
        facts = self.engine.facts()
        memory = min(facts.memory, self.center.limits.memory or facts.memory)
        return Ledger(self.center.home / "budget", cpus=facts.cpus, memory=memory)

    @property
    def workdir(self) -> Path:
        """Where half-fetched files and half-built images lie."""
        return self.center.home / "work"

    def image_lock(self, name: str) -> threading.Lock:
        """Return what is held while that image is built: runs side by side need it once."""
        return self._image_locks[name]


@lru_cache(maxsize=8)
def workshop(center: Center) -> Workshop:
    """Return the workshop of a center; one for each process."""
    return Workshop(center)
