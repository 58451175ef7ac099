from __future__ import annotations

import random
import threading
import time

import pytest

from builders.budget import Budget

GIB = 1 << 30


class Load:
    """What runs at once, and the most that ever did."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.cpus = self.memory = self.most_cpus = self.most_memory = 0.0
        self.runs = 0

    def add(self, cpus: float, memory: float) -> None:
        with self.lock:
            self.cpus += cpus
            self.memory += memory
            self.runs += cpus > 0
            self.most_cpus = max(self.most_cpus, self.cpus)
            self.most_memory = max(self.most_memory, self.memory)


def test_shares_never_add_up_to_more_than_there_is() -> None:
    budget, load, never = Budget(cpus=4, memory=8 * GIB), Load(), threading.Event()
    chance = random.Random(1)  # noqa: S311  # the same shares every time
    shares = [(chance.choice([0.5, 1, 2, 4]), chance.choice([1, 2, 8]) * GIB) for _ in range(60)]

    def work(cpus: float, memory: int) -> None:
        with budget.share(cpus=cpus, memory=memory, cancelled=never):
            load.add(cpus, memory)
            time.sleep(0.002)
            load.add(-cpus, -memory)

    threads = [threading.Thread(target=work, args=share) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert load.runs == len(shares)
    assert load.most_cpus <= 4
    assert load.most_memory <= 8 * GIB
    assert load.most_cpus > 2  # they did run side by side
    whole(budget)


def whole(budget: Budget) -> None:
    """Everything can be had again at once."""
    start = time.monotonic()
    with budget.share(cpus=budget.cpus, memory=budget.memory, cancelled=threading.Event()):
        assert time.monotonic() - start < 0.1


@pytest.mark.parametrize(("cpus", "memory"), [(64, GIB), (1, 64 * GIB), (64, 64 * GIB)])
def test_a_share_larger_than_the_machine_gets_all_of_it(cpus: float, memory: int) -> None:
    budget = Budget(cpus=2, memory=4 * GIB)
    with budget.share(cpus=cpus, memory=memory, cancelled=threading.Event()):
        assert waits(budget, cpus=2, memory=4 * GIB)
    whole(budget)


def waits(budget: Budget, *, cpus: float, memory: int) -> bool:
    """Say whether a share cannot be had now."""
    started, cancelled = threading.Event(), threading.Event()

    def work() -> None:
        with budget.share(cpus=cpus, memory=memory, cancelled=cancelled):
            if not cancelled.is_set():
                started.set()

    thread = threading.Thread(target=work)
    thread.start()
    waited = not started.wait(0.1)
    cancelled.set()
    thread.join(5)
    assert not thread.is_alive()
    return waited


@pytest.mark.parametrize(
    ("cpus", "memory", "expected"), [(1, GIB, False), (1.5, 1, True), (0.1, GIB + 1, True)]
)
def test_cores_and_memory_are_both_waited_for(cpus: float, memory: int, expected: bool) -> None:
    budget = Budget(cpus=2, memory=2 * GIB)
    with budget.share(cpus=1, memory=GIB, cancelled=threading.Event()):
        assert waits(budget, cpus=cpus, memory=memory) is expected
    whole(budget)


def test_a_share_that_comes_back_wakes_who_waits() -> None:
    budget, started = Budget(cpus=1, memory=GIB), threading.Event()

    def work() -> None:
        with budget.share(cpus=1, memory=GIB, cancelled=threading.Event()):
            started.set()

    with budget.share(cpus=1, memory=GIB, cancelled=threading.Event()):
        thread = threading.Thread(target=work)
        thread.start()
        assert not started.wait(0.05)
    assert started.wait(5)
    thread.join(5)


def test_a_cancelled_run_waits_no_longer_and_takes_nothing_away() -> None:
    budget, cancelled, done = Budget(cpus=1, memory=GIB), threading.Event(), threading.Event()

    def work() -> None:
        with budget.share(cpus=1, memory=GIB, cancelled=cancelled):
            done.set()

    with budget.share(cpus=1, memory=GIB, cancelled=threading.Event()):
        thread = threading.Thread(target=work)
        thread.start()
        assert not done.wait(0.05)
        cancelled.set()
        assert done.wait(2)
        thread.join(5)
        assert waits(budget, cpus=0.1, memory=1)
    whole(budget)


def test_a_share_comes_back_after_a_failure() -> None:
    budget = Budget(cpus=1, memory=GIB)
    with (
        pytest.raises(RuntimeError),
        budget.share(cpus=1, memory=GIB, cancelled=threading.Event()),
    ):
        raise RuntimeError
    whole(budget)
