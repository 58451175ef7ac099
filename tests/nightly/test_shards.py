"""How a night is divided among flow runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.nightly.night_plan import DueRelease, due, shards
from tests.nightly.nights import entry, night, release


def dues(seconds: list[float]) -> list[DueRelease]:
    names = [f"lab/r{number}@1" for number in range(len(seconds))]
    before = night(*(entry(n, seconds=s) for n, s in zip(names, seconds, strict=True)))
    return list(due([release(name) for name in names], before, rebuild_every=1))


@given(
    seconds=st.lists(st.floats(0.1, 3600), max_size=40),
    size=st.integers(1, 12),
    places=st.integers(1, 50),
)
def test_every_release_is_in_exactly_one_shard_and_none_is_too_large(
    seconds: list[float], size: int, places: int
) -> None:
    everything = dues(seconds)
    parts = shards(everything, size=size, places=places)
    assert sorted(d.release for part in parts for d in part) == sorted(
        d.release for d in everything
    )
    assert all(1 <= len(part) <= size for part in parts)
    assert -(-len(everything) // size) <= len(parts) <= max(-(-len(everything) // size), places)


def test_no_place_stays_without_work_that_is_worth_a_flow_run() -> None:
    sizes = [[len(p) for p in shards(dues(s), size=5, places=4)] for s in ([300.0] * 6, [60.0] * 3)]
    assert sizes == [[2, 2, 1, 1], [1, 1, 1]]


def test_short_work_is_not_spread() -> None:
    assert [len(p) for p in shards(dues([2.0] * 5), size=5, places=4)] == [5]
    assert [len(p) for p in shards(dues([20.0] * 6), size=5, places=4)] == [3, 3]


def test_long_builds_are_spread_and_begin_first() -> None:
    parts = shards(dues([600, 500, 1, 1, 1, 1]), size=3)
    assert [[round(d.before.seconds) for d in part if d.before] for part in parts] == [
        [600, 1, 1],
        [500, 1, 1],
    ]


def test_updates_stay_in_one_shard_with_what_they_are_based_on() -> None:
    plain = dues([100.0] * 6)
    chained = [
        one.model_copy(update={"bases": (plain[number - 2].release,)}) if number in {2, 4} else one
        for number, one in enumerate(plain)
    ]
    parts = shards(chained, size=2, places=3)
    assert {frozenset(d.release for d in part) for part in parts} == {
        frozenset({"lab/r0@1", "lab/r2@1", "lab/r4@1"}),
        frozenset({"lab/r1@1", "lab/r5@1"}),
        frozenset({"lab/r3@1"}),
    }
