"""A product: the regression strip, which shows the standing of each version, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Annotated, ClassVar, Literal

from debian.debian_support import Version
from pydantic import Field

from builders.core.frozen_model import FrozenModel
from pipelines.portal.counts import Counts, counts_of
from pipelines.portal.paths import product_path, vendor_path
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.release_line import ReleaseLine
from pipelines.portal.rows import ReleaseRow
from pipelines.portal.standing import Standing

SHOWN = 500
"""Versions that are listed, the highest ones; more are counted."""
_FAILED = frozenset({Standing.SUSPECT, Standing.DIFFERENT})


class Regression(FrozenModel):
    """Two versions that follow each other, of which the later one has failed."""

    before: ReleaseRow
    after: ReleaseRow


class ProductPage(PortalPage):
    """The versions of a product."""

    TEMPLATE: ClassVar[str] = "product.html.j2"
    schema_: Annotated[Literal["samebits/portal/product/v1"], Field(alias="schema")] = (
        "samebits/portal/product/v1"
    )
    vendor: str
    vendor_path: str
    product: str
    counts: Counts
    versions: tuple[ReleaseRow, ...]
    """The highest ones, the lowest of them first."""
    all_versions: int
    regressions: tuple[Regression, ...]
    """The newest first, as many as versions at most."""

    @property
    def path(self) -> str:
        """Where it is."""
        return product_path(self.vendor, self.product)


def product_page(lines: Iterable[ReleaseLine]) -> ProductPage:
    """Return the page of a product, whose releases are `lines`; one or more."""
    ordered = by_version(lines)
    first = ordered[0]
    rows = tuple(ReleaseRow.of(line) for line in ordered)
    return ProductPage(
        vendor=first.vendor,
        vendor_path=vendor_path(first.vendor),
        product=first.product,
        counts=counts_of(ordered),
        versions=rows[-SHOWN:],
        all_versions=len(rows),
        regressions=tuple(_regressions(rows))[-SHOWN:][::-1],
    )


def by_version(lines: Iterable[ReleaseLine]) -> list[ReleaseLine]:
    """Return the releases of a product, the lowest version first, as Debian compares them.

    Versions that Debian does not know come before all others, in the order of their letters.
    """
    known, other = [], []
    for line in sorted(lines, key=lambda line: line.version):
        try:
            known.append((Version(line.version), line))
        except ValueError:
            other.append(line)
    return other + [line for _, line in sorted(known, key=itemgetter(0))]


def _regressions(rows: Iterable[ReleaseRow]) -> Iterator[Regression]:
    """Yield where a version failed and the one before it, among those checked, was confirmed."""
    checked = (row for row in rows if row.standing is not Standing.UNCHECKED)
    for before, after in pairwise(checked):
        if before.standing is Standing.CONFIRMED and after.standing in _FAILED:
            yield Regression(before=before, after=after)
