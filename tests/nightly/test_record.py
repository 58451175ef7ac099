"""The record of a night: what of it is public, how it is found again, and its exit code."""

from __future__ import annotations

import json

import pytest

from builders.core.enums import Outcome
from builders.rebuild.robustness_factors import Factor, KeptFactor, KeptReason
from pipelines.evidence.report import Robustness
from pipelines.nightly.night import summarise
from pipelines.nightly.record import (
    DueReason,
    Mode,
    NightRecord,
    RobustnessResult,
    UnusableRecipe,
    last_night,
    night_key,
    read_night,
    result_key,
    store_night,
)
from pipelines.storage.names import private_twin
from pipelines.storage.store import DamagedError
from tests.fakes.store import MemoryStore
from tests.nightly.nights import entry, night


def test_a_night_comes_back_as_it_was_stored() -> None:
    store = MemoryStore()
    record = night(entry(), entry("lab/two@1", "DIFFERENT"))
    store_night(store, record)
    assert read_night(store, "lab", record.night) == record


def test_the_public_form_tells_no_claim_and_no_text_of_this_machine() -> None:
    store = MemoryStore()
    record = night(
        entry(), unusable=(UnusableRecipe(recipe="releases/x.yaml", error="/srv/secret: no"),)
    )
    public = json.loads(store.get(store_night(store, record), 1 << 20))
    (shown,) = public["releases"]
    assert "claim" not in shown
    assert "published" not in shown
    assert shown["verdict"] == "IDENTICAL"
    assert public["unusable"] == [{"recipe": "releases/x.yaml"}]


def test_the_last_night_is_the_newest_one_before() -> None:
    store = MemoryStore()
    first, second = night(entry(), number=1), night(entry(), number=2)
    assert last_night(store, "lab") is None
    for record in (second, first):
        store_night(store, record)
    assert last_night(store, "lab") == second
    assert last_night(store, "lab", before=second.night) == first
    assert last_night(store, "other") is None


def test_a_damaged_night_is_named_and_not_skipped() -> None:
    store = MemoryStore()
    store_night(store, night(entry(), number=1))
    key = night_key("lab", "20260102T010000Z-00000000")
    store.put_record(private_twin(key), b"{}")
    store.put_record(key, b"{}")
    with pytest.raises(DamagedError, match="is damaged"):
        last_night(store, "lab")


def test_the_result_of_a_release_has_one_name() -> None:
    assert result_key("lab", "n", "lab/one@1") == "private/nights/lab/n.results/lab%2Fone%401.json"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["IDENTICAL"], 0),
        (["IDENTICAL", "DIFFERENT"], 1),
        (["IDENTICAL", "NOT_CHECKED"], 2),
        ([], 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst(verdicts: list[str], code: int) -> None:
    entries = [entry(f"lab/r{n}@1", verdict) for n, verdict in enumerate(verdicts)]
    assert night(*entries).exit_code() == code


def test_a_recipe_that_cannot_be_used_is_never_a_pass() -> None:
    record = night(entry(), unusable=(UnusableRecipe(recipe="x", error="y"),))
    assert record.exit_code() == 2


def test_a_moved_rebuild_is_told_and_changes_no_exit_code() -> None:
    moved = RobustnessResult(
        result=Robustness.DIFFERS,
        outcome=Outcome.BUILT,
        moved=(Factor.HOSTNAME, Factor.USER),
        kept=(KeptFactor(factor=Factor.CORES, why=KeptReason.ALONE),),
        changed=("out.bin",),
    )
    record = night(entry(robustness=moved.result, moved=moved), entry("lab/two@1"))
    store = MemoryStore()
    public = json.loads(store.get(store_night(store, record), 1 << 20))
    assert public["releases"][0]["moved"] == moved.model_dump(mode="json")
    assert "moved" not in public["releases"][1]
    summary = summarise(record, None)
    assert summary.lines()[-1] == (
        "robustness rebuild of lab/one@1: differs; changed: out.bin; varied: hostname, user; "
        "kept: cores (alone)"
    )
    assert summary.to_dict()["robustness"] == [
        {"release": "lab/one@1", **moved.model_dump(mode="json")}
    ]
    assert summary.releases["fragile"] == ("lab/one@1",)
    assert (record.exit_code(), record.alarms) == (0, ())


@pytest.mark.parametrize(
    ("outcome", "fragile"),
    [(Outcome.BUILD_FAILED, True), (Outcome.TIMED_OUT, True), (Outcome.OUT_OF_RESOURCES, True),
     (Outcome.INFRASTRUCTURE_ERROR, False), (Outcome.INPUT_UNAVAILABLE, False), (None, False)],
)  # fmt: skip
def test_only_a_build_that_fails_elsewhere_makes_a_release_fragile(
    outcome: Outcome | None, fragile: bool
) -> None:
    moved = RobustnessResult(result=Robustness.FAILED, outcome=outcome)
    summary = summarise(night(entry(robustness=moved.result, moved=moved)), None)
    assert bool(summary.releases["fragile"]) is fragile
    assert f"failed; outcome: {outcome or 'none'}" in summary.lines()[-1]


def test_a_record_from_before_anything_was_told_of_moving_is_read() -> None:
    old = json.loads(night(entry(robustness="same")).to_json())
    assert "moved" not in old["releases"][0]
    (read,) = NightRecord.model_validate(old).releases
    assert (read.robustness, read.moved) == (Robustness.SAME, None)


def test_the_summary_says_what_has_changed() -> None:
    before = night(
        entry("lab/worse@1"),
        entry("lab/better@1", "DIFFERENT"),
        entry("lab/same@1"),
        entry("lab/lost@1"),
    )
    record = night(
        entry("lab/new@1"),
        entry("lab/worse@1", "DIFFERENT", why=DueReason.ROTATION),
        entry("lab/better@1", why=DueReason.CHANGED),
        entry("lab/same@1", mode=Mode.FRESH, why=DueReason.UNCHANGED),
        entry("lab/lost@1", "NOT_CHECKED", mode=Mode.NOT_RUN, why=DueReason.ROTATION),
        number=2,
    )
    summary = summarise(record, before)
    assert summary.releases == {
        "new": ("lab/new@1",),
        "changed": ("lab/better@1",),
        "worse": ("lab/worse@1", "lab/lost@1"),
        "better": ("lab/better@1",),
        "fragile": (),
        "not_run": ("lab/lost@1",),
        "unusable": (),
    }
    assert (summary.count(Mode.REBUILT), summary.count(Mode.FRESH)) == (3, 1)
    assert summary.to_dict()["verdicts"] == {"DIFFERENT": 1, "IDENTICAL": 3, "NOT_CHECKED": 1}
