"""Where bytes come from: purls, git commits, files, the vault itself; never a host name."""

from builders.locators.fetch import Fetcher, PoolLocator, Want
from builders.locators.locator import (
    FileLocator,
    GitLocator,
    Locator,
    PurlLocator,
    VaultLocator,
    parse_locator,
)

__all__ = [
    "Fetcher",
    "FileLocator",
    "GitLocator",
    "Locator",
    "PoolLocator",
    "PurlLocator",
    "VaultLocator",
    "Want",
    "parse_locator",
]
