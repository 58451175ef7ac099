"""What was not fetched in a run is not called served, and says since when its copy is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.locators import FetchRequest
from pipelines.center.center import Center
from pipelines.consensus.joined_result import Result
from pipelines.evidence.statements.comparison import Shipped, VaultCopy
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.statements.updates import FileDigest
from pipelines.judge.finding import FileFact, ShippedFact, VaultFile
from pipelines.verify.fetched import fetch_time, note_fetch
from pipelines.verify.judging import fetch_shipped
from pipelines.verify.session import Session
from pipelines.verify.verify import job_for
from tests.consensus.findings import OTHER, SHIPPED, joined, match, served_another
from tests.fakes.store import MemoryStore
from tests.lab import write_recipe

BYTES = b"what the vendor ships"
DIGEST = Digest.of(BYTES)
EARLIER, LATER = (datetime(2026, 1, day, tzinfo=UTC) for day in (2, 3))


@dataclass
class Vendor:
    """Serves bytes, and counts how often it is asked."""

    data: bytes = BYTES
    asked: list[str] = field(default_factory=list)

    def fetch(self, wanted: Sequence[FetchRequest], folder: Path) -> list[Path]:
        paths = []
        for want in wanted:
            self.asked.append(want.name)
            (folder / want.name).write_bytes(self.data)
            paths.append(folder / want.name)
        return paths


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    vendor = Vendor()
    monkeypatch.setattr(Session, "fetcher", vendor)
    return vendor


def fetched(folder: Path, *, fresh: bool = False) -> object:
    session = Session(Center(id="local", home=folder / "home", store=folder / "home/store"))
    shipped = {"locator": "pkg:deb/debian/tool@1.0?arch=amd64", "sha256": str(DIGEST)}
    artefacts = [{"name": "out.bin", "shipped": shipped}]
    path = write_recipe(folder / "recipe", [["true"]], artefacts=artefacts)
    with job_for(session, path) as job:
        return fetch_shipped(session, job, fresh=fresh)["out.bin"]


def test_only_a_fetch_of_this_run_is_served(vendor: Vendor, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert fetched(tmp_path) == FileFact(sha256=DIGEST, size=len(BYTES))
    copy = fetched(tmp_path)
    assert isinstance(copy, VaultFile)
    assert copy.fetched_on is not None
    assert before <= copy.fetched_on <= datetime.now(UTC)
    assert vendor.asked == ["out.bin"]
    assert type(fetched(tmp_path, fresh=True)) is FileFact
    assert vendor.asked == ["out.bin"] * 2
    assert fetched(tmp_path) == copy, "the time is that of the first fetch"


def test_a_file_that_came_into_the_vault_in_another_way_has_no_time(
    vendor: Vendor, tmp_path: Path
) -> None:
    session = Session(Center(id="local", home=tmp_path / "home", store=tmp_path / "home/store"))
    (tmp_path / "file").write_bytes(BYTES)
    session.vault.add(tmp_path / "file", DIGEST, what="a file")
    assert fetched(tmp_path) == VaultFile(sha256=DIGEST, size=len(BYTES))
    assert vendor.asked == []


def test_the_first_fetch_is_noted_and_a_damaged_note_is_none() -> None:
    store = MemoryStore()
    assert fetch_time(store, DIGEST) is None
    note_fetch(store, DIGEST, EARLIER)
    note_fetch(store, DIGEST, LATER)
    assert fetch_time(store, DIGEST) == EARLIER
    (key,) = store.objects
    store.objects[key] = [b"yesterday"]
    assert fetch_time(store, DIGEST) is None


def test_a_copy_is_the_published_file() -> None:
    ShippedFact(published=DIGEST, sha256=DIGEST, size=1, from_vault=True, fetched_on=EARLIER)
    for wrong in (
        {"sha256": OTHER, "size": 1, "from_vault": True},
        {"from_vault": True},
        {"sha256": DIGEST, "size": 1, "fetched_on": EARLIER},
    ):
        with pytest.raises(ValidationError):
            ShippedFact.model_validate({"published": DIGEST, **wrong})


def test_a_statement_names_a_served_file_or_a_copy() -> None:
    published, other = DigestSet(sha256=DIGEST), DigestSet(sha256=OTHER)
    file = FileDigest(digest=published, size=3)
    copy = VaultCopy(digest=published, size=3, fetched_on=EARLIER)
    assert Shipped(published=published, from_vault=copy).compared == file
    assert Shipped(published=published, served=file).compared == file
    assert Shipped(published=published).compared is None
    for wrong in (
        {"served": file, "from_vault": copy},
        {"from_vault": VaultCopy(digest=other, size=3)},
    ):
        with pytest.raises(ValidationError, match="a served file, or a copy"):
            Shipped.model_validate({"published": published, **wrong})


def test_a_copy_is_compared_and_no_region_was_served_it() -> None:
    found = joined(match("ada", from_vault=True), match("bob"))
    assert found.result is Result.CONFIRMED
    assert [f.center.id for f in found.served] == ["bob-1"]
    replaced = joined(match("ada", from_vault=True), served_another("bob"))
    assert [alarm.name for alarm in replaced.alarms] == ["SHIPPED_MISMATCH"]
    assert SHIPPED not in {f.served for f in replaced.served}
