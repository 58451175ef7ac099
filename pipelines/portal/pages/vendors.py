"""Lists between the first page and a release: all vendors, and the products of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipelines.portal.counts import CountedGroup, Counts, counts_of, groups
from pipelines.portal.pages.overview import VendorRow, vendor_rows
from pipelines.portal.paths import product_path, vendor_path
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.release_line import ReleaseLine

SHOWN = 500
"""Vendors or products that a page shows, the worst ones; its twin has all."""


class ProductRow(CountedGroup):
    """The releases of a product."""

    path: str


class VendorsPage(PortalPage):
    """All vendors."""

    TEMPLATE: ClassVar[str] = "vendors.html.j2"
    schema_: Annotated[Literal["samebits/portal/vendors/v1"], Field(alias="schema")] = (
        "samebits/portal/vendors/v1"
    )
    vendors: tuple[VendorRow, ...]
    """First where most has failed, then by name."""

    @property
    def shown(self) -> tuple[VendorRow, ...]:
        """Those that the page shows."""
        return self.vendors[:SHOWN]

    @property
    def path(self) -> str:
        """Where it is."""
        return "vendors/"


class VendorPage(PortalPage):
    """The products of one vendor."""

    TEMPLATE: ClassVar[str] = "vendor.html.j2"
    schema_: Annotated[Literal["samebits/portal/vendor/v1"], Field(alias="schema")] = (
        "samebits/portal/vendor/v1"
    )
    vendor: str
    counts: Counts
    products: tuple[ProductRow, ...]
    """First where most has failed, then by name."""

    @property
    def shown(self) -> tuple[ProductRow, ...]:
        """Those that the page shows."""
        return self.products[:SHOWN]

    @property
    def path(self) -> str:
        """Where it is."""
        return vendor_path(self.vendor)


def vendors_page(lines: Iterable[ReleaseLine]) -> VendorsPage:
    """Return the page of all vendors."""
    return VendorsPage(vendors=vendor_rows(lines))


def vendor_page(vendor: str, lines: Iterable[ReleaseLine]) -> VendorPage:
    """Return the page of a vendor, whose releases are `lines`."""
    lines = list(lines)
    return VendorPage(
        vendor=vendor,
        counts=counts_of(lines),
        products=tuple(
            ProductRow(**one.only("name", "counts"), path=product_path(vendor, one.name))
            for one in groups(lines, lambda line: line.product)
        ),
    )
