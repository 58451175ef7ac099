"""A night from its plan to its record, with results that a test has put there."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders.core.enums import Verdict
from pipelines.center.center import Center
from pipelines.evidence.errors import SignerError
from pipelines.evidence.report import Report
from pipelines.nightly.night import end_night, summarise
from pipelines.nightly.night_plan import NightPlan, plan_night
from pipelines.nightly.record import (
    MAX_ERROR,
    ArtefactVerdict,
    DueReason,
    Mode,
    NightEntry,
    NightRecord,
    result_key,
)
from pipelines.nightly.release_task import run_release
from pipelines.storage.directory import DirectoryStore
from pipelines.verify.session import Job, Session
from tests.command import RELEASES
from tests.lab import write_recipe
from tests.nightly.nights import entry

NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
NAMES = ("lab/one@1", "lab/two@1")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Center:
    recipes = tmp_path / "recipes"
    shutil.copytree(RELEASES.parent / "images", recipes / "images")
    for name in ("one", "two"):
        write_recipe(recipes / "releases/lab" / name, [["true"]])
    (recipes / "releases/lab/bad.yaml").write_text("nonsense: 1\n")
    shutil.copytree(recipes / "releases/lab/one", recipes / "releases/lab/twin")
    monkeypatch.setenv("SAMEBITS_RECIPES", str(recipes))
    return Center(id="mine", home=tmp_path / "home", store=tmp_path / "home/store")


def plan(center: Center, day: int) -> NightPlan:
    moment = NOW + timedelta(days=day)
    return plan_night(Session(center), f"{moment:%Y%m%dT%H%M%SZ}-00000000", now=moment)


def put(center: Center, planned: NightPlan, name: str, **fields: object) -> None:
    (one,) = [d for d in planned.dues if d.release == name]
    found = entry(name).model_copy(
        update={"claim": one.claim, "published": one.published, "rebuilt": one.number, **fields}
    )
    key = result_key(center.id, planned.night, name)
    DirectoryStore(center.home / "store").put_record(key, found.model_dump_json().encode())


def end(center: Center, planned: NightPlan) -> NightRecord:
    return end_night(Session(center), planned, (), now=planned.started + timedelta(hours=1)).record


def by_name(record: NightRecord) -> dict[str, NightEntry]:
    return {one.release: one for one in record.releases}


def test_the_plan_holds_every_release_once_and_names_what_cannot_be_used(mine: Center) -> None:
    planned = plan(mine, 0)
    assert [one.release for one in planned.dues] == list(NAMES)
    assert {one.why for one in planned.dues} == {DueReason.NEW}
    assert [one.recipe for one in planned.unusable] == [
        "releases/lab/bad.yaml",
        "releases/lab/twin/1.yaml",
    ]


def test_a_release_that_a_signer_refused_says_so_in_the_record_of_the_night(mine: Center) -> None:
    planned = plan(mine, 0)

    def refuse(_: Session, __: Job) -> Report:
        raise SignerError("the signer has failed", got="OSError")

    with pytest.raises(SignerError):
        run_release(Session(mine), planned.night, planned.dues[0], verifier=refuse)
    for name in NAMES[1:]:
        put(mine, planned, name)
    record = end(mine, planned)
    summary, reason = summarise(record, None), "SignerError: the signer has failed; got OSError"
    assert by_name(record)[NAMES[0]].error == reason
    assert f"no result, {NAMES[0]}: {reason}" in summary.lines()
    assert summary.to_dict()["errors"] == {NAMES[0]: reason}
    assert b"OSError" not in record.public()


def test_a_night_ends_whatever_the_reason_of_a_release_holds(mine: Center) -> None:
    planned = plan(mine, 0)

    def refuse(_: Session, __: Job) -> Report:
        raise SignerError("\udcff" + "x" * 100_000)

    with pytest.raises(SignerError):
        run_release(Session(mine), planned.night, planned.dues[0], verifier=refuse)
    error = by_name(end(mine, planned))[NAMES[0]].error
    assert error is not None
    assert error.startswith("SignerError: \\udcffxxx")
    assert len(error) == MAX_ERROR


def test_a_release_without_a_result_is_not_checked(mine: Center) -> None:
    planned = plan(mine, 0)
    put(mine, planned, NAMES[0])
    found = by_name(end(mine, planned))
    assert found[NAMES[0]].verdict is Verdict.IDENTICAL
    assert (found[NAMES[1]].verdict, found[NAMES[1]].mode) == (Verdict.NOT_CHECKED, Mode.NOT_RUN)


def test_the_next_night_starts_from_the_last_one(mine: Center) -> None:
    first = plan(mine, 0)
    put(mine, first, NAMES[0])
    end(mine, first)
    second = plan(mine, 1)
    whys = {one.release: one.why for one in second.dues}
    assert second.number == 2
    assert whys[NAMES[1]] is DueReason.UNSETTLED
    assert whys[NAMES[0]] in {DueReason.UNCHANGED, DueReason.ROTATION}


def test_a_result_that_rests_on_an_earlier_night_has_its_artefacts(mine: Center) -> None:
    first = plan(mine, 0)
    for name in NAMES:
        put(mine, first, name)
    before = by_name(end(mine, first))
    second = plan(mine, 1)
    assert all(one.before is not None and not one.before.artefacts for one in second.dues)
    put(mine, second, NAMES[0], mode=Mode.FRESH, artefacts=())
    unseen = Verdict.NOT_CHECKED
    put(mine, second, NAMES[1], mode=Mode.FRESH, artefacts=(), verdict=unseen)
    found = by_name(end(mine, second))
    assert found[NAMES[0]].artefacts == before[NAMES[0]].artefacts != ()
    assert found[NAMES[1]].artefacts == ()


def test_a_result_of_a_rebuild_has_its_own_artefacts(mine: Center) -> None:
    first = plan(mine, 0)
    put(mine, first, NAMES[0])
    end(mine, first)
    second = plan(mine, 1)
    renamed = (ArtefactVerdict(name="new.bin", verdict=Verdict.IDENTICAL),)
    put(mine, second, NAMES[0], artefacts=renamed)
    assert by_name(end(mine, second))[NAMES[0]].artefacts == renamed


def test_a_night_that_was_killed_after_its_record_keeps_that(mine: Center) -> None:
    planned = plan(mine, 0)
    first = end(mine, planned)
    put(mine, planned, NAMES[0])
    assert end(mine, planned) == first
