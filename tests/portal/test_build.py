"""Building the portal: what it has, and what of it is made again."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from builders.core.errors import UsageError
from pipelines.portal import build, contents
from pipelines.portal.site_folder import SiteFolder
from pipelines.portal.site_state import SiteState
from tests.portal.built_portal import NOW, RELEASE_PAGE, BuiltPortal


def test_a_confirmed_release_has_a_page_and_its_twin(portal: BuiltPortal) -> None:
    portal.publish()
    built = portal.build()
    assert (built.number, built.releases, built.made, built.faults) == (1, 1, 1, ())
    assert portal.twin(RELEASE_PAGE)["standing"] == "confirmed"
    assert "confirmed" in portal.html(RELEASE_PAGE)
    assert "bestätigt" in portal.html(RELEASE_PAGE, "de")
    assert portal.twin()["counts"]["confirmed"] == 1


def test_each_twin_has_the_schema_that_it_names(portal: BuiltPortal) -> None:
    portal.publish()
    portal.build()
    schemas = {page.schema_file().path for page in contents.PAGES}
    files = portal.files()
    assert schemas <= files.keys()
    for path in filter(lambda p: p.endswith("index.json"), files):
        twin = portal.twin(path.removesuffix("index.json"))
        name = twin["schema"].removeprefix("samebits/portal/").replace("/", "-")
        schema = portal.twin_file(f"schema/{name}.json")
        jsonschema.validate(twin, schema)


def test_what_has_not_changed_is_not_made_again(portal: BuiltPortal) -> None:
    portal.publish()
    portal.build()
    first = (portal.out / "current" / RELEASE_PAGE / "index.html").stat()
    again = portal.build(now=NOW + timedelta(days=1))
    assert again.number == 2
    second = (portal.out / "current" / RELEASE_PAGE / "index.html").stat()
    assert (first.st_ino, first.st_mtime_ns) == (second.st_ino, second.st_mtime_ns)
    third = portal.build(now=NOW + timedelta(days=2))
    assert third.number == 3
    assert sorted(p.name for p in (portal.out / "generations").iterdir()) == ["2", "3"]
    assert portal.twin()["made"].startswith("2026-01-07")


def test_any_number_of_generations_has_what_is_built_from_nothing(portal: BuiltPortal) -> None:
    for night, runs in enumerate([(), ("europe",), ("asia",), (), ("europe", "asia")]):
        for name in runs:
            portal.publish(name, run=f"2026010{night + 2}T030405Z-0a1b2c3d")
        portal.build(now=NOW)
    grown = portal.files()
    portal.build(now=NOW, anew=True)
    assert portal.files() == grown


def test_a_new_run_of_a_peer_makes_the_page_again(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.portal.dependencies.AGAIN", 0)
    portal.publish("europe")
    portal.build()
    assert portal.twin(RELEASE_PAGE)["standing"] == "unchecked"
    assert portal.build().made == 0
    portal.publish("asia")
    assert portal.build().made == 1
    assert portal.twin(RELEASE_PAGE)["standing"] == "confirmed"


def test_what_is_gone_leaves_no_file(portal: BuiltPortal) -> None:
    portal.build()
    assert f"{RELEASE_PAGE}index.html" in portal.files()
    next(portal.centers.root.rglob("1.0.yaml")).unlink()
    for _ in range(3):
        assert portal.build().releases == 0
        assert not [path for path in portal.files() if path.startswith("releases/")]
    assert not (portal.out / "current" / "releases").exists()


def test_an_interrupted_build_leaves_the_pointer_as_it_was(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.publish()
    portal.build()
    portal.build()
    before = portal.files()

    with monkeypatch.context() as broken:
        broken.setattr(SiteFolder, "finish", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            portal.build()
    assert portal.files() == before
    assert portal.build().number == 3
    assert portal.files().keys() == before.keys()


def test_after_a_generation_of_which_much_is_new_the_next_one_links_nothing(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "MANY", 1)
    monkeypatch.setattr("pipelines.portal.dependencies.AGAIN", 0)
    portal.publish()
    for first in (True, False):
        assert portal.build(anew=not first).number == (1 if first else 3)
        newest = portal.files()
        with monkeypatch.context() as without:
            without.delattr(os, "link")
            assert portal.build().made == 0
        assert portal.files() == newest
        portal.publish(run=f"2026010{3 if first else 4}T030405Z-0a1b2c3d")
    portal.build()
    grown = portal.files()
    portal.build(anew=True)
    assert portal.files() == grown


@pytest.mark.parametrize("step", ["begin", "_reused", "_place"])
def test_one_that_ends_while_it_prepares_the_next_has_been_built(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(build, "MANY", 1)
    portal.publish()
    portal.build()
    monkeypatch.setattr("pipelines.portal.dependencies.code_digest", lambda: "another version")
    prepare = SiteFolder.prepare_next

    def fails(site: SiteFolder, newest: SiteState) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(SiteFolder, step, _interrupted)
            prepare(site, newest)

    with monkeypatch.context() as broken:
        broken.setattr(SiteFolder, "prepare_next", fails)
        with pytest.raises(KeyboardInterrupt):
            portal.build(now=NOW + timedelta(days=1))
    assert portal.twin()["made"].startswith("2026-01-06")
    there = portal.files()
    assert portal.build(now=NOW + timedelta(days=1)).number == 3
    assert portal.files() == there


def test_one_that_ends_before_what_it_prepared_is_in_place_has_been_built(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.publish()
    rename = SiteFolder._rename

    def fails(site: SiteFolder, made: Path, *more: Any) -> None:
        if made == site.prepared:
            raise KeyboardInterrupt
        rename(site, made, *more)

    with monkeypatch.context() as broken:
        broken.setattr(SiteFolder, "_rename", fails)
        with pytest.raises(KeyboardInterrupt):
            portal.build()
    there = portal.files()
    assert f"{RELEASE_PAGE}index.html" in there
    assert (portal.out / "prepared").exists()
    assert portal.build().number == 2
    assert portal.files().keys() == there.keys()
    assert not (portal.out / "prepared").exists()


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_folder_of_something_else_is_left_alone(portal: BuiltPortal, tmp_path: Path) -> None:
    portal.out.mkdir()
    (portal.out / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="not the folder of a portal"):
        portal.build()
    assert [path.name for path in portal.out.iterdir()] == ["letter.txt"]


def test_private_evidence_is_not_read(portal: BuiltPortal) -> None:
    portal.publish()
    store = portal.centers.root / "europe/store/private"
    store.rename(store.with_name("elsewhere"))
    portal.build()
    assert portal.twin(RELEASE_PAGE)["standing"] == "confirmed"


def test_a_run_of_the_future_is_listed_by_when_it_was_first_seen(portal: BuiltPortal) -> None:
    portal.publish(run="20270102T030405Z-0a1b2c3d")
    for days in range(2):
        portal.build(now=NOW + timedelta(days=days))
        (row,) = portal.twin("releases/acme/tool/")["versions"]
        assert row["since"].startswith("2026-01-05")
