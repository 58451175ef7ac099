"""A generation that goes on from the one before is what would be made from nothing."""

from __future__ import annotations

import pytest

from builders.core.digest import Digest
from pipelines.policy import ConsensusRules
from pipelines.portal import build, dependencies, site_folder
from pipelines.portal.site_folder import SiteFolder
from tests.consensus.two_centers import TEXT
from tests.portal.built_portal import BuiltPortal


def add_release(portal: BuiltPortal, product: str, *centers: str) -> None:
    """Add the recipe of a release of a product, and let centers publish a run of it."""
    recipe = portal.centers.root / f"recipes/releases/acme/{product}/1.0.yaml"
    recipe.parent.mkdir(exist_ok=True)
    recipe.write_text(TEXT.replace("product: tool", f"product: {product}"))
    for name in centers:
        run = f"20260103T030405Z-{Digest.of(product.encode()).hex[:8]}"
        portal.centers.publish(name, release=f"acme/{product}@1.0", run=run)


def expect_as_from_nothing(portal: BuiltPortal) -> None:
    grown = portal.files()
    portal.build(anew=True)
    assert portal.files() == grown


def test_a_change_of_one_product_is_shown_everywhere(portal: BuiltPortal) -> None:
    add_release(portal, "other", "europe", "asia")
    portal.publish("europe")
    portal.build()
    vendor = portal.twin("vendors/acme/")
    portal.publish("asia")
    portal.build()
    assert portal.twin("vendors/acme/") != vendor
    add_release(portal, "third", "europe")
    portal.build()
    expect_as_from_nothing(portal)


def test_what_is_gone_and_what_all_pages_depend_on_is_made_again(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_release(portal, "other")
    portal.publish()
    portal.build()
    (portal.centers.root / "recipes/releases/acme/other/1.0.yaml").unlink()
    portal.build()
    portal.centers.sign_policy(version=2, rules=ConsensusRules(k=1))
    with monkeypatch.context() as broken:
        broken.setattr(SiteFolder, "finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            portal.build()
    portal.build()
    monkeypatch.setattr(dependencies, "code_digest", lambda: "another version")
    assert portal.build().made == 1
    expect_as_from_nothing(portal)


def test_what_code_and_policy_make_is_made_again_with_them_alone(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.build()

    def made(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(build, "COMMON_PARTS", (made,))
    portal.publish()
    portal.build()
    monkeypatch.setattr(dependencies, "code_digest", lambda: "another version")
    with pytest.raises(ZeroDivisionError):
        portal.build()


def test_without_a_call_for_one_file_system_all_are_written_to_disk(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr("os.sync", lambda: synced.append("all"))
    portal.build()
    assert not synced
    monkeypatch.setattr(site_folder, "CDLL", lambda _: object())
    portal.build()
    assert synced == ["all"]
