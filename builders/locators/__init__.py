"""Where bytes come from: purls, git commits, files, the vault itself; never a host name."""

from builders.locators.fetcher import Fetcher, FetchRequest, PoolLocator
from builders.locators.locator import (
    FileLocator,
    GitLocator,
    Locator,
    PurlLocator,
    VaultLocator,
    parse_locator,
)

__all__ = [
    "FetchRequest",
    "Fetcher",
    "FileLocator",
    "GitLocator",
    "Locator",
    "PoolLocator",
    "PurlLocator",
    "VaultLocator",
    "parse_locator",
]
