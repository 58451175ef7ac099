"""A real center at its handler: its own signer, its own store, its own log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders.core.enums import Verdict
from pipelines.center.center import LOCAL, Center, load_center
from pipelines.center.keys import public_keys
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.report import Report
from pipelines.evidence.statements.log_status import Work
from pipelines.evidence.statements.people import request
from pipelines.evidence.statements.statement import Statement
from pipelines.log.heartbeats import newest_heartbeat
from pipelines.log.leaf import own_key
from pipelines.policy import Reviewer
from pipelines.requests.client import exit_code, read_status
from pipelines.requests.handler import OpenRequest, RequestHandler
from pipelines.requests.messages import store_request
from pipelines.requests.serve import open_handler, serve
from pipelines.storage.names import REPORT, release_run
from pipelines.verify.session import Session
from tests.lab import write_recipe
from tests.policy.reviews.people import ADA
from tests.requests.office import report


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def center(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Center:
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SAMEBITS_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.delenv("SAMEBITS_STORE", raising=False)
    write_recipe(tmp_path / "recipes" / "releases" / "lab" / "engine", [["true"]])
    return load_center(None)


@pytest.fixture
def handler(center: Center, now: datetime) -> RequestHandler:
    """Return its handler; the policy knows nobody, so ada is named here."""
    made = open_handler(Session(center), now)
    reviewers = (Reviewer(name="ada", key=ADA.public),)
    return replace(made, policy=replace(made.policy, reviewers=reviewers))


def test_a_real_center_answers_and_logs(
    center: Center, handler: RequestHandler, now: datetime
) -> None:
    store = handler.store
    statement = request(
        center=LOCAL,
        release="lab/engine@1",
        nonce="nonce-0001",
        requester="ada",
        now=now,
        valid=timedelta(hours=1),
    )
    asked = store_request(store, sign_envelope(statement.to_bytes(), ADA))

    def run(_item: OpenRequest) -> Report:
        made = report(center=LOCAL, verdict=Verdict.IDENTICAL)
        place = release_run(made.vendor, made.product, made.version, LOCAL, made.run)
        store.put_record(f"{place}{REPORT}", made.to_json())
        return made

    (served,) = serve(handler, run, lambda: now)
    assert served.fault is None
    heard = read_status(store, asked, [public_keys(center)["statements"]])
    assert exit_code(store, asked, heard) == 0
    (head,) = Session(center).logbook().log.heads()
    assert (head.release, head.sequence) == (own_key(LOCAL), 1), "both receipts are in the log"


def test_without_a_policy_nobody_is_known(center: Center, now: datetime) -> None:
    assert open_handler(Session(center), now).policy.reviewers == ()


def test_a_center_beats_and_the_next_beat_knows_of_it(
    center: Center, handler: RequestHandler, now: datetime
) -> None:
    book = Session(center).logbook()
    keys = [public_keys(center)["statements"]]

    def at(moment: datetime, work: Work | None = None) -> None:
        book.publish_heartbeat(handler.sign, moment, work)

    at(now)
    first = newest_heartbeat(handler.store, LOCAL, keys, now=now)
    assert first
    assert (first.predicate.log.size, first.predicate.heads) == (0, ())
    at(now + timedelta(seconds=1), Work(due=2, done=1, failed=1, night="2026-03-01"))
    second = newest_heartbeat(handler.store, LOCAL, keys, now=now)
    assert second
    assert [(h.release, h.sequence) for h in second.predicate.heads] == [(own_key(LOCAL), 0)]
    tree = book.log.recover()
    assert tree
    assert (tree.size, second.predicate.log.size) == (2, 1)


def test_a_heartbeat_that_died_before_its_leaf_is_logged_by_the_next(
    center: Center, handler: RequestHandler, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Session(center).logbook()

    with monkeypatch.context() as broken:

        def die(statement: Statement) -> Envelope:
            broken.setattr(book.log, "append", None)
            return handler.sign(statement)

        with pytest.raises(TypeError):
            book.publish_heartbeat(die, now)
    later = Session(center).logbook()
    later.publish_heartbeat(handler.sign, now + timedelta(seconds=1))
    tree = later.log.recover()
    assert tree
    assert tree.size == 2
