"""The pages between the first one and the releases: of vendors and products, with their images.

Those of which no release is listed in another way are as they were in the generation before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

from pipelines.portal.badges import vendor_badge
from pipelines.portal.facts import SiteFacts
from pipelines.portal.pages.product import by_version, product_page
from pipelines.portal.pages.vendors import vendor_page, vendors_page
from pipelines.portal.paths import product_path, vendor_path
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.release_line import ReleaseLine
from pipelines.portal.site_file import KeptPath, SiteFile
from pipelines.portal.strip import strip_image

_Part: TypeAlias = PortalPage | SiteFile | KeptPath


def list_parts(facts: SiteFacts) -> Iterator[_Part]:
    """Yield the page of all vendors, and for each vendor and product its page and image."""
    kept = _unchanged(facts)
    yield vendors_page(facts.lines)
    for vendor, lines in _groups(facts.lines, lambda line: line.vendor):
        yield from kept.get(vendor_path(vendor)) or _vendor(lines)
        for product, found in _groups(lines, lambda line: line.product):
            yield from kept.get(product_path(vendor, product)) or _product(found)


def _vendor(lines: Sequence[ReleaseLine]) -> Iterator[_Part]:
    page = vendor_page(lines[0].vendor, lines)
    yield page
    yield SiteFile(f"{page.path}badge.svg", vendor_badge(page.counts))


def _product(lines: Sequence[ReleaseLine]) -> Iterator[_Part]:
    ordered = by_version(lines)
    page = product_page(ordered)
    yield page
    yield SiteFile(f"{page.path}strip.svg", strip_image(ordered))


def _unchanged(facts: SiteFacts) -> dict[str, list[KeptPath]]:
    """Return by folder the files of the vendors and products of which no row has changed."""
    changed = set()
    for name in facts.changes.listed:
        vendor, _, product = name.partition("@")[0].partition("/")
        changed |= {vendor_path(vendor), product_path(vendor, product)}
    found: dict[str, list[KeptPath]] = defaultdict(list)
    for path in facts.previous:
        folder = f"{path.rpartition('/')[0]}/"
        if folder not in changed:
            found[folder].append(KeptPath(path))
    return found


def _groups(
    lines: Sequence[ReleaseLine], name: Callable[[ReleaseLine], str]
) -> Iterator[tuple[str, list[ReleaseLine]]]:
    """Yield releases that are in order of their names by a part of it."""
    for part, found in groupby(sorted(lines, key=name), key=name):
        yield part, list(found)
