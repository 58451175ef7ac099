"""How a night is divided among flow runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.night.due import Due, due
from pipelines.night.shards import shards
from tests.night.nights import entry, night, release


def dues(seconds: list[float]) -> list[Due]:
    names = [f"lab/r{number}@1" for number in range(len(seconds))]
    before = night(*(entry(n, seconds=s) for n, s in zip(names, seconds, strict=True)))
    return list(due([release(name) for name in names], before, rebuild_every=1))


@given(seconds=st.lists(st.floats(0.1, 3600), max_size=40), size=st.integers(1, 12))
def test_every_release_is_in_exactly_one_shard_and_none_is_too_large(
    seconds: list[float], size: int
) -> None:
    everything = dues(seconds)
    parts = shards(everything, size=size)
    assert sorted(d.release for part in parts for d in part) == sorted(
        d.release for d in everything
    )
    assert all(1 <= len(part) <= size for part in parts)
    assert len(parts) == -(-len(everything) // size)


def test_long_builds_are_spread_and_begin_first() -> None:
    parts = shards(dues([600, 500, 1, 1, 1, 1]), size=3)
    assert [[round(d.before.seconds) for d in part if d.before] for part in parts] == [
        [600, 1, 1],
        [500, 1, 1],
    ]
