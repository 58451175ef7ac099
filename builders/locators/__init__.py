"""Locators (purls, git commits, files, the vault) and the fetchers that bring their bytes.

Imports `builders.core` only. No locator names a registry's host: the machine's own configuration
says where packages come from.
"""

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
