"""A request that is cancelled while its release is built: the build ends, and leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders.images.provide import ProvidedImage
from pipelines.center.center import LOCAL, load_center
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.statements.people import Answer, request
from pipelines.policy import Policy, Reviewer
from pipelines.requests.messages import cancellation_of, store_cancellation, store_request
from pipelines.requests.offer import newest_offer
from pipelines.requests.overview import RequestState, overview
from pipelines.requests.serve import serve_round
from pipelines.verify.session import Session
from tests.command import RELEASES, wait_until
from tests.lab import write_recipe
from tests.policy.reviews.people import ADA
from tests.requests.office import answers


@pytest.fixture
def own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build_image: ProvidedImage
) -> Iterator[Session]:
    """The session of a center that knows ada, and one release that takes minutes."""
    recipes = tmp_path / "recipes"
    (recipes / "releases").mkdir(parents=True)
    (recipes / "images").symlink_to(RELEASES.parent / "images")
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SAMEBITS_RECIPES", str(recipes))
    monkeypatch.delenv("SAMEBITS_STORE", raising=False)
    script = [["sh", "-c", "sleep 120"]]
    write_recipe(recipes / "releases/lab/engine", script, limits={"time": "5min"})
    real = Session.policy

    def policy(session: Session, now: datetime) -> Policy:
        return replace(real(session, now), reviewers=(Reviewer(name="ada", key=ADA.public),))

    monkeypatch.setattr(Session, "policy", policy)
    with Session(load_center(None)) as session:
        yield session


def test_a_request_in_work_is_cancelled_by_its_requester(own: Session, session: Session) -> None:
    statement = request(
        center=LOCAL,
        release="lab/engine@1",
        nonce="nonce-0001",
        requester="ada",
        now=datetime.now(UTC),
        valid=timedelta(hours=1),
    )
    store = own.store
    asked = store_request(store, sign_envelope(statement.to_bytes(), ADA))

    def seen() -> RequestState:
        return overview(store, asked, [], datetime.now(UTC)).state

    def builds() -> bool:
        runs = {c.run for c in session.engine.containers()}
        return any(path.name in runs for path in own.center.runs.glob("*"))

    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(serve_round, own)
        wait_until(builds)
        assert seen() is RequestState.RUNNING
        cancellation = cancellation_of(asked, datetime.now(UTC)).to_bytes()
        store_cancellation(store, asked, sign_envelope(cancellation, ADA))
        assert answers(serving.result(timeout=300)) == [(Answer.REFUSED, "cancelled")]
    assert seen() is RequestState.CANCELLED
    assert not builds()
    assert list(own.center.runs.iterdir()) == []
    assert not own.cancelled.is_set(), "the next request is served"
    offer = newest_offer(store, LOCAL)
    assert offer
    assert (offer.releases, set(offer.requesters)) == (("lab/engine@1",), {"ada"})
