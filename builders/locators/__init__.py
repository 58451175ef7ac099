"""Where bytes come from: purls, git commits and files beside the recipe, never a host name."""

from builders.locators.fetch import Fetcher, PoolLocator, Want
from builders.locators.locator import FileLocator, GitLocator, Locator, PurlLocator, parse_locator

__all__ = [
    "Fetcher",
    "FileLocator",
    "GitLocator",
    "Locator",
    "PoolLocator",
    "PurlLocator",
    "Want",
    "parse_locator",
]
