"""The store of a center stops in mid-run, really: evidence first, and each verdict once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.core.enums import Outcome, Verdict
from builders.core.errors import InfrastructureError, StoreError
from builders.images.provide import ProvidedImage
from infra.bench.madeup import EMPTY_POLICY
from pipelines.center.center import Center
from pipelines.center.keys import make_local_policy
from pipelines.center.logs import check_completeness, own_log
from pipelines.evidence.privatekey import KEY_USES, create_key
from pipelines.evidence.report import Report
from pipelines.nightly.night_plan import Release, due, releases
from pipelines.nightly.periodic import reap_center
from pipelines.nightly.record import NightEntry
from pipelines.nightly.release_task import run_release
from pipelines.storage.names import REPORT
from pipelines.storage.outbox import Flushed
from pipelines.storage.s3 import S3Store
from pipelines.verify import publish as publishing
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import verify
from tests.command import RELEASES
from tests.lab import write_recipe
from tests.storage.ceph import Gateway, new_bucket, settings
from tests.storage.versions import versions

FIRST, SECOND = "20260101T010000Z-00000000", "20260102T010000Z-00000000"


class Nights:
    """A center whose store is a real gateway, and its nights over one good release."""

    def __init__(self, center: Center, gateway: Gateway) -> None:
        self.center, self.gateway = center, gateway
        self.session = Session(center)
        self.reports: list[Report] = []

    def run(self, night: str, *, stops: str | None = None) -> NightEntry:
        """Do what is due; the gateway is killed just before the step `stops`."""
        found = releases(self.center.home / "recipes", self.session.images)
        (one,) = due([r for r in found if isinstance(r, Release)], None, rebuild_every=1)
        return run_release(
            self.session, night, one, verifier=lambda _, job: self._verify(job, stops)
        )

    def _verify(self, job: Job, stops: str | None) -> Report:
        def wrap(name: str, step: Any) -> Any:
            def stopped(*words: Any, **named: Any) -> Any:
                self.gateway.kill()
                return step(*words, **named)

            return stopped if name == stops else step

        self.reports.append(verify(self.session, job, wrap))
        return self.reports[-1]

    def stored(self) -> dict[str, set[str]]:
        """Return the names of what was published, by run, as the store alone has them."""
        assert not isinstance(self.center.store, Path)
        remote, found = S3Store(self.center.store), dict[str, set[str]]()
        for key in remote.list("public/releases/"):
            assert len(versions(remote, key)) == 1, f"{key} is there twice"
            *_, run, name = key.split("/")
            found.setdefault(run, set()).add(name)
        return found

    def assert_whole(self) -> None:
        """Everything has arrived, each run has its report, and each statement one leaf."""
        assert self.session.flush() == Flushed(sent=0, waiting=0)
        stored = self.stored()
        assert {run for run, names in stored.items() if REPORT in names} == {
            report.run for report in self.reports
        }
        whole = check_completeness(own_log(self.center, EMPTY_POLICY), wait=lambda _: None)
        assert (whole.gaps, len(self.reports)) == ([], len(stored))


@pytest.fixture
def nights(
    gateway: Gateway,
    aws: None,
    build_image: ProvidedImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Nights]:
    home = tmp_path / "home"
    folder = home / "recipes/releases/lab/one"
    write_recipe(folder, [["sh", "-c", "echo one > /out/out.bin"]], shipped=b"one\n")
    shutil.copytree(RELEASES.parent / "images", home / "recipes/images")
    monkeypatch.setenv("SAMEBITS_RECIPES", str(home / "recipes"))
    bucket = new_bucket(gateway.client(), versions=True)
    nights = Nights(Center(id="far", home=home, store=settings(bucket)), gateway)
    for use in KEY_USES:
        create_key(nights.center.key_folder, use)
    make_local_policy(nights.center)
    yield nights
    gateway.start()
    nights.session.engine.close()


def test_a_store_that_stops_after_the_commitment_costs_and_doubles_nothing(nights: Nights) -> None:
    entry = nights.run(FIRST, stops="fetch-shipped")
    assert (entry.outcome, entry.verdict) == (Outcome.BUILT, Verdict.IDENTICAL)
    nights.gateway.start()
    assert not nights.stored(), "nothing was announced of what the store had no evidence for"
    assert nights.session.flush()
    assert nights.run(FIRST) == entry, "a night does no release twice"
    assert nights.run(SECOND).verdict is Verdict.IDENTICAL
    nights.assert_whole()


def test_a_run_that_a_store_kept_from_its_commitment_is_completed(nights: Nights) -> None:
    with pytest.raises(InfrastructureError, match="may not be logged"):
        nights.run(FIRST, stops="rebuild")
    nights.gateway.start()
    assert not nights.stored(), "nothing was announced of what the store had no evidence for"
    (completed,) = reap_center(nights.session).completed
    assert completed.verdict is Verdict.IDENTICAL
    nights.reports.append(completed)
    assert nights.run(FIRST).verdict is Verdict.IDENTICAL
    nights.assert_whole()


def test_a_store_that_stops_in_mid_publication_leaves_no_result_and_the_next_try_does(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that were to be signed are over there already, so they cannot be read again."""
    sign_and_store = publishing.sign_and_store

    def stopped(*words: Any) -> Any:
        nights.gateway.kill()
        return sign_and_store(*words)

    monkeypatch.setattr(publishing, "sign_and_store", stopped)
    with pytest.raises(StoreError):
        nights.run(FIRST)
    monkeypatch.setattr(publishing, "sign_and_store", sign_and_store)
    nights.gateway.start()
    assert not nights.stored()
    assert nights.session.flush()
    assert nights.run(FIRST).verdict is Verdict.IDENTICAL
    nights.assert_whole()
