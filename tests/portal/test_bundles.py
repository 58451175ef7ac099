"""Bundles that the portal makes: those of an export, but for what is the same for all runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.core.errors import StoreError
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import Source
from pipelines.bundle import Bundle
from pipelines.bundle.check import Trust, check_bundle
from pipelines.evidence.stored_runs import RunName, find_run
from pipelines.policy import Policy, open_policy
from pipelines.policy.quorum import Quorum
from pipelines.portal.bundles import BundleMaker
from tests.bundle.test_export import RELEASE, Filled

NOW = datetime.now(UTC)


def policy_of(filled: Filled) -> Policy:
    return open_policy(filled.policy.read_bytes(), now=NOW).policy


def maker_of(filled: Filled) -> BundleMaker:
    source, policy = Source(center="zurich", store=filled.store), policy_of(filled)
    return BundleMaker([source], policy, LogIndex({"zurich": source}, policy, None, [source]))


def run_of(filled: Filled) -> RunName:
    return find_run(filled.store, RELEASE)


@pytest.mark.parametrize("scene", ["identical", "different"])
def test_a_bundle_is_that_of_an_export_and_passes_the_same_checks(
    tmp_path: Path, scene: str
) -> None:
    filled = Filled(tmp_path, scene)
    data = maker_of(filled).of(run_of(filled))
    assert data is not None
    assert data == maker_of(filled).of(run_of(filled))
    made, exported = Bundle.from_bytes(data).members, Bundle.from_bytes(filled.export()).members
    differing = {n for n in made.keys() | exported.keys() if made.get(n) != exported.get(n)}
    assert {name for name in differing if not name.startswith("evidence/")} == {
        "center.json", "keys/witness.pub", "policy.dsse.json",
    }  # fmt: skip
    trust = Trust(policy=filled.policy.read_bytes(), now=NOW)
    statuses = [
        {s.name: s.status for s in check_bundle(one, trust=trust).steps if s.status != "note"}
        for one in (data, filled.export())
    ]
    statuses[1].pop("given-policy")
    statuses[1].pop("evidence", None)
    assert statuses[0] == statuses[1]
    assert check_bundle(data, trust=trust).exit_code == (1 if scene == "different" else 0)


def test_what_is_not_logged_or_not_there_has_no_bundle(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical", logged=False)
    run = run_of(filled)
    assert maker_of(filled).of(run) is None
    elsewhere = run.model_copy(update={"center": "geneva"})
    assert maker_of(filled).of(elsewhere) is None


def test_records_that_cannot_be_read_cost_their_bundle_alone(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    path = tmp_path / "store" / filled.prefix / "comparison-1.dsse.json"
    path.chmod(0o644)
    path.write_bytes(b"{")
    assert maker_of(filled).of(run_of(filled)) is None


def test_a_bundle_that_is_too_large_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = Filled(tmp_path, "identical")
    monkeypatch.setattr("pipelines.portal.bundles.MAX_PUBLISHED", 1 << 10)
    assert maker_of(filled).of(run_of(filled)) is None


def test_without_enough_witnesses_there_is_no_bundle(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    policy, source = policy_of(filled), Source(center="zurich", store=filled.store)
    witness = policy.centers[0].witness
    demanding = replace(policy, quorum=Quorum.parse(f"witness own {witness}\nquorum own\n"))
    maker = BundleMaker([source], demanding, LogIndex({"zurich": source}, policy))
    assert maker.of(run_of(filled)) is None
    assert maker.waiting == {RELEASE}, "until they have"


class Silent:
    """A store that does not answer."""

    def get(self, key: str, limit: int) -> bytes:
        raise StoreError("no answer")

    def list(self, prefix: str) -> Iterator[str]:
        raise StoreError("no answer")


def test_a_store_that_does_not_answer_is_read_again(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    policy, source = policy_of(filled), Source(center="zurich", store=filled.store)
    silent = Source(center="zurich", store=Silent())
    maker = BundleMaker([silent], policy, LogIndex({"zurich": source}, policy))
    assert maker.of(run_of(filled)) is None
    assert maker.waiting == {RELEASE}
    damaged = maker_of(filled)
    (tmp_path / "store" / filled.prefix / "report.json").unlink()
    assert damaged.of(run_of(filled)) is None
    assert damaged.waiting == set(), "that will not change by itself"


def test_a_run_of_too_many_records_has_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = Filled(tmp_path, "identical")
    monkeypatch.setattr("pipelines.portal.bundles.MAX_RECORDS", 3)
    assert maker_of(filled).of(run_of(filled)) is None
