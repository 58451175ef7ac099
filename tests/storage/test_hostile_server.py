"""Servers that talk like S3 and mean harm: each ends with the budget of its round."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from builders.core.errors import StoreError
from infra.bench.hostile import Attack, hostile_server
from pipelines.storage.bounded import BoundedStore, BudgetError, PeerBudget
from pipelines.storage.opening import open_peer_store
from pipelines.storage.s3settings import S3Settings
from pipelines.storage.store import TooLargeError

KEY, FOLDER = "public/x/y", "public/x/"
BUDGET = 300_000


@pytest.fixture
def opened(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[[Attack], BoundedStore]:
    """Return what opens the store of a server that attacks."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    def open_hostile(attack: Attack) -> BoundedStore:
        server = hostile_server(attack)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.__enter__())
        request.addfinalizer(lambda: server.__exit__(None, None, None))
        place = S3Settings(url="s3://bucket/peer")
        return open_peer_store(place, PeerBudget(seconds=20, size=BUDGET))

    return open_hostile


@pytest.mark.parametrize("attack", [Attack.STALLS, Attack.DRIPS])
def test_a_server_that_sends_nothing_or_little_is_left(
    opened: Callable[[Attack], BoundedStore], attack: Attack
) -> None:
    store = opened(attack)
    store.budget.seconds = 1
    with pytest.raises(BudgetError, match=r"no answer in|seconds of reading"):  # a slow start
        store.get(KEY, 1 << 20)
    with pytest.raises(BudgetError):
        store.get(KEY, 1 << 20)


def test_an_object_of_ten_gigabytes_is_read_up_to_its_limit(
    opened: Callable[[Attack], BoundedStore],
) -> None:
    store = opened(Attack.LARGE)
    with pytest.raises(TooLargeError):
        store.get(KEY, 1000)
    assert store.budget.read == 1001
    with pytest.raises(BudgetError):
        store.get(KEY, 1 << 40)


def test_names_without_end_end_with_the_bytes(opened: Callable[[Attack], BoundedStore]) -> None:
    store = opened(Attack.NAMES)
    with pytest.raises(BudgetError, match="bytes"):
        list(store.list(FOLDER))
    assert store.budget.read < 2 * BUDGET


def test_names_that_no_record_has_end_with_the_time(
    opened: Callable[[Attack], BoundedStore],
) -> None:
    """The thread that was left asks for no more pages, and so ends."""
    store = opened(Attack.ODD_NAMES)
    store.budget.seconds = 1
    with pytest.raises(StoreError):
        list(store.list(FOLDER))
    for _ in range(2000):
        if not store.budget.hangs:
            break
        time.sleep(0.01)
    assert not store.budget.hangs
