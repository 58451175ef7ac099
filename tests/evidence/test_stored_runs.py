from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import canonical_json
from builders.core.enums import Outcome, Verdict
from builders.core.errors import NotFoundError, StoreError
from pipelines.cli.terminal import robustness_lines
from pipelines.evidence import stored_runs
from pipelines.evidence.dsse import Envelope, Signature
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.stored_runs import (
    ROBUSTNESS_RECORD,
    DamagedRun,
    ReportedVerdict,
    RunName,
    RunSummary,
    find_run,
    list_runs,
    read_report,
    read_robustness,
    stored_report,
)
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.store import DamagedError
from tests.command import samebits
from tests.evidence.examples import STATEMENTS
from tests.fakes.store import MemoryStore

NETBASE = ReleaseName.parse("debian/netbase@6.5")
SODIUM = ReleaseName.parse("debian/libsodium@1.0.18-1+deb13u1")
FIRST, SECOND = "20260101T000000Z-00000001", "20260102T000000Z-00000000"


def name(release: ReleaseName, run: str = FIRST, center: str = "local") -> RunName:
    return RunName.of(release, center, run)


def report(of: RunName, **changes: Any) -> dict[str, Any]:
    return {
        "vendor": of.release.vendor,
        "product": of.release.product,
        "version": of.release.version,
        "center": of.center,
        "run": of.run,
        "claim": None,
        "seal": None,
        "outcome": "BUILT",
        "verdict": "IDENTICAL",
        "artefacts": [{"name": "x.deb", "verdict": "IDENTICAL", "reason": None}],
        "by_products": [],
        **changes,
    }


def put(store: MemoryStore, of: RunName, data: bytes | None = None, **changes: Any) -> None:
    body = json.dumps(report(of, **changes)).encode() if data is None else data
    store.put_record(of.prefix + "report.json", body)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_every_run_is_listed_in_order(store: MemoryStore) -> None:
    every = [name(SODIUM), name(NETBASE), name(NETBASE, SECOND), name(NETBASE, FIRST, "other")]
    for run in every:
        put(store, run)
    store.put_record(name(NETBASE).prefix + "attempt.dsse.json", b"{}")
    found = list(list_runs(store))
    assert [run.name for run in found if isinstance(run, RunSummary)] == every
    assert list(list_runs(store, SODIUM)) == found[:1]
    assert list(list_runs(store, ReleaseName.parse("debian/netbase@6"))) == []


def test_a_summary_says_what_was_found(store: MemoryStore) -> None:
    put(store, name(NETBASE))
    put(store, name(NETBASE, SECOND), outcome="TIMED_OUT", verdict=None, artefacts=[])
    first, second = list_runs(store)
    assert first == RunSummary(
        name=name(NETBASE),
        outcome=Outcome.BUILT,
        verdict=Verdict.IDENTICAL,
        artefacts=(ReportedVerdict(name="x.deb", verdict=Verdict.IDENTICAL),),
    )
    assert json.loads(json.dumps(first.to_dict())) == {
        "vendor": "debian",
        "product": "netbase",
        "version": "6.5",
        "center": "local",
        "run": FIRST,
        "outcome": "BUILT",
        "verdict": "IDENTICAL",
        "artefacts": [{"name": "x.deb", "verdict": "IDENTICAL"}],
        "claim": None,
        "robustness": None,
    }
    assert isinstance(second, RunSummary)
    assert second.verdict is None
    assert second.to_dict()["verdict"] is None


def moved(of: RunName, **changes: Any) -> bytes:
    """Return the record of a moved rebuild of a run; nobody has signed it."""
    document: Any = STATEMENTS["robustness"].to_dict()
    about = {"release": str(of.release), "center": of.center, "run": of.run}
    document["predicate"] |= {**about, **changes}
    signature = Signature(keyid="k", sig=b"s")
    return Envelope(payload=canonical_json(document), signatures=(signature,)).to_bytes()


def test_a_moved_rebuild_is_listed_beside_the_verdict(store: MemoryStore) -> None:
    put(store, name(NETBASE))
    store.put_record(name(NETBASE).prefix + ROBUSTNESS_RECORD, moved(name(NETBASE)))
    (found,) = list_runs(store)
    assert isinstance(found, RunSummary)
    assert (found.verdict, found.robustness) == (Verdict.IDENTICAL, "differs")
    told = read_robustness(store, name(NETBASE))
    assert told is not None
    assert robustness_lines(told)[:3] == [
        "robustness rebuild: other bytes in a varied environment; this changes no verdict",
        "  changed: rules.bin",
        "  varied hostname: builder -> elsewhere",
    ]
    assert read_robustness(store, name(NETBASE, SECOND)) is None


SAME = {"result": "same", "artefacts": [{"name": "rules.bin", "same": True}]}
FAILED = {"result": "failed", "outcome": "TIMED_OUT"}


@pytest.mark.parametrize(
    ("changes", "second"),
    [(SAME, "varied hostname: builder -> elsewhere"), (FAILED, "outcome TIMED_OUT")],
)
def test_of_what_stayed_or_failed_no_change_is_told(
    store: MemoryStore, changes: dict[str, Any], second: str
) -> None:
    store.put_record(name(NETBASE).prefix + ROBUSTNESS_RECORD, moved(name(NETBASE), **changes))
    told = read_robustness(store, name(NETBASE))
    assert told is not None
    assert robustness_lines(told)[1] == f"  {second}"


@pytest.mark.parametrize(
    "record",
    [b"rubbish", moved(name(SODIUM)), moved(name(NETBASE), result="same")],
    ids=["rubbish", "of-another-run", "of-a-contradiction"],
)
def test_a_moved_rebuild_that_cannot_be_read_costs_no_verdict(
    store: MemoryStore, record: bytes
) -> None:
    put(store, name(NETBASE))
    store.put_record(name(NETBASE).prefix + ROBUSTNESS_RECORD, record)
    (found,) = list_runs(store)
    assert isinstance(found, RunSummary)
    assert (found.verdict, found.robustness) == (Verdict.IDENTICAL, "damaged")
    with pytest.raises(DamagedError, match="robustness rebuild"):
        read_robustness(store, name(NETBASE))


def test_a_moved_rebuild_that_cannot_be_read_hides_no_report(tmp_path: Path) -> None:
    store, environment = DirectoryStore(tmp_path / "store"), {"declared": {}, "method": "debian"}
    body = report(name(NETBASE), artefacts=[], timings={}, environment=environment)
    store.put_record(name(NETBASE).prefix + "report.json", json.dumps(body).encode())
    store.put_record(name(NETBASE).prefix + ROBUSTNESS_RECORD, b"rubbish")
    for words in ([], ["--json"]):
        ended = samebits("evidence", "show", str(NETBASE), *words, home=tmp_path)
        assert FIRST in ended.out
        ended.assert_clear()
        assert "robustness-1.dsse.json is damaged" in ended.err
        assert ended.code == 2


GOOD = json.dumps(report(name(NETBASE))).encode()
RUBBISH = {
    "empty": b"",
    "not-json": b"\x7fELF",
    "not-utf8": b'{"vendor": "\xff"}',
    "truncated": b'{"vendor": "debian"',
    "a-list": b"[]",
    "a-number": b"1",
    "nan": GOOD.replace(b"[]", b"[NaN]"),
    "twice": GOOD.replace(b"{", b'{"seal": null, ', 1),
    "huge-number": b'{"x": ' + b"9" * 5000 + b"}",
    "deep": b"[" * 200_000,
    "empty-object": b"{}",
}
CHANGES: dict[str, dict[str, Any]] = {
    "other-vendor": {"vendor": "evil"},
    "other-product": {"product": "evil\x1b[31m"},
    "other-version": {"version": 6.5},
    "other-center": {"center": None},
    "other-run": {"run": SECOND},
    "unknown-outcome": {"outcome": "FINE"},
    "unknown-verdict": {"verdict": "GREAT"},
    "verdict-is-a-list": {"verdict": []},
    "artefacts-is-a-number": {"artefacts": 1},
    "artefact-is-text": {"artefacts": ["x"]},
    "artefact-without-name": {"artefacts": [{"verdict": "IDENTICAL"}]},
    "artefact-name-is-a-number": {"artefacts": [{"name": 1, "verdict": "IDENTICAL"}]},
    "artefact-with-unknown-verdict": {"artefacts": [{"name": "x", "verdict": "GREAT"}]},
}


@pytest.mark.parametrize("defect", [*RUBBISH, *CHANGES])
def test_a_damaged_report_is_listed_as_damaged(store: MemoryStore, defect: str) -> None:
    put(store, name(NETBASE), RUBBISH.get(defect), **CHANGES.get(defect, {}))
    put(store, name(NETBASE, SECOND))
    damaged, good = list_runs(store)
    assert isinstance(damaged, DamagedRun)
    assert damaged.prefix == name(NETBASE).prefix
    assert "report.json is damaged" in damaged.reason
    assert damaged.reason.isprintable()
    assert damaged.to_dict() == {"prefix": damaged.prefix, "damaged": damaged.reason}
    assert isinstance(good, RunSummary)
    with pytest.raises(DamagedError, match="is damaged; got"):
        read_report(store, name(NETBASE))


@pytest.mark.parametrize("field", ["outcome", "verdict", "artefacts", "vendor", "run"])
def test_a_report_without_a_field_is_damaged(store: MemoryStore, field: str) -> None:
    body = report(name(NETBASE))
    del body[field]
    put(store, name(NETBASE), json.dumps(body).encode())
    (damaged,) = list_runs(store)
    assert isinstance(damaged, DamagedRun)


def test_a_report_too_large_is_damaged(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, name(NETBASE))
    monkeypatch.setattr(stored_runs, "MAX_REPORT", 100)
    (damaged,) = list_runs(store)
    assert isinstance(damaged, DamagedRun)
    assert "at most 100 bytes" in damaged.reason


@pytest.mark.parametrize(
    "key",
    [
        "public/releases/debian/netbase/6.5/local/20260101T000000Z-00000001/x.dsse.json",
        "public/releases/debian/netbase/6.5/local/zzz/report.json",
        "public/releases/debian/netbase/6.5/%1B/20260101T000000Z-00000001/report.json",
        "public/releases/debian/%2E%2E/6.5/local/20260101T000000Z-00000001/report.json",
        "public/releases/debian/netbase/stray",
    ],
)
def test_a_folder_that_is_no_run_is_listed_as_damaged(store: MemoryStore, key: str) -> None:
    store.put_record(key, b"{}")
    (damaged,) = list_runs(store)
    assert isinstance(damaged, DamagedRun)
    assert damaged.reason.isprintable()


def test_a_store_out_of_order_is_not_taken_for_damage(store: MemoryStore) -> None:
    put(store, name(NETBASE))
    store.fail_on("get")
    with pytest.raises(StoreError, match="out of order"):
        list(list_runs(store))


def test_latest_is_the_newest_run(store: MemoryStore) -> None:
    put(store, name(NETBASE, SECOND, "a"))
    put(store, name(NETBASE, FIRST, "b"))
    put(store, name(SODIUM, "20270101T000000Z-00000000"))
    store.put_record("public/releases/debian/netbase/6.5/local/zzz/report.json", b"{}")
    assert find_run(store, NETBASE) == name(NETBASE, SECOND, "a")
    assert find_run(store, NETBASE, FIRST) == name(NETBASE, FIRST, "b")
    assert find_run(store, NETBASE, center="b") == name(NETBASE, FIRST, "b")
    assert read_report(store, find_run(store, NETBASE))["run"] == SECOND


def test_a_run_that_is_not_there_is_named(store: MemoryStore) -> None:
    put(store, name(NETBASE))
    with pytest.raises(NotFoundError, match="no run of debian/libsodium"):
        find_run(store, SODIUM)
    with pytest.raises(NotFoundError, match=f"no run {SECOND} of debian/netbase@6.5"):
        find_run(store, NETBASE, SECOND)
    with pytest.raises(NotFoundError, match="by center mars"):
        find_run(store, NETBASE, center="mars")


def test_a_damaged_newest_run_is_not_passed_over(store: MemoryStore) -> None:
    put(store, name(NETBASE))
    put(store, name(NETBASE, SECOND), b"rubbish")
    with pytest.raises(DamagedError):
        read_report(store, find_run(store, NETBASE))


def test_a_report_with_a_field_of_another_kind_is_damaged_and_gives_one_message(
    tmp_path: Path,
) -> None:
    store = DirectoryStore(tmp_path / "store")
    store.put_record(
        name(NETBASE).prefix + "report.json", json.dumps(report(name(NETBASE))).encode()
    )
    with pytest.raises(DamagedError, match="expected a whole report"):
        stored_report(store, name(NETBASE))
    ended = samebits("evidence", "show", str(NETBASE), home=tmp_path)
    assert ended.code == 2
    ended.assert_clear()
