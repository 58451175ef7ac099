"""The page of a release: who found what, by which policy, from what, and in which runs."""

from __future__ import annotations

from typing import Any

import pytest

from builders.core.enums import Outcome, Verdict
from infra.bench.madeup import MadeUpFile
from tests.alarms.alarming import run_id
from tests.consensus.two_centers import NAMES
from tests.consensus.world import CONTENT, FILE
from tests.portal.built_portal import RELEASE_PAGE, BuiltPortal

DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
FAILED = {FILE: MadeUpFile(published=CONTENT, served=None, built=None, verdict=Verdict.NOT_CHECKED)}


def built(portal: BuiltPortal) -> Any:
    portal.build()
    return portal.twin(RELEASE_PAGE)


def test_a_confirmed_file_is_told_with_all_who_found_it(portal: BuiltPortal) -> None:
    portal.publish()
    page = built(portal)
    (artefact,) = page["artefacts"]
    assert (artefact["result"], artefact["standing"], artefact["difference"]) == (
        "CONFIRMED",
        "confirmed",
        None,
    )
    centers = [center for operator in artefact["operators"] for center in operator["centers"]]
    assert {(c["center"], c["verdict"], c["counts"]) for c in centers} == {
        (name, "IDENTICAL", True) for name in NAMES
    }
    assert (page["policy"]["k"], page["policy"]["regions"]) == (2, 2)


def test_a_match_that_does_not_count_says_why(portal: BuiltPortal) -> None:
    portal.centers.publish("europe")
    portal.centers.publish("asia")
    (artefact,) = built(portal)["artefacts"]
    rows = [center for operator in artefact["operators"] for center in operator["centers"]]
    assert [(row["verdict"], row["counts"], row["reason"]) for row in rows] == [
        ("IDENTICAL", False, "work-absent")
    ] * 2
    assert "neither way: nobody else has confirmed yet" in portal.html(RELEASE_PAGE)


def test_a_difference_is_as_public_as_a_match(portal: BuiltPortal) -> None:
    portal.publish("europe")
    portal.publish("asia", files=DIFFERENT)
    page = built(portal)
    (artefact,) = page["artefacts"]
    assert (artefact["result"], artefact["dissenting"]) == ("SPLIT", ["asia-body"])
    assert artefact["difference"] == f"{RELEASE_PAGE}differences/{FILE}/"
    assert [alarm["cause"] for alarm in page["alarms"]] == ["split"]
    shown = portal.html(RELEASE_PAGE)
    assert f'href="../../../../{artefact["difference"]}"' in shown
    assert "DIFFERENT" in shown


def test_the_time_line_has_every_run_the_newest_first(portal: BuiltPortal) -> None:
    portal.publish("europe", run=run_id(2))
    portal.publish("asia", run=run_id(3), outcome=Outcome.BUILD_FAILED, files=FAILED)
    portal.publish("europe", run=run_id(4))
    runs = built(portal)["runs"]
    assert [(r["center"], r["run"], r["outcome"], r["standing"]) for r in runs] == [
        ("europe", run_id(4), "BUILT", "confirmed"),
        ("asia", run_id(3), "BUILD_FAILED", "unchecked"),
        ("europe", run_id(2), "BUILT", "confirmed"),
    ]
    assert [r["counts"] for r in runs] == [True, True, False]


def test_what_it_was_rebuilt_from_is_what_the_provenance_says(portal: BuiltPortal) -> None:
    portal.publish("asia")
    made = built(portal)["built_from"]
    assert (made["center"], made["method"], made["image"]) == (
        "asia",
        "script",
        "debian-trixie-build",
    )
    assert made["inputs"]


def test_a_release_without_runs_is_neither_good_nor_bad(portal: BuiltPortal) -> None:
    page = built(portal)
    assert (page["standing"], page["runs"], page["built_from"]) == ("unchecked", [], None)
    shown = portal.html(RELEASE_PAGE)
    lead = shown[shown.index('class="lead"') :].partition("</p>")[0]
    assert 'class="standing is-unchecked"' in lead
    assert "nothing for or against" in lead


def test_each_list_tells_of_a_suspect_release_in_each_language(portal: BuiltPortal) -> None:
    portal.publish(files=DIFFERENT)
    portal.build()
    for path in ("", "vendors/", "vendors/acme/", "releases/acme/tool/"):
        for language, word in (("en", "suspect"), ("de", "verdächtig")):
            shown = portal.html(path, language)
            assert f">{word}<" in shown
            assert "acme" in shown
    assert portal.twin("alarms/")["open"][0]["about"] == "acme/tool@1.0"


def test_images_and_feeds_are_beside_the_pages(portal: BuiltPortal) -> None:
    portal.publish()
    portal.build()
    files = portal.files()
    assert b"confirmed by 2" in files[f"{RELEASE_PAGE}badge.svg"]
    assert b"1 of 1 confirmed" in files["vendors/acme/badge.svg"]
    assert b"1.0 confirmed" in files["releases/acme/tool/strip.svg"]
    assert b"acme/tool@1.0 is confirmed" in files["feeds/changes.atom"]
    assert b"<entry>" not in files["feeds/alarms.atom"]


def test_lists_of_which_nothing_changed_stay_and_those_of_what_is_gone_are_made_again(
    portal: BuiltPortal,
) -> None:
    recipes = next(portal.centers.root.rglob("1.0.yaml")).parent
    other = recipes / "2.0.yaml"
    other.write_text((recipes / "1.0.yaml").read_text().replace('"1.0"', '"2.0"'))
    portal.build()
    product = "releases/acme/tool/"
    assert [row["version"] for row in portal.twin(product)["versions"]] == ["1.0", "2.0"]
    first = (portal.out / "current" / product / "index.html").stat().st_ino
    portal.build()
    assert (portal.out / "current" / product / "index.html").stat().st_ino == first
    other.unlink()
    portal.build()
    assert [row["version"] for row in portal.twin(product)["versions"]] == ["1.0"]
    assert b"2.0" not in portal.files()[f"{product}strip.svg"]


def test_the_page_shows_the_newest_runs_and_the_twin_has_more(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.portal.pages.release.SHOWN_RUNS", 1)
    monkeypatch.setattr("pipelines.portal.pages.release.MAX_RUNS", 2)
    for hour in ("03", "04", "05"):
        portal.centers.publish("europe", run=f"20260102T{hour}0405Z-0a1b2c3d")
    portal.build()
    page = portal.twin(RELEASE_PAGE)
    assert [row["run"][9:11] for row in page["runs"]] == ["05", "04"]
    line = portal.html(RELEASE_PAGE).partition('<ol class="runs">')[2].partition("</section>")[0]
    assert (line.count("<li "), "and 2 more" in line) == (1, True)
