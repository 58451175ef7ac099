"""What is to be rebuilt: the shipped files of a release and its source, by locator and digest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.inputs.fetching import fetch_missing
from builders.inputs.vault import Vault
from builders.locators import FetchRequest, Locator, PurlLocator, parse_locator
from builders.locators.fetcher import Fetcher


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A file by name, locator and digest; `size` in bytes, where it is known."""

    name: str
    locator: Locator
    sha256: Digest
    size: int | None = None


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


def fetch_pins(pins: Iterable[Pin], vault: Vault, fetcher: Fetcher, workdir: Path) -> None:
    """Fetch what the vault lacks; raises `InputUnavailableError`, `InputMismatchError`."""
    wants = [FetchRequest(locator=p.locator, name=p.name, sha256=p.sha256) for p in pins]
    fetch_missing(vault, fetcher, wants, workdir)


def copy_out(vault: Vault, digest: Digest, folder: Path) -> Path:
    """Return a checked copy of a file of the vault, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=folder)) / digest.hex
    vault.stage(digest, path)
    return path
