"""Pages stay small however much there is, and say how much they leave out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra.bench.madeup import MadeUpFile
from pipelines.consensus.joined_result import Result
from pipelines.consensus.release_consensus import join_release
from pipelines.evidence.release_name import ReleaseName
from pipelines.portal.bundles import BundleMaker
from pipelines.portal.dependencies import Dependencies, folders_of
from pipelines.portal.facts import ReleaseFacts
from pipelines.portal.pages import difference, product, release, vendors
from pipelines.portal.pages.alarms import alarms_page
from pipelines.portal.pages.difference import differing
from pipelines.portal.pages.how_to_check import how_to_check_page
from pipelines.portal.pages.product import product_page
from pipelines.portal.pages.release import release_page
from pipelines.portal.pages.vendors import vendor_page, vendors_page
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.release_line import ReleaseLine, release_line
from pipelines.portal.rendering import html
from pipelines.portal.standing import Standing
from tests.consensus.two_centers import TwoCenters
from tests.consensus.world import CONTENT, FILE
from tests.portal.built_portal import NOW
from tests.portal.lines import line, step
from tests.portal.test_feeds import alarm

MANY = 5_000
MAX_HTML, MAX_TWIN = 600_000, 3_000_000
"""Bytes."""
OTHER = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}


def lines(**names: str) -> list[ReleaseLine]:
    """Return many releases of which some names have a number; one has failed."""
    made = line(steps=(step("confirmed"),))
    found = [
        made.model_copy(update={key: text.format(n) for key, text in names.items()})
        for n in range(MANY)
    ]
    found[MANY // 2] = found[MANY // 2].model_copy(update={"standing": Standing.SUSPECT})
    return found


def shown(page: PortalPage, all_: int, listed: int) -> tuple[str, Any]:
    """Return a page and its twin, which are small and say what they leave out."""
    text, twin = html(page, "en"), page.to_json()
    assert len(text) <= MAX_HTML
    assert len(html(page, "de")) <= MAX_HTML
    assert len(twin) <= MAX_TWIN
    assert f"and {all_ - listed} more" in text.decode()
    return text.decode(), json.loads(twin)


def test_of_many_vendors_the_worst_are_shown() -> None:
    text, twin = shown(vendors_page(lines(vendor="a-vendor-{}")), MANY, vendors.SHOWN)
    assert text.index("a-vendor-2500") < text.index("a-vendor-1<")
    assert len(twin["vendors"]) == MANY


def test_of_many_products_the_worst_are_shown() -> None:
    page = vendor_page("acme", lines(product="a-product-{}"))
    text, twin = shown(page, MANY, vendors.SHOWN)
    assert text.index("a-product-2500") < text.index("a-product-1<")
    assert len(twin["products"]) == MANY


def test_of_many_versions_the_highest_are_shown() -> None:
    found = lines(version="1.{}")
    for n in range(1, MANY, 2):
        found[n] = found[n].model_copy(update={"standing": Standing.DIFFERENT})
    _, twin = shown(product_page(found), MANY, product.SHOWN)
    assert len(twin["regressions"]) == product.SHOWN
    assert twin["versions"][-1]["version"] == f"1.{MANY - 1}"


def test_many_faults_and_long_alarms_are_cut() -> None:
    faults = tuple(f"acme/tool@{n}: it cannot be read" for n in range(MANY))
    known = [alarm(f"file-{n}: " + "x" * 10_000) for n in range(30)]
    shown(alarms_page(known, (), faults), MANY, 500)


@pytest.fixture
def many(centers: TwoCenters) -> Iterator[ReleaseFacts]:
    """A release of many files, of which one is suspect, and the others differ."""
    for name in ("europe", "asia"):
        centers.publish(name, files=OTHER)
    with centers.session("europe") as session:
        view = session.consensus_view(NOW)
        depends = Dependencies.now(view)
        joined = join_release(view, ReleaseName.parse("acme/tool@1.0"), logs=depends.logs)
        (one,) = joined.consensus.artefacts
        quiet = replace(one, alarms=(), result=Result.SPLIT)
        artefacts = [
            replace(quiet, subject=replace(one.subject, artefact=f"<{n}>.deb")) for n in range(MANY)
        ]
        artefacts[MANY // 2] = replace(one, subject=artefacts[MANY // 2].subject)
        consensus = replace(joined.consensus, artefacts=tuple(artefacts))
        yield ReleaseFacts(
            joined=replace(joined, consensus=consensus),
            line=release_line(joined),
            alarms=(),
            view=view,
            logs=depends.logs,
            bundles=BundleMaker(view.sources, view.policy.policy, depends.logs),
            now=NOW,
            previous={},
            folders=folders_of(view.store),
        )


def test_of_many_files_of_a_release_the_worst_are_shown(many: ReleaseFacts) -> None:
    text, twin = shown(release_page(many), MANY, release.SHOWN)
    assert len(twin["artefacts"]) == release.MAX_ARTEFACTS
    assert twin["all_artefacts"] == MANY
    assert twin["artefacts"][0]["name"] == f"<{MANY // 2}>.deb"
    assert f"&lt;{MANY // 2}&gt;.deb" in text
    artefacts = many.joined.consensus.artefacts
    paged = {one.subject.artefact for one in differing(artefacts)}
    assert len(paged) == difference.MAX_PAGES
    linked = {one["name"] for one in twin["artefacts"] if one["difference"]}
    assert linked == paged, "no link leads to a page that is not there"
    assert {one["name"] for one in twin["artefacts"][: release.SHOWN]} <= linked
    how = how_to_check_page(many.view.policy, many.release, artefacts)
    assert len(html(how, "en")) <= MAX_HTML
