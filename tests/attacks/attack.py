"""What an attack is: who makes it, what is done, and the name under which it is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pipelines.evidence.privatekey import PrivateKey
from tests.bundle.bundles import Maker


class Attacker(StrEnum):
    """Who owns what the attack needs."""

    VENDOR = "vendor"
    """Its files, its recipes and its mirrors."""
    CENTER = "center"
    """The keys, store, log and clock of one center."""
    OPERATOR = "operator"
    """The signing key of one operator of the policy."""
    REQUESTER = "requester"
    """What anybody may put where a center looks for requests."""
    NETWORK = "network"
    """Every byte on the way."""
    STORE = "store"
    """What is kept for a center, without its keys."""


class Reader(StrEnum):
    """Who finds it out."""

    CONSENSUS = "consensus"
    CHECK = "check FILE"
    LOG_CHECK = "log check"
    WITNESS = "log witness"
    BUNDLE = "evidence check"
    POLICY = "policy"
    RECIPE = "recipe lint"
    SIGNER = "signer"
    REQUEST = "request"
    ALARMS = "alarm list"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What attacks are played on."""

    folder: Path
    """An empty folder."""
    bundle: Maker
    key: PrivateKey
    """The key that signs the bundles' statements."""
    other: PrivateKey
    """The key of a stranger."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack. `play` makes it, and returns what its reader says."""

    by: Attacker
    reader: Reader
    ends: str
    """The name that its reader gives it: no other attack ends in the same one there."""
    play: Callable[[Stage], set[str]]
