"""Commands that anybody can run: what they name is quoted, and they are of this release."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from builders.core.digest import Digest
from pipelines.consensus.consensus_result import Consensus
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.statement import DigestSet
from pipelines.policy import SignedPolicy, read_signed
from pipelines.portal.digest_index import PublishedBundle
from pipelines.portal.pages.how_to_check import HowToCheckPage, how_to_check_page
from pipelines.portal.rendering import html
from tests.consensus.two_centers import TwoCenters
from tests.consensus.world import World
from tests.portal.built_portal import RELEASE_PAGE, BuiltPortal

HOSTILE = 'tool\'; rm -rf "$HOME" `x` \u202egpj.deb'
RUN, BASE = "20260102T030405Z-0a1b2c3d", "20260101T030405Z-00000001"
BUNDLE = PublishedBundle(
    center="europe",
    run=RUN,
    path=f"bundles/a/t/1%3A0/europe-{RUN}.bundle.tar",
    bases=(f"bundles/a/t/1%3A0/europe-{BASE}.bundle.tar",),
)


@pytest.fixture
def policy(centers: TwoCenters) -> SignedPolicy:
    return read_signed((centers.root / "policy.dsse.json").read_bytes())


def joined(name: str, *, closed: bool = False) -> Consensus:
    (found,) = _confirmed().consensus().artefacts
    claim = DigestSet(hmac_sha256=Digest.of(b"keyed")) if closed else found.subject.claim
    return replace(found, subject=replace(found.subject, artefact=name, claim=claim))


def _confirmed() -> World:
    world = World()
    for site in world.sites.values():
        site.run()
    return world


def page_of(policy: SignedPolicy, name: str, *, closed: bool = False) -> HowToCheckPage:
    release = ReleaseName(vendor="acme", product="tool", version="1:2~rc1")
    return how_to_check_page(policy, release, [joined(name, closed=closed)], [BUNDLE])


def test_names_of_others_are_quoted_for_a_shell(policy: SignedPolicy) -> None:
    page = page_of(policy, HOSTILE)
    assert shlex.split(page.commands["digest"][0])[-1] == HOSTILE
    assert shlex.split(page.commands["check"][0])[-1] == HOSTILE
    assert f"--file={HOSTILE}" in shlex.split(page.commands["bundle"][-1])
    assert shlex.split(page.commands["plain"][-1])[-1] == HOSTILE
    shown = html(page, "en").decode()
    assert "\u202e" not in shown
    assert "rm -rf &#34;$HOME&#34;" in shown


def test_a_bundle_is_fetched_where_the_portal_has_it(policy: SignedPolicy) -> None:
    fetch, base, check = page_of(policy, "tool.deb").commands["bundle"]
    assert fetch.endswith(f'"$PORTAL/bundles/a/t/1%253A0/europe-{RUN}.bundle.tar"')
    assert shlex.split(check)[3] == shlex.split(fetch)[3] == f"europe-{RUN}.bundle.tar"
    assert f"--base=europe-{BASE}.bundle.tar" in shlex.split(check)
    assert shlex.split(base)[3] == f"europe-{BASE}.bundle.tar"


def test_nobody_outside_is_told_to_rebuild_a_closed_source(policy: SignedPolicy) -> None:
    assert "rebuild" in page_of(policy, "tool.deb").commands
    closed = page_of(policy, "tool.deb", closed=True)
    assert "rebuild" not in closed.commands
    assert "samebits rebuild" not in html(closed, "en").decode()


def test_each_finding_names_its_leaf(policy: SignedPolicy) -> None:
    page = page_of(policy, "tool.deb")
    assert {one.center for one in page.findings} == {"ada-1", "bob-1", "cyd-1"}
    assert "logs/ada-1/#leaf-" in html(page, "en").decode()


def test_the_site_has_one_of_each_release_and_one_of_all(portal: BuiltPortal) -> None:
    portal.build()
    assert "recipes/releases/acme/tool/1.0.yaml" in portal.html(f"{RELEASE_PAGE}how-to-check/")
    assert "recipes/releases/VENDOR/PRODUCT/VERSION.yaml" in portal.html("how-to-check/")
    assert portal.twin("how-to-check/")["policy"] == "policy/1.dsse.json"
