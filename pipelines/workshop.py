"""The live things of a center in one process: store, vault, fetcher, images, engine.

Flows and tasks pass frozen values around; whoever needs a client asks here.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from functools import cached_property, lru_cache
from pathlib import Path

from builders.budget import Budget
from builders.engine import Engine
from builders.images import Images
from builders.locators.aptstate import AptStates
from builders.locators.machine import MachineFetcher
from builders.vault import Vault
from pipelines.center import Center
from pipelines.evidence import DirectoryStore

_REPOSITORY = Path(__file__).resolve().parents[1]


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
    def store(self) -> DirectoryStore:
        """The center's evidence store."""
        return DirectoryStore(self.center.store)

    @cached_property
    def vault(self) -> Vault:
        """The center's inputs."""
        return Vault(self.store)

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
        return Images(
            recipes_folder() / "images", self.vault, self.fetcher, self.workdir, self.states
        )

    @cached_property
    def engine(self) -> Engine:
        """The container engine; raises `EngineError` when none answers."""
        return Engine.connect()

    @cached_property
    def budget(self) -> Budget:
        """The machine's cores and memory, for rebuilds side by side."""
        facts = self.engine.facts()
        return Budget(cpus=facts.cpus, memory=facts.memory)

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
