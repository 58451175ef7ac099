"""What is to be rebuilt: the shipped files of a release and its source, by locator and digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.locators import FetchRequest, PurlLocator, VaultLocator, parse_locator


@dataclass(frozen=True, kw_only=True)
class Pin(FetchRequest):
    """A file by name, locator and digest; `size` in bytes, where it is known."""

    size: int | None = None

    @property
    def served(self) -> bool:
        """Whether customers can get the file; one that has not shipped is in the vault alone."""
        return not isinstance(self.locator, VaultLocator)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A release to be rebuilt; `uploaded` in UTC, None where it is not known.

    - `digest`: that of the artefact; of a source package, that of the list of its artefacts.
    """

    vendor: str
    product: str
    version: str
    artefacts: tuple[Pin, ...]
    digest: Digest
    source: Pin
    uploaded: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"

    @property
    def shipped(self) -> Pin:
        """Return the first artefact."""
        return self.artefacts[0]

    @property
    def artefact(self) -> str:
        """Return the names of all artefacts."""
        return ", ".join(pin.name for pin in self.artefacts)


def release_locator(purl: str, expected: str, todo: str | None = None) -> PurlLocator | None:
    """Read the purl of a release; None for a locator of another kind.

    Raises `UsageError`, with what was `expected`, for anything else.
    """
    try:
        locator = parse_locator(purl)
    except ValueError as error:
        got = str(error).partition(": expected ")[0]
        raise UsageError("not a release", got=got, expected=expected, todo=todo) from error
    return locator if isinstance(locator, PurlLocator) else None
