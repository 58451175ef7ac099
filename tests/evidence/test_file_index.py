"""The index of files by digest: which entries a report has, and how they are read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.file_index import entry_folder, index_report, read_entry
from tests.fakes.store import MemoryStore

FILE = Digest.of(b"the file")
OTHER = Digest.of(b"another file")
RUN = "20260102T030405Z-00000001"


def report(verdict: str = "IDENTICAL") -> dict[str, Any]:
    rebuilt = OTHER if verdict == "DIFFERENT" else FILE
    served = OTHER if verdict == "SHIPPED_MISMATCH" else FILE
    return {
        "vendor": "acme",
        "product": "rules",
        "version": "1.10",
        "center": "zurich",
        "run": RUN,
        "artefacts": [
            {
                "name": "rules.bin",
                "verdict": verdict,
                "shipped": {"published": str(FILE), "sha256": str(served), "size": 8},
                "rebuilt": {"sha256": str(rebuilt), "size": 8},
            }
        ],
    }


@pytest.mark.parametrize("verdict", ["IDENTICAL", "DIFFERENT", "SHIPPED_MISMATCH"])
def test_a_file_has_an_entry_by_every_digest_in_its_report(verdict: str) -> None:
    store = MemoryStore()
    digests = {FILE} if verdict == "IDENTICAL" else {FILE, OTHER}
    assert index_report(store, report(verdict)) == len(digests)
    for digest in digests:
        (key,) = store.list(entry_folder(digest))
        entry = read_entry(store.get(key, 4096), key)
        assert (entry.key, entry.sha256, str(entry.release)) == (key, digest, "acme/rules@1.10")
        assert (entry.center, entry.run) == ("zurich", RUN)


def test_what_was_not_there_has_no_entry() -> None:
    odd = report()
    odd["artefacts"].append({"name": "gone", "shipped": {"published": str(OTHER)}, "rebuilt": None})
    assert index_report(MemoryStore(), odd) == 2


def test_entries_can_be_written_again() -> None:
    store = MemoryStore()
    assert index_report(store, report()) == index_report(store, report()) == 1


def test_an_entry_to_no_run_is_malformed() -> None:
    store = MemoryStore()
    index_report(store, report())
    (key,) = store.list(entry_folder(FILE))
    with pytest.raises(MalformedError):
        read_entry(store.get(key, 4096).replace(RUN.encode(), b"../other"), key)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_rubbish_is_malformed(rubbish: bytes) -> None:
    with pytest.raises(MalformedError):
        read_entry(rubbish, "key")
