"""What the portal consists of: the parts of each release, and those of the site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from pipelines.portal.assets_folder import asset_files
from pipelines.portal.badges import badge_file
from pipelines.portal.bundles import bundle_files
from pipelines.portal.center_files import center_files
from pipelines.portal.digest_index import shards
from pipelines.portal.facts import ReleaseFacts, SiteFacts
from pipelines.portal.feeds import feed_files
from pipelines.portal.lists import list_parts
from pipelines.portal.pages.alarms import AlarmsPage, alarms_page
from pipelines.portal.pages.center import CenterPage, CentersPage
from pipelines.portal.pages.check import CheckPage, check_files
from pipelines.portal.pages.difference import DifferencePage, difference_files
from pipelines.portal.pages.how_to_check import HowToCheckPage, general_page, release_instructions
from pipelines.portal.pages.log import LogPage
from pipelines.portal.pages.overview import OverviewPage, overview_page
from pipelines.portal.pages.policy import PolicyPage, policy_page
from pipelines.portal.pages.product import ProductPage
from pipelines.portal.pages.release import ReleasePage, release_page
from pipelines.portal.pages.requests import RequestPage, RequestsPage, request_pages
from pipelines.portal.pages.vendors import VendorPage, VendorsPage
from pipelines.portal.policy_chain import chain_files, chain_to
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.rendering import render
from pipelines.portal.site_file import KeptPath, SiteFile

Part: TypeAlias = PortalPage | SiteFile | KeptPath

PAGES: tuple[type[PortalPage], ...] = (
    OverviewPage,
    VendorsPage,
    VendorPage,
    ProductPage,
    ReleasePage,
    PolicyPage,
    AlarmsPage,
    RequestsPage,
    RequestPage,
    CheckPage,
    DifferencePage,
    CentersPage,
    CenterPage,
    LogPage,
    HowToCheckPage,
)
"""The models of all pages; `schema/` has the JSON Schema of each."""
RELEASE_PARTS: tuple[Callable[[ReleaseFacts], Iterable[Part]], ...] = (
    lambda facts: [release_page(facts), badge_file(facts.line)],
    lambda facts: bundle_files(facts.joined.read, facts.bundles),
    lambda facts: [release_instructions(facts)],
    difference_files,
)
"""What is made of a release that was joined; below its own folders alone."""
SITE_PARTS: tuple[Callable[[SiteFacts], Iterable[Part]], ...] = (
    lambda facts: [overview_page(facts.lines, facts.alarms, facts.now)],
    lambda facts: [policy_page(chain_to(facts.view.policy, facts.earlier), facts.now)],
    lambda facts: [alarms_page(facts.alarms, facts.excluded, facts.faults)],
    list_parts,
    feed_files,
    lambda facts: shards((one.rows for one in facts.releases), facts.changes.shards),
    lambda facts: chain_files(chain_to(facts.view.policy, facts.earlier)),
    lambda facts: request_pages(
        facts.view.store,
        facts.view.center,
        facts.view.former_keys,
        facts.view.policy.policy,
        facts.now,
        releases={str(line.release) for line in facts.lines},
    ),
    center_files,
)
"""What is made in each generation."""
COMMON_PARTS: tuple[Callable[[SiteFacts], Iterable[Part]], ...] = (
    lambda _: check_files(),
    lambda facts: [general_page(facts)],
    lambda _: asset_files(),
    lambda _: [page.schema_file() for page in PAGES],
)
"""What center, policy and code make, whatever the releases are."""


def files_of(parts: Iterable[Part]) -> Iterator[SiteFile | KeptPath]:
    """Yield the files of parts; pages are rendered."""
    for part in parts:
        if isinstance(part, PortalPage):
            yield from render(part)
        else:
            yield part
