"""The index of files by digest: entries, the reports that they point to, and the search without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from pipelines.evidence.file_index import FileHistory, FileRole, find_file, index_report
from pipelines.storage.names import release_run
from tests.command import samebits
from tests.fakes.store import MemoryStore

FILE = Digest.of(b"the file")
OTHER = Digest.of(b"another file")
_FIRST, _SECOND = "20260102T030405Z-00000001", "20260103T030405Z-00000002"


def report(run: str = _FIRST, verdict: str = "IDENTICAL", **fields: Any) -> dict[str, Any]:
    rebuilt = OTHER if verdict == "DIFFERENT" else FILE
    served = OTHER if verdict == "SHIPPED_MISMATCH" else FILE
    return {
        "vendor": "acme",
        "product": "rules",
        "version": "1.10",
        "center": "zurich",
        "run": run,
        "outcome": "BUILT",
        "verdict": verdict,
        "artefacts": [
            {
                "name": "rules.bin",
                "verdict": verdict,
                "shipped": {"published": str(FILE), "sha256": str(served), "size": 8},
                "rebuilt": {"sha256": str(rebuilt), "size": 8},
            }
        ],
        **fields,
    }


def put(store: MemoryStore, document: dict[str, Any], *, entries: bool = True) -> None:
    if entries:
        index_report(store, document)
    names = (document[n] for n in ("vendor", "product", "version", "center", "run"))
    store.put_record(f"{release_run(*names)}report.json", json.dumps(document).encode())


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_every_run_that_judged_a_file_is_named_newest_first(store: MemoryStore) -> None:
    put(store, report(_FIRST, "DIFFERENT"))
    put(store, report(_SECOND))
    found = find_file(store, FILE)
    assert [(s.name.run, s.verdict) for s in found.verdicts] == [
        (_SECOND, "IDENTICAL"),
        (_FIRST, "DIFFERENT"),
    ]
    assert found.exit_code == 0


def test_the_newest_verdict_counts(store: MemoryStore) -> None:
    put(store, report(_FIRST))
    put(store, report(_SECOND, "DIFFERENT"))
    assert find_file(store, FILE).exit_code == 1


@pytest.mark.parametrize(("judged", "code"), [("IDENTICAL", 0), ("DIFFERENT", 1)])
def test_a_later_run_that_checked_nothing_takes_no_verdict_away(
    store: MemoryStore, judged: str, code: int
) -> None:
    put(store, report(_FIRST, judged))
    put(store, report(_SECOND, "NOT_CHECKED"))
    found = find_file(store, FILE)
    assert [s.verdict for s in found.verdicts] == ["NOT_CHECKED", judged]
    assert found.exit_code == code


def test_every_center_counts(store: MemoryStore) -> None:
    put(store, report(_FIRST, "DIFFERENT", center="basel"))
    put(store, report(_SECOND))
    assert find_file(store, FILE).exit_code == 1


@pytest.mark.parametrize(
    ("verdict", "role"), [("DIFFERENT", FileRole.REBUILT), ("SHIPPED_MISMATCH", FileRole.SERVED)]
)
def test_a_file_is_found_by_every_digest_it_was_has_in_a_report(
    store: MemoryStore, verdict: str, role: FileRole
) -> None:
    put(store, report(verdict=verdict))
    (seen,) = find_file(store, OTHER).verdicts
    assert seen.role is role
    assert find_file(store, OTHER).exit_code == 1


def test_a_file_that_nobody_judged_is_unknown(store: MemoryStore) -> None:
    put(store, report())
    assert find_file(store, Digest.of(b"?")) == FileHistory(verdicts=())
    assert find_file(store, Digest.of(b"?")).exit_code == 2


def test_a_file_that_was_not_checked_is_exit_code_two(store: MemoryStore) -> None:
    put(store, report(verdict="NOT_CHECKED"))
    assert find_file(store, FILE).exit_code == 2


def test_without_entries_the_reports_are_searched(store: MemoryStore) -> None:
    put(store, report(), entries=False)
    assert find_file(store, FILE).exit_code == 0


def test_a_search_has_an_end_and_says_so(store: MemoryStore) -> None:
    for number in range(4):
        run = f"2026010{number + 1}T030405Z-00000001"
        put(store, report(run), entries=False)
    found = find_file(store, FILE, scan=3)
    assert len(found.verdicts) == 3
    assert not found.complete
    assert found.exit_code == 2


def test_an_entry_to_a_run_that_broke_off_says_nothing(store: MemoryStore) -> None:
    put(store, report(_FIRST))
    index_report(store, report(_SECOND, "DIFFERENT"))
    found = find_file(store, FILE)
    assert [s.name.run for s in found.verdicts] == [_FIRST]
    assert found.exit_code == 0


def test_an_entry_that_its_report_does_not_confirm_is_damaged(store: MemoryStore) -> None:
    put(store, report(_FIRST, "DIFFERENT"))
    folder = f"public/artefacts/{FILE.hex[:2]}/{FILE.hex}/"
    (key,) = store.list(folder)
    elsewhere = Digest.of(b"not in it")
    entry = store.get(key, 4096).replace(FILE.hex.encode(), elsewhere.hex.encode())
    planted = key.replace(FILE.hex[:2] + "/", elsewhere.hex[:2] + "/", 1)
    store.put_record(planted.replace(FILE.hex, elsewhere.hex), entry)
    found = find_file(store, elsewhere)
    assert not found.verdicts
    assert "not confirmed" in found.damaged[0]
    assert found.exit_code == 2


def test_one_damaged_entry_takes_the_pass_away_and_hides_nothing(store: MemoryStore) -> None:
    put(store, report(_FIRST))
    store.put_record(f"public/artefacts/{FILE.hex[:2]}/{FILE.hex}/rubbish.json", b"{}")
    found = find_file(store, FILE)
    assert len(found.verdicts) == 1
    assert found.exit_code == 2


def test_an_entry_to_no_run_is_told_as_damaged(store: MemoryStore) -> None:
    index_report(store, report())
    folder = f"public/artefacts/{FILE.hex[:2]}/{FILE.hex}/"
    (key,) = store.list(folder)
    entry = store.get(key, 4096).replace(_FIRST.encode(), b"../other")
    store.put_record(f"{folder}other.json", entry)
    found = find_file(store, FILE)
    assert "run '../other'" in found.damaged[0]
    assert found.exit_code == 2


def test_a_report_of_no_digest_is_told_as_damaged(store: MemoryStore) -> None:
    put(store, report())
    odd = report(_SECOND)
    index_report(store, odd)
    odd["artefacts"][0]["rebuilt"] = {"sha256": "no digest", "size": 8}
    put(store, odd, entries=False)
    found = find_file(store, FILE)
    assert "something else than a digest" in found.damaged[0]
    assert [s.name.run for s in found.verdicts] == [_FIRST]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_rubbish_in_an_entry_is_told_as_damaged(rubbish: bytes) -> None:
    store = MemoryStore()
    store.put_record(f"public/artefacts/{FILE.hex[:2]}/{FILE.hex}/rubbish.json", rubbish)
    found = find_file(store, FILE)
    assert len(found.damaged) == 1
    assert "\n" not in found.damaged[0]


def test_entries_can_be_written_again(store: MemoryStore) -> None:
    assert index_report(store, report()) == index_report(store, report()) == 1
    assert index_report(store, report(_SECOND, "DIFFERENT")) == 2


def test_a_file_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    ended = samebits("check", tmp_path / "none", home=tmp_path)
    assert ended.code == 64
    ended.assert_clear()
