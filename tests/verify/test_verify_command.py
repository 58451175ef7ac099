"""`samebits verify` on real parts: planted cases, what programs read, and the exit codes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from builders.core.digest import Digest
from builders.images.provide import ProvidedImage
from builders.recipe.recipe import load_recipe
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.report import Purpose
from pipelines.judge.finding import Confirmation
from pipelines.verify import steps
from pipelines.verify.session import Session
from tests.command import DATA, RELEASES, Ended, in_terminal, samebits
from tests.lab import explained, verified, write_recipe

PLANTED = DATA / "planted"
FIELDS = [
    "vendor", "product", "version", "center", "run", "claim", "scope", "seal", "outcome",
    "reason", "verdict", "artefacts", "by_products", "environment", "timings", "attempts",
]  # fmt: skip
ARTEFACT_FIELDS = [
    "name", "verdict", "reason", "shipped", "rebuilt", "signature", "normalizers", "ledger",
    "delta", "manifest",
]  # fmt: skip


@pytest.fixture(scope="module")
def planted(home: Path, build_image: ProvidedImage) -> Ended:
    """All planted cases and one sound release, side by side in one command."""
    recipes = sorted(PLANTED.glob("*/*.yaml"))
    return samebits(
        "verify", "--json", *recipes, RELEASES / "debian/netbase/6.5.yaml", home=home, fresh=True
    )


@pytest.fixture(scope="module")
def reports(planted: Ended) -> dict[str, Any]:
    return {report["product"]: report for report in planted.document()["reports"]}


@pytest.fixture(scope="module")
def explanation(planted: Ended) -> dict[str, Any]:
    """What explains the flipped bit: nothing else differs."""
    (found,) = planted.document()["explanations"]
    assert list(found) == [
        "vendor", "product", "version", "center", "run", "explained_on", "confirming", "artefacts",
    ]  # fmt: skip
    return dict(found)


def test_one_document_holds_a_report_for_every_recipe_in_order(planted: Ended) -> None:
    products = [report["product"] for report in planted.document()["reports"]]
    assert products == ["copied-input", "flipped", "shipped-mismatch", "netbase"]
    assert planted.code == 1
    assert "Traceback" not in planted.err


def test_a_report_has_exactly_the_fields_that_programs_read(reports: dict[str, Any]) -> None:
    for report in reports.values():
        assert list(report) == FIELDS
        for artefact in report["artefacts"]:
            assert list(artefact) == ARTEFACT_FIELDS
            assert {"sha256", "size"} <= set(artefact["shipped"])
            assert set(artefact["rebuilt"]) == {"sha256", "size"}


def test_the_sound_release_is_identical(reports: dict[str, Any]) -> None:
    report = reports["netbase"]
    assert (report["outcome"], report["verdict"]) == ("BUILT", "IDENTICAL")
    (artefact,) = report["artefacts"]
    assert artefact["rebuilt"]["sha256"] == artefact["shipped"]["sha256"]
    assert len(report["attempts"]) == 1


def test_one_flipped_bit_is_found_explained_and_confirmed(
    reports: dict[str, Any], explanation: dict[str, Any], home: Path
) -> None:
    report = reports["flipped"]
    assert (report["verdict"], report["run"]) == ("DIFFERENT", explanation["run"])
    (artefact,) = explanation["artefacts"]
    look = artefact["explanation"]["first_look"]
    assert look["first_offset"] == look["last_offset"]
    assert look["differing_bytes"] == 1
    assert artefact["explanation"]["status"] == "complete"
    assert artefact["explanation"]["tool"] == "diffoscope"
    assert [a["purpose"] for a in report["attempts"]] == ["judged"]
    assert explanation["confirming"]["purpose"] == "confirming"
    assert artefact["confirmation"] == "same"
    record = f"public/releases/planted/flipped/6.5/local/{report['run']}/comparison-1.dsse.json"
    envelope = Envelope.from_bytes((home / "store" / record).read_bytes())
    assert artefact["comparison"] == str(Digest.of(envelope.payload))


def test_both_sides_and_the_explanation_are_kept(
    reports: dict[str, Any], explanation: dict[str, Any], home: Path
) -> None:
    (artefact,) = reports["flipped"]["artefacts"]
    (explained,) = explanation["artefacts"]
    wanted = [
        artefact["shipped"]["sha256"],
        artefact["rebuilt"]["sha256"],
        explained["explanation"]["json"],
        explained["explanation"]["html"],
        explanation["confirming"]["rebuild"]["log"],
        reports["flipped"]["attempts"][0]["rebuild"]["log"],
    ]
    for digest in wanted:
        assert (home / "store/private/cas/sha256" / digest[:2] / digest).is_file()


def test_causes_are_named_beside_the_reports(planted: Ended, reports: dict[str, Any]) -> None:
    (cause,) = planted.document()["causes"]
    assert cause["run"] == reports["flipped"]["run"]
    assert cause["name"] == "unexplained"
    assert cause["detail"].startswith("netbase_6.5_all.deb: ")


def test_a_dependency_that_holds_the_shipped_file_proves_nothing(reports: dict[str, Any]) -> None:
    (artefact,) = reports["copied-input"]["artefacts"]
    assert artefact["verdict"] == "NOT_CHECKED"
    assert artefact["reason"].startswith("copied-input: netbase_6.5_all.deb is already in the")
    assert artefact["reason"].endswith("vendor-tools/lib/prebuilt.bin")


def test_a_file_that_is_not_the_published_one_is_an_alarm(reports: dict[str, Any]) -> None:
    (artefact,) = reports["shipped-mismatch"]["artefacts"]
    assert artefact["verdict"] == "SHIPPED_MISMATCH"
    assert artefact["shipped"]["sha256"] != artefact["shipped"]["published"]
    assert artefact["rebuilt"]["sha256"] == artefact["shipped"]["published"]


def test_evidence_of_every_run_can_be_listed_and_shown(
    planted: Ended, reports: dict[str, Any], explanation: dict[str, Any], home: Path
) -> None:
    listed = samebits("evidence", "list", "--json", home=home).document()["runs"]
    assert {r["run"] for r in reports.values()} <= {row["run"] for row in listed}
    flipped = reports["flipped"]
    shown = samebits("evidence", "show", "planted/flipped@6.5", "--json", home=home)
    causes = [{k: c[k] for k in ("name", "detail")} for c in planted.document()["causes"]]
    assert shown.document() == flipped | {"explanation": explanation, "causes": causes}
    log = samebits("evidence", "show", "planted/flipped@6.5", "--log", home=home).out
    assert "dpkg-buildpackage" in log


def test_the_claim_does_not_depend_on_what_was_shipped(reports: dict[str, Any]) -> None:
    assert reports["flipped"]["claim"] == reports["netbase"]["claim"]
    assert reports["flipped"]["seal"] != reports["netbase"]["seal"]


def test_nothing_checked_is_exit_code_two(home: Path, build_image: ProvidedImage) -> None:
    ended = samebits("verify", PLANTED / "copied-input/6.5.yaml", home=home, fresh=True)
    assert ended.code == 2
    assert "NOT_CHECKED" in ended.out


def test_without_a_flow_it_does_not_import_prefect(
    home: Path, tmp_path: Path, build_image: ProvidedImage
) -> None:
    broken = tmp_path / "path/prefect/__init__.py"
    broken.parent.mkdir(parents=True)
    broken.write_text("raise RuntimeError('prefect was imported')\n")
    recipe = write_recipe(tmp_path / "one", [["cp", "/inputs/source/source.c", "/out/out.bin"]])
    environment = {"PYTHONPATH": str(broken.parents[1])}
    ended = samebits("verify", "--json", recipe, home=home, env=environment, fresh=True)
    (report,) = ended.document()["reports"]
    assert (ended.code, report["outcome"]) == (1, "BUILT")
    ended = samebits("verify", "--flow", recipe, home=home, env=environment, fresh=True)
    assert "prefect was imported" in ended.err


@pytest.mark.usefixtures("prefect_at_home")
def test_a_build_of_chance_is_two_containers_even_with_results_persisted(
    home: Path, tmp_path: Path, build_image: ProvidedImage
) -> None:
    """Prefect is told from outside to cache and persist; both rebuilds still really run."""
    recipe = write_recipe(
        tmp_path / "chance", [["cp", "/proc/sys/kernel/random/uuid", "/out/out.bin"]]
    )
    forced = {
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
        "PREFECT_TASKS_DEFAULT_PERSIST_RESULT": "true",
        "PREFECT_TASKS_DEFAULT_NO_CACHE": "false",
        "PREFECT_FLOWS_DEFAULT_PERSIST_RESULT": "true",
    }
    ended = samebits("verify", "--flow", "--json", recipe, home=home, env=forced, fresh=True)
    (report,) = ended.document()["reports"]
    (explanation,) = ended.document()["explanations"]
    attempts = (*report["attempts"], explanation["confirming"])
    first, second = (a["rebuild"]["outputs"][0]["sha256"] for a in attempts)
    assert first != second
    assert report["verdict"] == "DIFFERENT"
    (artefact,) = explanation["artefacts"]
    assert "nondeterministic" in [cause["name"] for cause in artefact["causes"]]


def test_a_second_rebuild_that_matches_never_turns_different_into_a_pass(
    session: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    """The first rebuild differs and the second matches: still DIFFERENT, and nondeterministic."""
    recipe = write_recipe(
        tmp_path / "later", [["sh", "-c", "echo one > /out/out.bin"]], shipped=b"two\n"
    )
    matching = write_recipe(
        tmp_path / "matching", [["sh", "-c", "echo two > /out/out.bin"]], shipped=b"two\n"
    )

    def run_rebuild(job: Any, inputs: Any, image: Any, purpose: str) -> Any:
        """Let the confirming rebuild build what was shipped."""
        if purpose == Purpose.CONFIRMING:
            job = replace(job, loaded=load_recipe(matching))
        return steps.run_rebuild(session, job, inputs, image, purpose)

    report = verified(session, recipe, rebuild=run_rebuild)
    (finding,) = report.artefacts
    assert finding.verdict == "DIFFERENT"
    told = explained(session, report)
    (artefact,) = told.artefacts
    assert artefact.confirmation is Confirmation.SHIPPED
    assert "nondeterministic" in [cause.name for cause in artefact.causes]


def test_the_log_of_a_failed_build_draws_no_verdict(
    home: Path, build_image: ProvidedImage, tmp_path: Path
) -> None:
    drawn = "  IDENTICAL        out.bin"
    marks = r"\033[2J \r \033[8m \302\233\062J \342\200\256 \342\200\250 \342\240\200 \n"
    hostile = f"printf '{marks}{drawn}\\n%s{drawn}\\033[0m' 'error: \033[32m'; exit 3"
    recipe = write_recipe(tmp_path / "drawing", [["sh", "-c", hostile]])
    shown = in_terminal("verify", recipe, home=home)
    assert shown.code == 2
    read = [
        samebits("evidence", "show", "lab/drawing@1", *more, home=home)
        for more in ((), ("--json",), ("--log",), ("--report", tmp_path / "folder"))
    ]
    page = (tmp_path / "folder/index.html").read_text()
    texts = [shown.out.replace("\r\n", "\n"), *(one.out + one.err for one in read), page]
    for text in texts:
        assert not re.search("[\x80-\x9f\u2028\u202e\u2800]", text)
    for text in texts[:3] + texts[4:]:
        assert drawn not in click.unstyle(text).split("\n")
    for text in texts[1:]:
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)
    assert r"\x1b[2J" in read[2].out
